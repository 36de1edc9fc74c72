"""Statistics as features: what they say of each recording, and of what part of it."""

import numpy as np
import pytest

from deepself.cli import main
from deepself.errors import UserError
from deepself.store.features import FeatureFile
from deepself.store.files import read_json
from deepself.study import Layout, load
from deepself.study.identity import feature_file
from tests.tiny import make_study

MFCC = {"kind": "mfcc", "modality": "audio", "n_fft": 128, "hop_length": 64, "n_mels": 16}
RATE = {"kind": "zero_crossing_rate", "modality": "audio", "frame_length": 128, "hop_length": 64}
CHANGES = {
    "features__mfcc": {**MFCC, "n_mfcc": 6},
    "features__crossings": RATE,
    "features__shape": {"kind": "statistics", "of": "mfcc"},
    "features__rate": {"kind": "statistics", "of": "crossings", "statistics": ["greatest"]},
    "features__classic": {"kind": "joined_vectors", "of": ["shape", "rate"]},
    "models__forest": {"feature": "classic", "classifier": {"type": "random_forest", "trees": 30}},
}


@pytest.fixture
def study(tmp_path, monkeypatch):
    """The tiny study with features that are statistics, split."""
    monkeypatch.chdir(tmp_path)
    file = make_study(tmp_path, **CHANGES)
    for verb in ("check", "split"):
        assert main([verb, str(file)]) == 0
    return file


def made(study, *names):
    """The items of features, each made."""
    for name in names:
        assert main(["extract", str(study), "--feature", name]) == 0
    loaded = load(study)
    for name in names:
        layout = Layout(loaded.name, study.parent / "results")
        with FeatureFile(feature_file(loaded, layout, name)) as file:
            yield file.read(file.ids)


def test_mean_and_deviation_of_each_row(study):
    images, found = made(study, "mfcc", "shape")
    assert found.shape == (18, 12)
    rows = [one(images, axis=-1).reshape(len(images), -1) for one in (np.mean, np.std)]
    np.testing.assert_allclose(found, np.concatenate(rows, 1), rtol=1e-4, atol=1e-4)


def test_a_forest_over_joined_statistics_knows_the_pitch(study):
    *_, shape, rate, classic = made(study, "mfcc", "crossings", "shape", "rate", "classic")
    np.testing.assert_array_equal(classic, np.concatenate([shape, rate], 1))
    assert main(["train", str(study), "--model", "forest", "--fold", "1"]) == 0
    record = read_json(study.parent / "results/tiny/runs/forest/fold-1/seed-0/run.json")
    assert record["scores"]["test"]["uar"] == 1


def test_of_a_recording_that_was_filled_up_its_true_length_counts(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    duration = {"seconds": 0.5, "shorter": "mask"}
    file = make_study(tmp_path, **CHANGES, dataset__modalities__audio__duration=duration)
    for verb in ("check", "split"):
        assert main([verb, str(file)]) == 0
    images, found = made(file, "mfcc", "shape")
    assert (images[..., 8:] == 0).all()
    own = images[..., :8].mean(-1).reshape(len(images), -1)
    np.testing.assert_allclose(found[:, :6], own, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ("features.shape.of=mfc", "features.shape.of: unknown feature 'mfc'"),
        ("features.shape.of=rate", "rate is of kind statistics, which is neither a spectral"),
        ("features.shape.statistics=[mean, mean]", "'mean' stands there twice"),
        ("features.shape.statistics=[mode]", "features.shape.statistics"),
        ("features.crossings.frame_length=0", "features.crossings.frame_length"),
    ],
)
def test_wrong_studies_are_named(study, changed, said):
    with pytest.raises(UserError) as error:
        load(study, [changed])
    assert said in str(error.value)
