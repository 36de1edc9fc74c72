"""What holds for every format: choice by suffix, of channels, and of packages; companions."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from deepself.dataset.readers import Decoded, ReadError, companions, read
from deepself.dataset.readers.decoding import decoding
from deepself.study.dataset import AudioModality, SensorModality, VideoModality

NAMED = b"Fp1,Fp2,Cz\n1,2,3\n4,5,6\n"


def sensor(**settings):
    return SensorModality(kind="sensor", sample_rate=100, **settings)


def read_named(channels):
    return read(sensor(channels=channels), Path("a.csv"), NAMED)


def test_unknown_formats_list_the_known():
    with pytest.raises(ReadError, match=r"unknown sensor format '\.xyz'; known: \.txt, \.csv"):
        read(sensor(), Path("a.xyz"), b"1")
    film = VideoModality(kind="video", frame_rate=1, height=2, width=2)
    with pytest.raises(ReadError, match=r"unknown video format '\.xyz'; known: \.mp4, \.avi"):
        read(film, Path("a.xyz"), b"1")


def test_a_suffix_counts_in_any_case():
    assert read(sensor(), Path("Z001.TXT"), b"12\n-4\n7\n").values.tolist() == [[12, -4, 7]]


def test_nothing_is_refused_whatever_the_format():
    with pytest.raises(ReadError, match="is empty"):
        read(sensor(), Path("a.csv"), b"")


def test_channels_by_name_and_by_index_come_in_the_order_asked_for():
    assert read_named(["Cz", "Fp1"]).values.tolist() == [[3, 6], [1, 4]]
    assert read_named(["Cz", "Fp1"]).names == ("Cz", "Fp1")
    assert read_named([2, "Fp1"]).names == ("Cz", "Fp1")
    assert read_named("keep").names == ("Fp1", "Fp2", "Cz")


@pytest.mark.parametrize(
    ("channels", "message"),
    [
        (["fp2"], r"has no channel 'fp2', did you mean 'Fp2'\? \(has Fp1, Fp2, Cz\)"),
        (["xyz"], r"has no channel 'xyz' \(has Fp1, Fp2, Cz\)"),
        ([0, 3], r"has no channel 3 \(has Fp1, Fp2, Cz\)"),
    ],
)
def test_a_channel_that_is_not_there_is_named_beside_those_that_are(channels, message):
    with pytest.raises(ReadError, match=message):
        read_named(channels)


def test_channels_without_names_have_indices_only():
    with pytest.raises(ReadError, match="'Fp1': its channels have no names; give indices"):
        read(sensor(channels=["Fp1"]), Path("a.csv"), b"1,2\n3,4\n")
    with pytest.raises(ReadError, match=r"has no channel 2 \(has 0 to 1\)"):
        read(sensor(channels=[2]), Path("a.csv"), b"1,2\n3,4\n")
    with pytest.raises(ReadError, match=r"has no channel 2 \(has only 0\)"):
        read(sensor(channels=[2]), Path("a.csv"), b"1\n3\n")


def test_a_name_that_stands_twice_is_chosen_by_index():
    with pytest.raises(ReadError, match="has 2 channels 'a'; choose one by its index: 0, 2"):
        read(sensor(channels=["a"]), Path("a.csv"), b"a,b,a\n1,2,3\n")


def test_a_message_lists_no_more_names_than_one_reads():
    header = ",".join(f"c{i}" for i in range(200))
    content = f"{header}\n{','.join('1' * 200)}\n".encode()
    with pytest.raises(ReadError, match="c23, and 176 more"):
        read(sensor(channels=["x"]), Path("a.csv"), content)


@pytest.mark.parametrize(
    ("module", "modality", "name", "line"),
    [
        ("pyedflib", sensor(), "a.edf", 'needs pyedflib: pip install "deepself[eeg]"'),
        ("wfdb", sensor(), "a.hea", 'needs wfdb: pip install "deepself[eeg]"'),
        (
            "av",
            VideoModality(kind="video", frame_rate=1, height=2, width=2),
            "a.mp4",
            'needs PyAV: pip install "deepself[video]"',
        ),
        (
            "av",
            AudioModality(kind="audio", sample_rate=100),
            "a.m4a",
            'needs PyAV: pip install "deepself[video]"',
        ),
    ],
)
def test_a_package_that_is_missing_is_named_with_its_command(
    monkeypatch, module, modality, name, line
):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ReadError) as error:
        read(modality, Path(name), b"1")
    assert str(error.value) == line


def test_readers_are_imported_without_the_decoders():
    heavy = ("scipy", "h5py", "av", "soundfile", "pyarrow", "wfdb", "pyedflib", "PIL")
    code = (
        "import sys, deepself.dataset.recordings; "
        f"sys.exit(', '.join(m for m in {heavy!r} if m in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).stderr == b"\n"


def test_only_wfdb_has_companions(tmp_path):
    (tmp_path / "a.csv").write_text("1\n")
    (tmp_path / "a.dat").write_text("1\n")
    assert companions(tmp_path / "a.csv") == []


def test_a_companion_is_a_file_beside_the_header(tmp_path):
    header = tmp_path / "a.hea"
    header.write_text("# c\na 3 250 10\na.dat 16\na.dat 16\nb.dat 16\n")
    (tmp_path / "a.dat").write_bytes(b"1")
    assert companions(header) == [tmp_path / "a.dat"]
    assert companions(tmp_path / "absent.hea") == []
    header.write_text("a 1 250 10\n../a.dat 16\n")
    assert companions(header) == []


def test_companions_of_segments_are_companions_of_the_record(tmp_path):
    (tmp_path / "r.hea").write_text("r/3 1 250 30\nr_1 10\n~ 10\nr_2 10\n")
    for name in ("r_1", "r_2"):
        (tmp_path / f"{name}.hea").write_text(f"{name} 1 250 10\n{name}.dat 16\n")
        (tmp_path / f"{name}.dat").write_bytes(b"1")
    found = [path.name for path in companions(tmp_path / "r.hea")]
    assert found == ["r_1.hea", "r_1.dat", "r_2.hea", "r_2.dat"]


def test_decoded_has_neither_rate_nor_names_by_default():
    assert (Decoded(np.zeros(1)).sample_rate, Decoded(np.zeros(1)).names) == (None, ())


def test_what_decoders_write_by_themselves_is_not_seen(capfd):
    import os
    import warnings

    with decoding("x", chatter=True), decoding("x", chatter=True):
        os.write(2, b"heard")
        warnings.warn("heard", stacklevel=1)
    os.write(2, b"seen")
    assert capfd.readouterr().err == "seen"


def test_an_error_without_words_is_called_by_its_kind():
    with pytest.raises(ReadError, match="cannot be decoded as x: KeyError"), decoding("x"):
        raise KeyError
