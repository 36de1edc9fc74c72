"""An exported bundle gives the predictions of its study, for whatever it is made of."""

import numpy as np
import pytest

import deepself
from deepself.inference.answers import Asked
from tests.inference.studies import FUSIONS, models
from tests.studying import probabilities

MANY = [("model", name) for name in models()] + [("fusion", name) for name in FUSIONS]
LOUD = [("model", name) for name in ("mobilenet", "cnn6", "wave")]


def assert_same(finished, kind, name, *options, seed=0):
    bundle = deepself.load(finished.export(kind, name, *options), device="cpu")
    for fold in finished.folds:
        wanted = finished.test_predictions(kind, name, fold, seed)
        sources = [
            {m: files[m] for m in bundle.spec.modalities} for files in finished.files(wanted.ids)
        ]
        pairs = zip(wanted.ids, sources, strict=True)
        found = probabilities(bundle.stream(pairs, Asked(fold=fold)))
        np.testing.assert_allclose(found, wanted.probabilities, rtol=0, atol=1e-5)


@pytest.mark.parametrize(("kind", "name"), MANY)
def test_of_three_modalities(many, kind, name):
    pooled = kind == "fusion" and "over" in FUSIONS[name] and "seeds" in FUSIONS[name]["over"]
    assert_same(many, kind, name, *([] if pooled else ["--seed", "0"]))


def test_of_another_seed(many):
    assert_same(many, "fusion", "stacked", "--seed", "1", seed=1)


@pytest.mark.parametrize(("kind", "name"), LOUD)
def test_of_sound(loud, kind, name):
    assert_same(loud, kind, name)


def test_all_folds_and_seeds_answer_by_their_mean(many):
    bundle = deepself.load(many.export("model", "windowed"))
    assert len(bundle.spec.parts) == 6
    files = many.files(["low-0", "noise-3"])
    pairs = [(str(number), one["audio"]) for number, one in enumerate(files)]
    each = [probabilities(bundle.stream(pairs, Asked(fold=fold))) for fold in many.folds]
    together = probabilities(bundle.stream(pairs))
    np.testing.assert_allclose(together, np.mean(each, axis=0), atol=1e-12)
    assert np.abs(each[0] - each[1]).max() > 1e-3
