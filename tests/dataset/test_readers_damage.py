"""Whatever happens to a file, a reader gives an array or one clear line, and nothing else."""

import contextlib
import io
import random
import shutil
from pathlib import Path

import h5py
import numpy as np
import pandas
import pytest
import soundfile
from PIL import Image
from scipy.io import savemat

from deepself.dataset.readers import ReadError, read
from deepself.study.dataset import AudioModality, ImageModality, SensorModality, VideoModality

SENSOR = SensorModality(kind="sensor", sample_rate=100)
AUDIO = AudioModality(kind="audio", sample_rate=8000)
IMAGE = ImageModality(kind="image", height=8, width=8, channels="rgb")
FILM = VideoModality(kind="video", frame_rate=10, height=8, width=8)

RANDOM = np.random.default_rng(0)
TABLE = RANDOM.normal(size=(60, 2))
SOUND = RANDOM.uniform(-0.5, 0.5, 3000)
PICTURE = RANDOM.integers(0, 255, (16, 16, 3), dtype=np.uint8)


def sound(form, subtype=None):
    def write(path):
        soundfile.write(path, SOUND, 8000, format=form, subtype=subtype)

    return write


def picture(form):
    return lambda path: Image.fromarray(PICTURE).save(path, form)


def sound_by_ffmpeg(path):
    import av

    with av.open(path, "w", format="ipod") as container:
        stream = container.add_stream("aac", rate=8000, layout="mono")
        for at in range(0, 2048, 1024):
            samples = SOUND[None, at : at + 1024].astype(np.float32)
            frame = av.AudioFrame.from_ndarray(samples, "fltp", "mono")
            frame.sample_rate, frame.pts = 8000, at
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def film(form, codec, pixels):
    def write(path):
        import av

        with av.open(path, "w", format=form) as container:
            stream = container.add_stream(codec, rate=10)
            stream.width, stream.height, stream.pix_fmt = 16, 16, pixels
            for k in range(4):
                frame = av.VideoFrame.from_ndarray(np.roll(PICTURE, k, axis=0), format="rgb24")
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))

    return write


def hdf5(path):
    with h5py.File(path, "w") as file:
        file.create_dataset("run/data", data=TABLE, compression="gzip")


def edf(path):
    import pyedflib

    with pyedflib.EdfWriter(str(path), 2) as writer:
        writer.setSamplefrequency(0, 30)
        writer.setSamplefrequency(1, 30)
        writer.writeSamples([column.copy() for column in TABLE.T])


def wfdb(path):
    import wfdb

    wfdb.wrsamp(
        path.stem,
        fs=100,
        units=["uV", "uV"],
        sig_name=["I", "II"],
        p_signal=TABLE,
        fmt=["16", "16"],
        write_dir=str(path.parent),
    )


