"""One recording: its channels, its rate, its checksum, and what is wrong with it."""

import hashlib

import numpy as np
import pytest
import soundfile
from PIL import Image

from deepself.dataset.readers import ReadError
from deepself.dataset.recordings import read_recording
from deepself.study.dataset import AudioModality, ImageModality, SensorModality, VideoModality

NAMED = "Fp1,Fp2,Cz\n1,2,3\n5,5,5\n6,8,7\n"


def sensor(**settings):
    return SensorModality(kind="sensor", **{"sample_rate": 256, **settings})


@pytest.fixture
def named(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(NAMED)
    return path


def test_a_sensor_file(named):
    found = read_recording(sensor(), named)
    assert found.values.tolist() == [[1, 5, 6], [2, 5, 8], [3, 5, 7]]
    assert found.values.dtype == np.float32
    assert (found.sample_rate, found.names) == (256, ("Fp1", "Fp2", "Cz"))
    assert found.size == len(NAMED)
    assert found.checksum == hashlib.sha256(NAMED.encode()).hexdigest()


@pytest.mark.parametrize("channels", ["average", "mix"])
def test_channels_are_averaged(named, channels):
    found = read_recording(sensor(channels=channels), named)
    assert found.values.tolist() == [[2, 5, 7]]
    assert found.names == ()


def test_channels_are_chosen(named):
    found = read_recording(sensor(channels=["Cz", 0]), named)
    assert found.values.tolist() == [[3, 5, 7], [1, 5, 6]]
    assert found.names == ("Cz", "Fp1")


def test_sound_is_mixed_by_default_and_has_its_own_rate(tmp_path):
    stereo = np.array([[0.5, 0], [0.25, -0.25], [0, 0.5]])
    soundfile.write(tmp_path / "a.wav", stereo, 8000, subtype="FLOAT")
    found = read_recording(AudioModality(kind="audio", sample_rate=16000), tmp_path / "a.wav")
    assert found.values.tolist() == [[0.25, 0, 0.25]]
    assert found.sample_rate == 8000
    kept = AudioModality(kind="audio", sample_rate=16000, channels="keep")
    assert read_recording(kept, tmp_path / "a.wav").values.shape == (2, 3)


def test_a_picture_has_no_rate_and_may_be_of_one_colour(tmp_path):
    Image.fromarray(np.zeros((4, 6), np.uint8)).save(tmp_path / "a.png")
    found = read_recording(ImageModality(kind="image", height=2, width=2), tmp_path / "a.png")
    assert found.values.shape == (1, 4, 6)
    assert found.sample_rate is None


def test_a_film_has_the_rate_at_which_it_is_kept(tmp_path):
    import av

    with av.open(tmp_path / "a.mkv", "w") as container:
        stream = container.add_stream("ffv1", rate=10)
        stream.width, stream.height, stream.pix_fmt = 16, 16, "bgr0"
        for _ in range(10):
            frame = av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8))
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    modality = VideoModality(kind="video", frame_rate=5, height=4, width=4)
    found = read_recording(modality, tmp_path / "a.mkv")
    assert found.values.shape == (1, 5, 4, 4)
    assert found.sample_rate == 5


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("absent.csv", None, "no such file"),
        ("a.csv", b"", "is empty"),
        ("a.npy", "no samples", "holds no samples"),
    ],
)
def test_nothing_to_read(tmp_path, name, content, message):
    path = tmp_path / name
    if content == "no samples":
        np.save(path, np.empty((0, 3)))
    elif content is not None:
        path.write_bytes(content)
    with pytest.raises(ReadError, match=message):
        read_recording(sensor(), path)


def test_a_folder_cannot_be_read(tmp_path):
    with pytest.raises(ReadError, match="cannot be read: Is a directory"):
        read_recording(sensor(), tmp_path)


