"""EDF, BDF and WFDB, written by their own writers, are read as they were meant."""

import numpy as np
import pyedflib
import pytest
import wfdb

from deepself.dataset.readers import ReadError, companions, read
from deepself.study.dataset import SensorModality

SIGNALS = np.random.default_rng(0).uniform(-90, 90, (2, 512))
STEP = {".edf": 200 / 2**16, ".bdf": 200 / 2**24}


def write_edf(path, rates=(256, 256), labels=("Fp1", "Fp2"), annotated=True):
    bits = 24 if path.suffix == ".bdf" else 16
    kind = pyedflib.FILETYPE_BDFPLUS if bits == 24 else pyedflib.FILETYPE_EDFPLUS
    if not annotated:
        kind -= 1
    with pyedflib.EdfWriter(str(path), len(rates), file_type=kind) as writer:
        for i, (label, rate) in enumerate(zip(labels, rates, strict=True)):
            header = {
                "label": label,
                "dimension": "uV",
                "sample_frequency": rate,
                "physical_max": 100,
                "physical_min": -100,
                "digital_max": 2 ** (bits - 1) - 1,
                "digital_min": -(2 ** (bits - 1)),
                "prefilter": "",
                "transducer": "",
            }
            writer.setSignalHeader(i, header)
        writer.writeSamples([SIGNALS[i % 2, : 2 * rate].copy() for i, rate in enumerate(rates)])
        if annotated:
            writer.writeAnnotation(0.5, -1, "eyes open")
    return path


def read_file(path, **settings):
    modality = SensorModality(kind="sensor", sample_rate=256, **settings)
    return read(modality, path, path.read_bytes())


@pytest.mark.parametrize("suffix", [".edf", ".bdf"])
@pytest.mark.parametrize("annotated", [False, True])
def test_edf_in_physical_units(tmp_path, suffix, annotated):
    found = read_file(write_edf(tmp_path / f"a{suffix}", annotated=annotated))
    assert found.values.dtype == np.float32
    assert found.sample_rate == 256
    assert found.names == ("Fp1", "Fp2")
    np.testing.assert_allclose(found.values, SIGNALS, atol=STEP[suffix] + 1e-5)


def test_signals_of_edf_are_chosen(tmp_path):
    found = read_file(write_edf(tmp_path / "a.edf"), channels=["Fp2"])
    np.testing.assert_allclose(found.values, SIGNALS[1:], atol=STEP[".edf"])
    assert found.names == ("Fp2",)


def test_signals_of_edf_must_share_a_rate_only_where_wanted(tmp_path):
    path = write_edf(tmp_path / "a.edf", (256, 8, 256), ("Fp1", "Resp", "Fp2"))
    with pytest.raises(ReadError, match=r"rates \(Fp1 256 Hz, Resp 8 Hz, Fp2 256 Hz\); choose"):
        read_file(path)
    assert read_file(path, channels=["Fp1", "Fp2"]).values.shape == (2, 512)
    slow = read_file(path, channels=[1])
    assert (slow.sample_rate, slow.values.shape) == (8, (1, 16))


@pytest.mark.parametrize("suffix", [".edf", ".bdf"])
@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 0.99])
def test_edf_that_is_cut_off_is_refused(tmp_path, suffix, share, capfd):
    path = write_edf(tmp_path / f"a{suffix}")
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ReadError, match="is cut off: it has|cannot be decoded as .DF") as error:
        read_file(path)
    assert str(tmp_path) not in str(error.value)
    assert capfd.readouterr() == ("", "")


def test_edf_that_is_longer_than_it_says_is_refused(tmp_path, capfd):
    path = write_edf(tmp_path / "a.edf")
    path.write_bytes(path.read_bytes() + b"more")
    with pytest.raises(ReadError, match=r"is longer \(\d+ bytes\) than its header says"):
        read_file(path)
    assert capfd.readouterr() == ("", "")


def write_wfdb(folder, name="r", samples=SIGNALS, form="16"):
    wfdb.wrsamp(
        name,
        fs=256,
        units=["uV"] * len(samples),
        sig_name=["I", "II"][: len(samples)],
        p_signal=samples.T,
        fmt=[form] * len(samples),
        write_dir=str(folder),
    )
    return folder / f"{name}.hea"


@pytest.mark.parametrize(("form", "bits"), [("16", 16), ("24", 24), ("212", 12), ("80", 8)])
def test_wfdb_in_physical_units(tmp_path, form, bits):
    path = write_wfdb(tmp_path, form=form)
    found = read_file(path)
    assert found.values.dtype == np.float32
    assert found.sample_rate == 256
    assert found.names == ("I", "II")
    np.testing.assert_allclose(found.values, SIGNALS, atol=190 / 2**bits + 1e-5)
    assert companions(path) == [tmp_path / "r.dat"]


def test_signals_of_wfdb_are_chosen(tmp_path):
    found = read_file(write_wfdb(tmp_path), channels=["II"])
    np.testing.assert_allclose(found.values, SIGNALS[1:], atol=0.01)
    assert found.names == ("II",)


def test_missing_samples_of_wfdb_are_nan(tmp_path):
    samples = SIGNALS.copy()
    samples[1, 7] = np.nan
    found = read_file(write_wfdb(tmp_path, samples=samples)).values
    assert np.argwhere(np.isnan(found)).tolist() == [[1, 7]]


def test_wfdb_without_its_signals_says_which(tmp_path):
    path = write_wfdb(tmp_path)
    (tmp_path / "r.dat").unlink()
    with pytest.raises(ReadError, match=r"needs r\.dat, which is not beside it"):
        read_file(path)


def test_wfdb_whose_signals_are_cut_off_is_refused(tmp_path):
    path = write_wfdb(tmp_path)
    signals = tmp_path / "r.dat"
    signals.write_bytes(signals.read_bytes()[:-100])
    with pytest.raises(ReadError, match="cannot be decoded as WFDB"):
        read_file(path)


def test_signals_of_wfdb_must_share_a_rate_only_where_wanted(tmp_path):
    header = tmp_path / "m.hea"
    header.write_text("m 2 128 10\nm.dat 16x2 1/uV 16 0 0 0 0 I\nm.dat 16 1/uV 16 0 0 0 0 II\n")
    frames = np.arange(30, dtype="<i2").reshape(10, 3)
    frames.tofile(tmp_path / "m.dat")
    with pytest.raises(ReadError, match=r"different rates \(I 256 Hz, II 128 Hz\)"):
        read_file(header)
    found = read_file(header, channels=["I"])
    assert found.sample_rate == 256
    assert found.values.tolist() == [frames[:, :2].ravel().tolist()]
    assert read_file(header, channels=["II"]).values.tolist() == [frames[:, 2].tolist()]


def test_segments_of_wfdb_are_joined(tmp_path):
    write_wfdb(tmp_path, "r_1", SIGNALS[:, :200])
    write_wfdb(tmp_path, "r_2", SIGNALS[:, 200:])
    header = tmp_path / "r.hea"
    header.write_text("r/2 2 256 512\nr_1 200\nr_2 312\n")
    found = read_file(header)
    assert (found.sample_rate, found.names) == (256, ("I", "II"))
    np.testing.assert_allclose(found.values, SIGNALS, atol=0.01)
    (tmp_path / "r_2.dat").unlink()
    with pytest.raises(ReadError, match=r"needs r_2\.dat"):
        read_file(header)


def test_a_header_without_signals_is_refused(tmp_path):
    header = tmp_path / "e.hea"
    header.write_text("e 0 250 0\n")
    with pytest.raises(ReadError, match="holds no signals|cannot be decoded"):
        read_file(header)
