"""Features equal the same steps done one file at a time, are made once, and whole."""

import librosa
import numpy as np
import pytest
import scipy.signal
import soundfile

from deepself.dataset.folds import split_study
from deepself.dataset.inventory import take_inventory
from deepself.errors import UserError
from deepself.features.extract import extract
from deepself.features.prepare import fit, prepare, resize
from deepself.store.features import FeatureFile
from deepself.study import Layout, load
from deepself.study.dataset import AudioModality, Duration
from tests.tiny import RATE, make_study


@pytest.fixture
def make(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = make_study(tmp_path)
    layout = Layout("tiny", tmp_path / "results")

    def run(name, *overrides, workers=2):
        study = load(file, overrides)
        take_inventory(study.dataset, layout.inventory, 1)
        split_study(study, layout)
        return extract(study, layout, name, workers)

    return run


def read(path, name):
    with FeatureFile(path) as file:
        return file.read([name])[0], file


def sound(tmp_path, name):
    return soundfile.read(tmp_path / f"recordings/files/{name}.wav", dtype="float32")[0]


def test_waveform_equals_scipy(make, tmp_path):
    item, file = read(make("wave"), "low-1")
    sos = scipy.signal.butter(4, [50, 900], "bandpass", fs=RATE, output="sos")
    expected = scipy.signal.sosfiltfilt(sos, sound(tmp_path, "low-1").astype(float))
    np.testing.assert_allclose(item[0], expected, atol=1e-5)
    assert file.frame_rate == RATE


def test_log_mel_equals_librosa(make, tmp_path):
    item, file = read(make("log_mel"), "high-3")
    mel = librosa.feature.melspectrogram(
        y=sound(tmp_path, "high-3"), sr=RATE, n_fft=128, hop_length=64, n_mels=16, fmin=0
    )
    np.testing.assert_allclose(item[0], librosa.power_to_db(mel), atol=1e-2)
    assert file.frame_rate == RATE / 64
    assert (np.diff(file.frequencies) > 0).all()
    assert len(file.frequencies) == 16


@pytest.mark.parametrize(
    ("kind", "bins"),
    [
        ("{kind: spectrogram, modality: sensor, n_fft: 16, hop_length: 4}", 9),
        ("{kind: scalogram, modality: sensor, frequencies: {low: 10, high: 90, count: 5}}", 5),
    ],
)
def test_each_channel_of_a_sensor_has_its_image(make, kind, bins):
    item, file = read(make("trace", f"features.trace={kind}"), "noise-0")
    assert item.shape[:2] == (2, bins)
    assert np.isfinite(item).all()
    assert len(file.frequencies) == bins


def test_number_of_workers_changes_nothing(make):
    path = make("log_mel", workers=1)
    first = path.read_bytes()
    path.unlink()
    assert make("log_mel", workers=3).read_bytes() == first


def test_feature_that_stands_is_not_made_again(make):
    path = make("log_mel")
    before = path.stat().st_mtime_ns
    make("log_mel", "models.cnn.training.lr=0.3")
    assert path.stat().st_mtime_ns == before


def test_recording_changed_since_the_check_is_refused(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(100), RATE)
    modality = AudioModality(kind="audio", sample_rate=RATE)
    with pytest.raises(UserError, match=r"a\.wav: has changed since it was checked; run again"):
        prepare(modality, tmp_path / "a.wav", "0" * 64)


def test_signal_too_short_for_its_filter_is_refused(make):
    long_filter = "features.trace.filter={low: 20, high: 60, order: 12}"
    with pytest.raises(UserError, match=r"features\.trace: .*samples"):
        make("trace", long_filter)
    assert not list(Layout("tiny").results.glob("features/*"))


def test_stereo_is_mixed_and_resampled(tmp_path):
    import hashlib

    time = np.arange(4000) / 4000
    left, right = np.sin(2 * np.pi * 100 * time), np.zeros(4000)
    soundfile.write(tmp_path / "a.wav", np.stack([left, right], 1), 4000, subtype="FLOAT")
    checksum = hashlib.sha256((tmp_path / "a.wav").read_bytes()).hexdigest()
    modality = AudioModality(kind="audio", sample_rate=2000)
    signal = prepare(modality, tmp_path / "a.wav", checksum)
    assert signal.shape == (1, 2000)
    np.testing.assert_allclose(signal[0, 100:-100], left[::2][100:-100] / 2, atol=1e-3)
    kept = prepare(
        AudioModality(kind="audio", sample_rate=2000, channels="keep"), tmp_path / "a.wav", checksum
    )
    assert kept.shape == (2, 2000)


@pytest.mark.parametrize(
    ("shorter", "expected"),
    [("zero", [1, 2, 3, 0, 0]), ("repeat", [1, 2, 3, 1, 2]), ("reflect", [1, 2, 3, 2, 1])],
)
def test_short_signals_are_filled(shorter, expected):
    signal = np.array([[1.0, 2, 3]])
    assert fit(signal, Duration(seconds=0.5, shorter=shorter), 10).tolist() == [expected]


def test_long_signals_are_cropped():
    assert fit(np.arange(6.0)[None], Duration(seconds=0.4), 10).tolist() == [[0, 1, 2, 3]]


def test_pictures_are_resized():
    picture = np.linspace(0, 1, 64, dtype=np.float32).reshape(1, 8, 8)
    small = resize(picture, 4, 2)
    assert small.shape == (1, 4, 2)
    assert small.mean() == pytest.approx(picture.mean(), abs=0.02)
    assert resize(picture, 8, 8) is picture
