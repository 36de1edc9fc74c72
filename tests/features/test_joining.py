"""Joined features equal their sources put together by hand, and misfits are named before work."""

import numpy as np
import pytest
import soundfile

from deepself.cli import main
from deepself.dataset.folds import split_study
from deepself.dataset.inventory import take_inventory
from deepself.errors import UserError
from deepself.features.extract import extract
from deepself.features.shapes import item_shape
from deepself.report.specification import parts_of
from deepself.store.features import FeatureFile
from deepself.study import Layout, load
from deepself.study.features import sources_of
from tests.tiny import RATE, make_study

PICTURE = "dataset.modalities.picture={kind: image, height: 8, width: 6}"
SHADE = "features.shade={kind: picture, modality: picture}"
CHROMA = "features.chroma={kind: chroma, modality: audio, n_fft: 128, hop_length: 64}"
MAP = (
    "features.map={kind: scalogram, modality: audio, hop_length: 64, "
    "frequencies: {low: 50, high: 900, count: 16}}"
)
EEG = (  # 200 Hz by 8 samples and 2000 Hz by 80 are both 25 frames a second
    "features.eeg={kind: log_mel, modality: sensor, n_fft: 32, hop_length: 8, n_mels: 6}",
    "dataset.modalities.sensor.channels=[0]",
)
SLOW = "features.slow={kind: log_mel, modality: audio, n_fft: 160, hop_length: 80, n_mels: 16}"


def joined(kind, of, name="both", **settings):
    inside = "".join(f", {key}: {value}" for key, value in settings.items())
    return f"features.{name}={{kind: joined_{kind}, of: [{', '.join(of)}]{inside}}}"


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return make_study(tmp_path), Layout("tiny", tmp_path / "results")


@pytest.fixture
def make(place):
    """Make a feature and those that it is made from; each one's open file."""

    def run(name, *overrides):
        study = load(place[0], overrides)
        take_inventory(study, place[1], 1)
        split_study(study, place[1])
        found = {}

        def one(name):
            for source in sources_of(study.features[name]):
                one(source)
            found[name] = FeatureFile(extract(study, place[1], name, 2))

        one(name)
        made, said = found[name], item_shape(study, place[1], name)
        assert made.shape == said
        return made, found

    return run


def problem(place, *overrides):
    with pytest.raises(UserError) as error:
        load(place[0], overrides)
    return str(error.value)


def misfit(place, *overrides):
    """What `check` says, which has read the recordings and computed nothing."""
    study = load(place[0], [*overrides, "models.svm.feature=both"])
    take_inventory(study, place[1], 1)
    from deepself.training.fits import misfits

    (line,) = misfits(study, place[1])
    assert line.startswith("models.svm: features.both: joins ")
    assert not (place[1].results / "features").exists()
    return line


def test_spectra_are_stacked_as_channels(make):
    made, found = make("both", MAP, joined("spectra", ["log_mel", "map"]))
    item = made.read(["low-1"])[0]
    sources = [found[name].read(["low-1"])[0] for name in ("log_mel", "map")]
    np.testing.assert_array_equal(item, np.concatenate(sources, axis=0))
    assert made.frame_rate == RATE / 64
    assert made.frequencies is None
    assert [(part.label, part.size) for part in parts_of(made)] == [
        ("log_mel of audio", 1),
        ("scalogram of audio", 1),
    ]


def test_rows_of_equal_frequencies_keep_them(make):
    loud = (
        "features.loud={kind: log_mel, modality: audio, n_fft: 128, hop_length: 64, n_mels: 16, "
        "log: ln}"
    )
    made, found = make("both", loud, joined("spectra", ["log_mel", "loud"]))
    np.testing.assert_array_equal(made.frequencies, found["log_mel"].frequencies)


def test_spectra_of_several_modalities_are_set_above_one_another(make):
    made, found = make("both", *EEG, SLOW, joined("spectra", ["eeg", "slow"], along="bins"))
    ids = made.ids[::-1]
    items = made.read(ids)
    # Six frames of 40 samples by 8, seven of 500 by 80: what one has over is cut off.
    assert (found["eeg"].shape, found["slow"].shape) == ((1, 6, 6), (1, 16, 7))
    np.testing.assert_array_equal(items[:, :, :6], found["eeg"].read(ids))
    np.testing.assert_array_equal(items[:, :, 6:], found["slow"].read(ids)[..., :6])
    assert len(set(made.checksums)) == len(made.ids)
    assert not set(made.checksums) & set(found["eeg"].checksums)


