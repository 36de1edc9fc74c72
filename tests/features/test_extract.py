"""Features equal the same steps done one file at a time, are made once, and whole."""

import hashlib

import librosa
import numpy as np
import pytest
import scipy.signal
import soundfile

from deepself.dataset.folds import split_study
from deepself.dataset.inventory import take_inventory
from deepself.errors import UserError
from deepself.features.extract import extract
from deepself.features.prepare import fit, prepare, read_verified, resize, windows
from deepself.store.features import FeatureFile
from deepself.study import Layout, load
from deepself.study.dataset import AudioModality, Duration
from deepself.study.features import Waveform, Window
from tests.tiny import RATE, make_study


@pytest.fixture
def make(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = make_study(tmp_path)
    layout = Layout("tiny", tmp_path / "results")

    def run(name, *overrides, workers=2):
        study = load(file, overrides)
        take_inventory(study, layout, 1)
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


def audio(**modality):
    feature = Waveform(kind="waveform", modality="audio")
    return AudioModality(kind="audio", **{"sample_rate": RATE, **modality}), feature


def test_recording_changed_since_the_check_is_refused(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.linspace(0, 0.5, 100), RATE)
    with pytest.raises(
        UserError, match=r"a\.wav: has changed since it was checked; run check again"
    ):
        read_verified(audio()[0], tmp_path / "a.wav", "0" * 64)


def test_signal_too_short_for_its_filter_is_refused_before_anything_is_made(make):
    long_filter = "features.trace.filter={low: 20, high: 60, order: 12}"
    with pytest.raises(UserError, match=r"lasts 0\.2 s; features\.trace needs at least"):
        make("trace", long_filter)
    assert not list(Layout("tiny").results.glob("features/*"))


def test_stereo_is_mixed_and_resampled(tmp_path):
    time = np.arange(4000) / 4000
    left, right = np.sin(2 * np.pi * 100 * time), np.zeros(4000)
    right[0] = 1e-6
    soundfile.write(tmp_path / "a.wav", np.stack([left, right], 1), 4000, subtype="FLOAT")
    checksum = hashlib.sha256((tmp_path / "a.wav").read_bytes()).hexdigest()
    path = tmp_path / "a.wav"

    def prepared(**settings):
        modality, feature = audio(sample_rate=2000, **settings)
        return prepare(modality, feature, read_verified(modality, path, checksum), None).pieces

    (signal,) = prepared()
    assert signal.shape == (1, 2000)
    np.testing.assert_allclose(signal[0, 100:-100], left[::2][100:-100] / 2, atol=1e-3)
    (kept,) = prepared(channels="keep")
    assert kept.shape == (2, 2000)


@pytest.mark.parametrize(
    ("shorter", "expected"),
    [("zero", [1, 2, 3, 0, 0]), ("repeat", [1, 2, 3, 1, 2]), ("reflect", [1, 2, 3, 2, 1])],
)
def test_short_signals_are_filled(shorter, expected):
    signal = np.array([[1.0, 2, 3]])
    assert fit(signal, Duration(seconds=0.5, shorter=shorter), 5).tolist() == [expected]


def test_long_signals_are_cropped():
    assert fit(np.arange(6.0)[None], Duration(seconds=0.4), 4).tolist() == [[0, 1, 2, 3]]


def test_pictures_are_resized():
    picture = np.linspace(0, 1, 64, dtype=np.float32).reshape(1, 8, 8)
    small = resize(picture, 4, 2)
    assert small.shape == (1, 4, 2)
    assert small.mean() == pytest.approx(picture.mean(), abs=0.02)
    assert resize(picture, 8, 8) is picture


@pytest.mark.parametrize(
    ("samples", "settings", "starts", "last"),
    [
        (10, {"seconds": 4}, [0, 4], [4, 5, 6, 7]),
        (10, {"seconds": 4, "overlap": 0.5}, [0, 2, 4, 6], [6, 7, 8, 9]),
        (10, {"seconds": 4, "rest": "zero"}, [0, 4, 8], [8, 9, 0, 0]),
        (10, {"seconds": 4, "overlap": 0.5, "rest": "zero"}, [0, 2, 4, 6], [6, 7, 8, 9]),
        (11, {"seconds": 4, "overlap": 0.5, "rest": "zero"}, [0, 2, 4, 6, 8], [8, 9, 10, 0]),
        (3, {"seconds": 4, "rest": "zero"}, [0], [0, 1, 2, 0]),
        (4, {"seconds": 4, "rest": "zero"}, [0], [0, 1, 2, 3]),
        (3, {"seconds": 4}, [], None),
        (5, {"seconds": 1, "overlap": 0.99}, [0, 1, 2, 3, 4], [4]),
    ],
)
def test_windows_cover_a_recording(samples, settings, starts, last):
    found = windows(np.arange(float(samples))[None], Window(**settings), 1)
    assert found.starts == starts
    assert last is None or found.pieces[-1].tolist() == [last]


def add_recording(tmp_path, name, seed):
    """Put a new recording into the data set, before all others."""
    files = tmp_path / "recordings/files"
    random = np.random.default_rng(seed)
    soundfile.write(files / f"{name}.wav", 0.1 * random.standard_normal(RATE // 4), RATE)
    np.savetxt(files / f"{name}.csv", random.standard_normal((40, 2)), delimiter=",")
    manifest = tmp_path / "recordings/manifest.csv"
    first, *rows = manifest.read_text().splitlines()
    row = f"{name},files/{name}.wav,files/{name}.csv,,noise,1,{name}"
    manifest.write_text("\n".join([first, row, *rows]) + "\n")


def count_prepared(monkeypatch):
    from deepself.features import compute

    prepared = []

    def counting(*arguments):
        prepared.append(arguments[1].name)
        return read_verified(*arguments)

    monkeypatch.setattr(compute, "read_verified", counting)
    return prepared


@pytest.mark.parametrize("settings", ["{seconds: 0.1, overlap: 0.5}", "null"])
def test_only_what_is_new_is_computed_and_the_result_is_that_of_a_full_rebuild(
    make, tmp_path, monkeypatch, settings
):
    choice = f"features.log_mel.window={settings}"
    make("log_mel", choice)
    add_recording(tmp_path, "new", 7)
    random = np.random.default_rng(8)
    changed = tmp_path / "recordings/files/low-3.wav"
    soundfile.write(changed, 0.1 * random.standard_normal(RATE // 4), RATE)
    prepared = count_prepared(monkeypatch)
    path = make("log_mel", choice)
    assert sorted(prepared) == ["low-3.wav", "new.wav"]
    appended = path.read_bytes()
    for file in path.parent.glob("*.h5"):
        file.unlink()
    assert make("log_mel", choice).read_bytes() == appended


def test_interrupted_extraction_goes_on_where_it_stopped(make, tmp_path, monkeypatch):
    from deepself.features import extract as module

    monkeypatch.setattr(module, "BATCH_RECORDINGS", 4)
    whole = make("log_mel").read_bytes()
    for file in (tmp_path / "results/features").glob("*.h5"):
        file.unlink()

    class Interrupting(module.FeatureWriter):
        def append(self, batch):
            if self.done >= 8:
                raise KeyboardInterrupt
            super().append(batch)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(module, "FeatureWriter", Interrupting)
        make("log_mel")
    assert not list((tmp_path / "results/features").glob("*.h5"))
    prepared = count_prepared(monkeypatch)
    assert make("log_mel").read_bytes() == whole
    assert len(prepared) == 10


def test_what_an_interrupted_job_left_of_other_recordings_is_removed(make, tmp_path):
    path = make("log_mel")
    made = path.name.rsplit("-", 1)[0]
    left = [path.with_name(f".{made}-{n}.h5.{end}") for n in "ab" for end in ("part", "journal")]
    for file in (*left, path.with_name(f".{made}-b.h5.lock")):
        file.touch()
    path.unlink()
    make("log_mel")
    assert [file.exists() for file in left] == [False, False, True, True]  # b is being made


def test_shards_are_one_feature(make, tmp_path):
    with FeatureFile(make("log_mel")) as file:
        ids, items = file.ids, file.read(file.ids)
    for file in (tmp_path / "results/features").glob("*.h5"):
        file.unlink()
    path = make("log_mel", "features.log_mel.shards=4")
    with FeatureFile(path) as file:
        assert len(file.shards) == 4
        assert file.ids == ids
        np.testing.assert_array_equal(file.read(ids[::-1]), items[::-1])


def test_two_at_once_make_it_once(make, tmp_path, monkeypatch):
    from concurrent.futures import ThreadPoolExecutor

    study, layout = load(tmp_path / "study.yaml"), Layout("tiny", tmp_path / "results")
    make("wave")
    prepared = count_prepared(monkeypatch)
    with ThreadPoolExecutor(2) as pool:
        jobs = [pool.submit(extract, study, layout, "log_mel", 1) for _ in range(2)]
        paths = {job.result() for job in jobs}
    assert len(paths) == 1
    assert len(prepared) == len(set(prepared)) == 18


def masked_study(tmp_path):
    """Make one recording shorter, and keep true lengths."""
    random = np.random.default_rng()
    short = tmp_path / "recordings/files/low-1.wav"
    soundfile.write(short, 0.1 * random.standard_normal(300), RATE, subtype="FLOAT")
    return "dataset.modalities.audio.duration={seconds: longest, shorter: mask}"


def test_true_lengths_are_kept(make, tmp_path):
    item, file = read(make("log_mel", masked_study(tmp_path)), "low-1")
    place = file.ids.index("low-1")
    assert file.lengths[place] == 1 + 300 // 64
    assert set(np.delete(file.lengths, place)) == {1 + 500 // 64}
    mel = librosa.feature.melspectrogram(
        y=sound(tmp_path, "low-1"), sr=RATE, n_fft=128, hop_length=64, n_mels=16, fmin=0
    )
    np.testing.assert_allclose(item[0][:, :5], librosa.power_to_db(mel), atol=1e-2)
    assert not item[0][:, 5:].any()


def test_pictures_of_spectral_images_are_features(make):
    shown = "{kind: rendered, of: log_mel, colormap: viridis, height: 8, width: 9}"
    make("log_mel", f"features.shown={shown}")
    item, _ = read(make("shown", f"features.shown={shown}"), "low-1")
    assert item.shape == (3, 8, 9)
    assert 0 <= item.min() < item.max() <= 1


def test_pictures_follow_the_length_of_the_longest(make, tmp_path):
    """A longer recording changes the others' images; their pictures must not be the old ones."""
    longest = "dataset.modalities.audio.duration={seconds: longest}"
    shown = "features.shown={kind: rendered, of: log_mel, height: 8, width: 9}"
    make("log_mel", longest, shown)
    make("shown", longest, shown)
    add_recording(tmp_path, "new", 7)
    random = np.random.default_rng(3)
    soundfile.write(tmp_path / "recordings/files/new.wav", 0.1 * random.standard_normal(RATE), RATE)
    make("log_mel", longest, shown)
    found, _ = read(make("shown", longest, shown), "low-1")
    for file in (tmp_path / "results/features").glob("*.h5"):
        file.unlink()
    make("log_mel", longest, shown)
    anew, _ = read(make("shown", longest, shown), "low-1")
    np.testing.assert_array_equal(found, anew)


def test_inventory_newer_than_the_split_is_refused(make, tmp_path):
    make("trace")
    changed = tmp_path / "recordings/files/low-1.csv"
    changed.write_text(changed.read_text().replace("-", "", 1))
    study, layout = load(tmp_path / "study.yaml"), Layout("tiny", tmp_path / "results")
    take_inventory(study, layout, 1)
    for file in layout.results.glob("features/*.h5"):
        file.unlink()
    with pytest.raises(UserError, match=r"inventory\.csv: newer than .*; run split again"):
        extract(study, layout, "trace", 1)


def test_more_shards_than_recordings_are_as_many_as_there_are(make):
    with FeatureFile(make("log_mel", "features.log_mel.shards=50")) as file:
        assert len(file.shards) == len(file.ids) == 18