def test_values_that_are_not_finite_are_counted_by_channel(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("Fp1,Fp2,Cz\n1,2,3\nnan,5,inf\n6,8,-inf\n")
    with pytest.raises(ReadError) as error:
        read_recording(sensor(), path)
    assert str(error.value) == (
        "holds 3 values that are not finite (1 NaN, 2 infinite), "
        "in channel 0 ('Fp1'), channel 2 ('Cz')"
    )
    with pytest.raises(ReadError, match=r"\(2 infinite\), in channel 'Cz'"):
        read_recording(sensor(channels=["Fp2", "Cz"]), path)
    with pytest.raises(ReadError, match=r"in channel 0 \('Fp1'\)"):
        read_recording(sensor(channels="average"), path)
    assert read_recording(sensor(channels=["Fp2"]), path).values.tolist() == [[2, 5, 8]]


def test_a_channel_that_never_changes_is_refused(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("Fp1,Fp2,Cz\n1,2,3\n4,2,6\n")
    with pytest.raises(ReadError) as error:
        read_recording(sensor(), path)
    assert str(error.value) == (
        "channel 1 ('Fp2') never changes; choose others by channels, or set constant: keep"
    )
    with pytest.raises(ReadError, match="^channel 1 .* never changes"):
        read_recording(sensor(channels=[2, 1]), path)
    assert read_recording(sensor(constant="keep"), path).values.shape == (3, 2)
    assert read_recording(sensor(channels=["Fp1", "Cz"]), path).values.shape == (2, 2)
    assert read_recording(sensor(channels="average"), path).values.shape == (1, 2)


def test_a_recording_that_never_changes_is_refused(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(100), 8000)
    modality = AudioModality(kind="audio", sample_rate=8000)
    with pytest.raises(ReadError, match="never changes: all samples are 0; leave it out, or set"):
        read_recording(modality, tmp_path / "a.wav")
    opposite = np.stack([np.arange(100) / 200, -np.arange(100) / 200], axis=1)
    soundfile.write(tmp_path / "b.wav", opposite, 8000, subtype="FLOAT")
    with pytest.raises(ReadError, match="a mean of all channels that never changes"):
        read_recording(modality, tmp_path / "b.wav")


def test_one_sample_is_no_constant(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("1,2\n")
    assert read_recording(sensor(), path).values.tolist() == [[1], [2]]


@pytest.fixture
def edf(tmp_path):
    import pyedflib

    path = tmp_path / "a.edf"
    with pyedflib.EdfWriter(str(path), 1) as writer:
        writer.setSamplefrequency(0, 256)
        writer.writeSamples([np.linspace(-1, 1, 512)])
    return path


def test_a_rate_that_is_not_the_study_s_is_refused_or_kept(edf):
    assert read_recording(sensor(), edf).sample_rate == 256
    assert read_recording(sensor(sample_rate=256.1), edf).sample_rate == 256.1
    with pytest.raises(ReadError) as error:
        read_recording(sensor(sample_rate=173.61), edf)
    assert str(error.value) == (
        "was recorded at 256 Hz, the study says 173.61 Hz; "
        "correct sample_rate, or set resample: true"
    )
    resampled = sensor(sample_rate=173.61, resample=True)
    assert read_recording(resampled, edf).sample_rate == 256


def test_size_and_checksum_are_of_all_files_of_a_record(tmp_path):
    import wfdb

    signal = np.random.default_rng(0).normal(size=(50, 1))
    wfdb.wrsamp(
        "r",
        fs=256,
        units=["mV"],
        sig_name=["I"],
        p_signal=signal,
        fmt=["16"],
        write_dir=str(tmp_path),
    )
    header, signals = tmp_path / "r.hea", tmp_path / "r.dat"
    found = read_recording(sensor(), header)
    assert found.size == header.stat().st_size + 100
    both = header.read_bytes() + signals.read_bytes()
    assert found.checksum == hashlib.sha256(both).hexdigest()
    signals.write_bytes(bytes(100))
    with pytest.raises(ReadError, match="never changes"):
        read_recording(sensor(), header)