def test_pictures_and_rendered_sounds_are_joined(make):
    shown = "features.shown={kind: rendered, of: log_mel, height: 8, width: 6, colormap: viridis}"
    changes = PICTURE, SHADE, shown
    channels, found = make("both", *changes, joined("pictures", ["shade", "shown"]))
    parts = [found[name].read(["high-0"])[0] for name in ("shade", "shown")]
    np.testing.assert_array_equal(channels.read(["high-0"])[0], np.concatenate(parts, axis=0))
    grey = shown.replace("colormap: viridis", "dtype: float16")
    wide, found = make(
        "both", *changes[:2], grey, joined("pictures", ["shown", "shade"], along="width")
    )
    assert wide.shape == (1, 8, 12)
    np.testing.assert_array_equal(
        wide.read(["low-0"])[0, :, :, 6:], found["shade"].read(["low-0"])[0]
    )


def test_vectors_are_of_anything(make):
    changes = PICTURE, SHADE, joined("vectors", ["trace", "shade"], dtype="float16")
    made, found = make("both", *changes)
    expected = [found[name].read(["noise-2"])[0].ravel() for name in ("trace", "shade")]
    np.testing.assert_allclose(made.read(["noise-2"])[0], np.concatenate(expected), rtol=1e-3)
    assert (made.dtype, made.frame_rate, made.shape) == ("float16", None, (80 + 48,))


def test_joined_features_are_joined_and_rendered_again(make):
    inner = joined("spectra", ["log_mel", "chroma"], name="tall", along="bins")
    outer = joined("spectra", ["tall", "tall2"])
    other = joined("spectra", ["chroma", "log_mel"], name="tall2", along="bins")
    shown = "features.shown={kind: rendered, of: both, height: 20, width: 10, layout: rgb}"
    made, found = make("shown", CHROMA, inner, other, outer, shown)
    assert (found["both"].shape, made.shape) == ((2, 28, 8), (3, 20, 10))


@pytest.mark.parametrize(("name", "count"), [("log_mel", 4), ("trace", 3)])
def test_what_has_no_windows_stands_beside_each_window(make, name, count):
    whole = PICTURE, SHADE
    cut = [f"features.{f}.window={{seconds: 0.1, overlap: 0.5}}" for f in ("log_mel", "trace")]
    made, found = make("both", *whole, *cut, joined("vectors", [name, "shade"]))
    windows = found[name].read(["low-3"])
    assert len(windows) == count
    picture = np.repeat(found["shade"].read(["low-3"]).reshape(1, -1), count, axis=0)
    expected = np.concatenate([windows.reshape(count, -1), picture], axis=1)
    np.testing.assert_array_equal(made.read(["low-3"]), expected)
    np.testing.assert_allclose(made.starts[made.rows(["low-3"])], 0.05 * np.arange(count))


def test_windows_of_several_modalities_are_joined_one_by_one(make):
    eeg, channel = EEG
    cut = [f"features.{f}.window={{seconds: 0.16, rest: zero}}" for f in ("eeg", "slow")]
    both = joined("spectra", ["eeg", "slow"], along="bins")
    made, found = make("both", eeg, channel, SLOW, *cut, both)
    ids = ["high-1", "noise-0"]
    parts = [found[name].read(ids) for name in ("eeg", "slow")]
    assert [len(part) for part in parts] == [4, 4]
    np.testing.assert_array_equal(made.read(ids), np.concatenate(parts, axis=2))
    np.testing.assert_allclose(made.starts[made.rows(ids)], [0, 0.16, 0, 0.16])


def test_numbers_of_windows_that_differ_name_the_recording(make, tmp_path):
    file = tmp_path / "recordings/files/low-2.wav"
    sound, rate = soundfile.read(file)
    soundfile.write(file, sound[:390], rate)
    cut = [f"features.{f}.window={{seconds: 0.1}}" for f in ("wave", "log_mel", "trace")]
    with pytest.raises(
        UserError, match=r"^features\.both: low-2: log_mel and trace have 1 and 2 windows; give"
    ):
        make("both", *cut, joined("vectors", ["log_mel", "trace"]))


def test_windows_that_begin_apart_name_the_recording(make):
    cut = [f"features.{f}.window={{seconds: 0.033, overlap: 0.5}}" for f in ("log_mel", "trace")]
    small = "features.log_mel.n_fft=32", "features.log_mel.hop_length=16"
    with pytest.raises(UserError, match=r"high-0: (window \d+ of log_mel begins at|log_mel and)"):
        make("both", *cut, *small, joined("vectors", ["log_mel", "trace"]))