FORMATS = [
    ("a.wav", AUDIO, sound("WAV")),
    ("a.flac", AUDIO, sound("FLAC")),
    ("a.ogg", AUDIO, sound("OGG", "VORBIS")),
    ("a.opus", AUDIO, sound("OGG", "OPUS")),
    ("a.mp3", AUDIO, sound("MP3")),
    ("a.aiff", AUDIO, sound("AIFF")),
    ("a.m4a", AUDIO, sound_by_ffmpeg),
    ("a.png", IMAGE, picture("PNG")),
    ("a.jpg", IMAGE, picture("JPEG")),
    ("a.bmp", IMAGE, picture("BMP")),
    ("a.tif", IMAGE, picture("TIFF")),
    ("a.webp", IMAGE, picture("WEBP")),
    ("a.csv", SENSOR, lambda path: np.savetxt(path, TABLE, delimiter=",", header="x,y")),
    ("a.npy", SENSOR, lambda path: np.save(path, TABLE)),
    ("a.npz", SENSOR, lambda path: np.savez(path, x=TABLE)),
    ("a.mat", SENSOR, lambda path: savemat(path, {"x": TABLE})),
    ("b.mat", SENSOR, lambda path: savemat(path, {"x": TABLE}, do_compression=True)),
    ("a.h5", SENSOR, hdf5),
    ("a.edf", SENSOR, edf),
    ("a.bdf", SENSOR, edf),
    ("a.hea", SENSOR, wfdb),
    (
        "a.parquet",
        SENSOR,
        lambda path: pandas.DataFrame(TABLE, columns=["x", "y"]).to_parquet(path),
    ),
    ("a.mp4", FILM, film("mp4", "libx264", "yuv420p")),
    ("a.avi", FILM, film("avi", "mpeg4", "yuv420p")),
    ("a.mkv", FILM, film("matroska", "ffv1", "bgr0")),
    ("a.webm", FILM, film("webm", "libvpx", "yuv420p")),
    ("a.gif", FILM, film("gif", "gif", "rgb8")),
]
IDS = [name for name, _, _ in FORMATS]
AXES = {"audio": 2, "sensor": 2, "image": 3, "video": 4}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Write each format once."""
    written = {}

    def write(name, by):
        if name not in written:
            written[name] = tmp_path_factory.mktemp("whole") / name
            by(written[name])
        return written[name]

    return write


def damaged(content, chance):
    """Cut, flip, overwrite, repeat or drop some bytes; oftener near the start, with the header."""
    data = bytearray(content)
    for _ in range(chance.choice([1, 1, 2, 5, 20])):
        at = int(len(data) * chance.random() ** chance.choice([1, 3]))
        length = chance.choice([1, 1, 4, 30])
        how = chance.choice(["cut", "flip", "flip", "random", "zero", "ones", "drop", "repeat"])
        if how == "cut":
            del data[at:]
        elif how == "flip" and at < len(data):
            data[at] ^= 1 << chance.randrange(8)
        elif how == "random":
            data[at : at + length] = chance.randbytes(length)
        elif how in ("zero", "ones"):
            data[at : at + length] = (b"\0" if how == "zero" else b"\xff") * length
        elif how == "drop":
            del data[at : at + length]
        elif how == "repeat":
            data[at:at] = data[at : at + length]
        if not data:
            break
    return bytes(data)


@pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(("name", "modality", "write"), FORMATS, ids=IDS)
def test_damage_is_one_line(name, modality, write, whole, tmp_path, capfd):
    original = whole(name, write)
    shutil.copytree(original.parent, tmp_path, dirs_exist_ok=True)
    path = tmp_path / name
    content = original.read_bytes()
    assert read(modality, path, content).values.size
    for seed in range(60):
        changed = damaged(content, random.Random(f"{name} {seed}"))
        path.write_bytes(changed)  # some readers take the path
        try:
            found = read(modality, path, changed)
        except ReadError as error:
            message = str(error)
            assert message and "\n" not in message, (seed, message)
            assert str(tmp_path) not in message, (seed, message)
        else:
            assert found.values.dtype == np.float32, seed
            assert found.values.ndim == AXES[modality.kind], seed
            assert not found.names or len(found.names) == len(found.values), seed
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(("name", "modality", "write"), FORMATS, ids=IDS)
def test_one_format_called_another_is_read_or_refused(
    name, modality, write, whole, tmp_path, capfd
):
    original = whole(name, write)
    for other, meant, _ in FORMATS:
        path = tmp_path / other
        path.write_bytes(original.read_bytes())
        with contextlib.suppress(ReadError):
            read(meant, path, original.read_bytes())
    assert capfd.readouterr() == ("", "")


def test_signals_of_wfdb_may_be_damaged_too(whole, tmp_path):
    original = whole("a.hea", wfdb)
    shutil.copytree(original.parent, tmp_path, dirs_exist_ok=True)
    content = (tmp_path / "a.dat").read_bytes()
    header = original.read_bytes()
    for seed in range(40):
        (tmp_path / "a.dat").write_bytes(damaged(content, random.Random(seed)))
        with contextlib.suppress(ReadError):
            assert read(SENSOR, tmp_path / "a.hea", header).values.shape == (2, 60)


def test_an_array_that_claims_to_be_huge_is_refused():
    content = io.BytesIO()
    np.save(content, TABLE)
    huge = content.getvalue().replace(b"(60, 2)", b"(10**9,")
    with pytest.raises(ReadError):
        read(SENSOR, Path("a.npy"), huge)
    large = content.getvalue().replace(b"(60, 2), ", b"(99999999999, 2), ")
    with pytest.raises(ReadError):
        read(SENSOR, Path("a.npy"), large)