def test_recordings_that_were_added_join_those_that_were_made(make, tmp_path):
    manifest = tmp_path / "recordings/manifest.csv"
    rows = manifest.read_text()
    manifest.write_text("\n".join(rows.splitlines()[:-2]) + "\n")
    changes = PICTURE, SHADE, joined("vectors", ["trace", "shade"])
    few, _ = make("both", *changes)
    earlier = few.read(few.ids)
    manifest.write_text(rows)
    made, found = make("both", *changes)
    assert len(made.ids) == len(few.ids) + 2
    np.testing.assert_array_equal(made.read(few.ids), earlier)
    parts = [found[name].read(made.ids).reshape(len(made.ids), -1) for name in ("trace", "shade")]
    np.testing.assert_array_equal(made.read(made.ids), np.concatenate(parts, axis=1))
    assert made.checksums[: len(few.ids)] == few.checksums


MASKED = "dataset.modalities.audio.duration={seconds: longest, shorter: mask}"


def test_true_lengths_that_agree_are_kept(make, tmp_path):
    file = tmp_path / "recordings/files/low-2.wav"
    sound, rate = soundfile.read(file)
    soundfile.write(file, sound[:300], rate)
    changes = MASKED, CHROMA, MAP
    of = ["log_mel", "chroma", "map"]
    made, found = make("both", *changes, joined("spectra", of, along="bins"))
    # 300 samples are 5 frames, centred or not; 500 are 8.
    lengths = dict(zip(made.ids, made.lengths, strict=True))
    assert (lengths["low-2"], lengths["low-1"]) == (5, 8)
    assert (made.read(["low-2"])[..., 5:] == 0).all()
    np.testing.assert_array_equal(
        made.read(["low-1"])[0, :, :16], found["log_mel"].read(["low-1"])[0]
    )


def test_a_frame_that_one_source_has_over_is_cut_and_silenced(make, tmp_path):
    file = tmp_path / "recordings/files/low-2.wav"
    sound, rate = soundfile.read(file)
    soundfile.write(file, sound[:320], rate)  # 6 frames centred, 5 not; 500: 8 and 8
    made, found = make("both", MASKED, MAP, joined("spectra", ["log_mel", "map"]))
    row = made.rows(["low-2"])
    assert (found["log_mel"].lengths[row], found["map"].lengths[row]) == (6, 5)
    assert made.lengths[row] == 5
    assert (made.read(["low-2"])[..., 5:] == 0).all()
    assert (found["log_mel"].read(["low-2"])[..., 5] != 0).any()


def test_true_lengths_that_differ_name_the_recording(make, tmp_path):
    file = tmp_path / "recordings/files/low-2.wav"
    sound, rate = soundfile.read(file)
    soundfile.write(file, sound[:300], rate)
    with pytest.raises(
        UserError,
        match=r"^features\.both: low-2: true lengths differ .* frames: eeg 6, slow 4; cut",
    ):
        make("both", MASKED, *EEG, SLOW, joined("spectra", ["eeg", "slow"], along="bins"))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            [CHROMA, joined("spectra", ["log_mel", "chroma"])],
            "log_mel (1, 16, 8) and chroma (1, 12, 8), which have 16 and 12 bins; join along bins",
        ),
        (
            [MAP.replace("64", "16"), joined("spectra", ["log_mel", "map"], along="bins")],
            "log_mel (1, 16, 8) and map (1, 16, 32), which have 8 and 32 frames; choose hop_length",
        ),
        (
            [joined("waveforms", ["wave", "trace"])],
            "wave (1, 500) and trace (2, 40), which have 500 and 40 samples; give both modalities",
        ),
        (
            ["features.log_mel.deltas=1", "features.log_mel.hop_length=32",
             CHROMA.replace("64", "32"), joined("spectra", ["log_mel", "chroma"], along="bins")],
            "log_mel (2, 16, 16) and chroma (1, 12, 16), which have 2 and 1 channels; choose chan",
        ),
    ],
)  # fmt: skip
def test_shapes_that_do_not_fit_are_found_by_check(place, changes, said):
    assert said in misfit(place, *changes)


def test_steps_of_other_moments_are_refused(place):
    changes = ["dataset.modalities.sensor.duration={seconds: 2.5}",
               joined("waveforms", ["wave", "trace"])]  # fmt: skip
    assert (
        "joins wave and trace, of which 500 samples last 0.25 and 2.5 s; give both modalities one"
        in misfit(place, *changes)
    )


def test_extract_refuses_a_misfit_too(make):
    with pytest.raises(UserError, match=r"^features\.both: joins wave \(1, 500\) and trace"):
        make("both", joined("waveforms", ["wave", "trace"]))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ([joined("vectors", ["log_mle", "wave"])],
         "features.both.of.0: unknown feature 'log_mle', did you mean log_mel?"),
        ([joined("vectors", ["wave", "wave"])], "'wave' stands there twice"),
        ([joined("vectors", ["wave"])], "features.both.of"),
        ([joined("spectra", ["log_mel", "both"])],
         "features.both.of: a circle, both of both: a feature cannot be made of itself"),
        ([joined("spectra", ["log_mel", "other"]), joined("spectra", ["wave", "both"], "other")],
         "features.both.of: a circle, both of other of both"),
        ([joined("spectra", ["log_mel", "wave"])],
         "features.both.of.1: wave is of kind waveform; joined_spectra joins spectral images"),
        (["features.log_mel.window={seconds: 0.1}", CHROMA,
          joined("spectra", ["log_mel", "chroma"], along="bins")],
         "features.both.of: log_mel has windows of 0.1 s, overlap 0, rest drop, chroma has no win"),
        (["features.log_mel.window={seconds: 0.1}", "features.trace.window={seconds: 0.2}",
          joined("vectors", ["wave", "log_mel", "trace"])],
         "features.both.of: log_mel has windows of 0.1 s, overlap 0, rest drop, trace has windows"),
        ([MASKED, joined("vectors", ["trace", "log_mel"])],
         "features.both.of.1: log_mel has true lengths (duration, shorter: mask), and a vector"),
        ([joined("spectra", ["log_mel", "wave"], along="frames")], "features.both.along"),
    ],
)  # fmt: skip
def test_what_the_study_alone_tells_is_said_when_it_is_read(place, changes, said):
    assert said in problem(place, *changes)


def test_a_model_of_a_broken_join_is_not_blamed(place):
    of = "models.cnn.feature=both"
    found = problem(place, of, joined("spectra", ["log_mel", "both"]))
    assert len(found.splitlines()) == 1


@pytest.mark.parametrize(
    ("changes", "model", "said"),
    [
        (
            [PICTURE, SHADE, "features.shown={kind: rendered, of: log_mel, height: 8, width: 6}",
             joined("pictures", ["shade", "shown"])],
            "{feature: both, network: {type: cnn2d}, training: {augmentation: [{type: %s}]}}",
            {"rand_augment": "rand_augment is for grey or colour pictures; both has several",
             "gain": "gain is for waves; both is of kind joined_pictures", "affine": ""},
        ),
        (
            [CHROMA, joined("spectra", ["log_mel", "chroma"], along="bins")],
            "{feature: both, network: {type: cnn2d}, training: {augmentation: [{type: %s}]}}",
            {"frequency_mask": "", "time_mask": "", "flip": "flip is for pictures, films; both"},
        ),
        (
            [joined("vectors", ["wave", "trace"])],
            "{feature: both, network: {type: dense}, training: {augmentation: [{type: %s}]}}",
            {"mix_up": "", "time_shift": "time_shift is for waves, spectra, films; both"},
        ),
    ],
)  # fmt: skip
def test_augmentations_know_what_a_joined_feature_is(place, changes, model, said):
    for change, message in said.items():
        override = f"models.cnn={model % change}"
        if message:
            assert message in problem(place, *changes, override)
        else:
            load(place[0], [*changes, override])


def test_normalisation_of_joined_spectra_is_by_bin_unless_said(place):
    tall = CHROMA, joined("spectra", ["log_mel", "chroma"], along="bins")
    study = load(place[0], [*tall, "models.cnn.feature=both", "models.svm.feature=both",
                            "models.svm.normalise=channel"])  # fmt: skip
    assert study.normalisation(study.models["cnn"]) == "bin"
    assert study.normalisation(study.models["svm"]) == "channel"


def test_preview_and_inspect_show_each_part(place, capsys):
    both = joined("spectra", ["log_mel", "chroma"], along="bins")
    study = [str(place[0]), "--set", CHROMA, "--set", both]
    assert main(["preview", *study, "--recordings", "3"]) == 0
    page = (place[1].folder / "preview.html").read_text()
    assert "Joined rows: 16 of log_mel of audio, 12 of chroma of audio." in page
    for verb in (
        ["check"],
        ["split"],
        *(["extract", "--feature", f] for f in ("log_mel", "chroma", "both")),
    ):
        assert main([verb[0], *study, *verb[1:]]) == 0
    (file,) = (place[1].results / "features").glob("joined_spectra-*.h5")
    capsys.readouterr()
    assert main(["inspect", str(file)]) == 0
    printed = capsys.readouterr().out
    assert "rows: 16 of log_mel of audio, 12 of chroma of audio" in printed
    assert "1 × 28 × 8 (channels × rows × frames)" in printed
    assert all(text in printed for text in ("of (1):", "of (2):", "kind: chroma"))
