"""Whatever a fusion decides, it decides on dev: test may say anything."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deepself.fusion.job import fuse
from deepself.store.files import read_json
from deepself.store.predictions import read_predictions, write_predictions
from tests.fusion.making import METHODS, loaded, spoil_test
from tests.synthetic import Plan, build

MEMBERS = {
    "all": "['*']",
    "best": "{best: 3}",
    "best_of_each": "{best: 1, per: modality}",
}


def decided(folder):
    """All that stands in the record but what was measured on test."""
    record = read_json(folder / "fusion.json")
    del record["scores"]["test"]
    return record


@pytest.mark.parametrize("members", MEMBERS)
@pytest.mark.parametrize("method", METHODS)
def test_no_decision_looks_at_test(tmp_path, method, members):
    tree = build(tmp_path, Plan(models=6, groups=True))
    fusion = f"members: {MEMBERS[members]}, method: {METHODS[method]}, temperatures: true"
    study = loaded(tree, f"fusions.all={{{fusion}}}")
    for fold in "13":
        folder = fuse(study, tree.layout, "all", fold, 0)
        before, tested = decided(folder), read_json(folder / "fusion.json")["scores"]["test"]
        said = read_predictions(folder / "predictions.csv").part("dev")
        spoil_test(tree, fold)
        fuse(study, tree.layout, "all", fold, 0)
        assert decided(folder) == before
        assert read_json(folder / "fusion.json")["scores"]["test"] != tested
        dev = read_predictions(folder / "predictions.csv").part("dev")
        assert np.array_equal(dev.probabilities, said.probabilities)


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_no_decision_looks_at_test_whatever_it_says(tmp_path_factory, data):
    tree = build(tmp_path_factory.mktemp("tree"), Plan(models=4), seed=data.draw(st.integers(0, 9)))
    method = data.draw(st.sampled_from(sorted(METHODS)))
    study = loaded(tree, f"fusions.all.method={METHODS[method]}", "fusions.all.temperatures=true")
    folder = fuse(study, tree.layout, "all", "2", 0)
    before = decided(folder)
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    order = None
    for model in study.models:
        path = tree.layout.run(model, "2", 0) / "predictions.csv"
        p = read_predictions(path)
        test = np.flatnonzero(p.partition == "test")
        order = rng.permutation(test) if order is None else order
        p.labels[test] = p.labels[order]
        p.probabilities[test] = rng.permutation(p.probabilities[test])
        write_predictions(path, p)
    fuse(study, tree.layout, "all", "2", 0)
    assert decided(folder) == before


def test_what_dev_says_does_matter(tmp_path):
    """The other way about: the tests above could fail."""
    tree = build(tmp_path, Plan(models=6))
    study = loaded(tree, "fusions.all.method=greedy", "fusions.all.temperatures=true")
    folder = fuse(study, tree.layout, "all", "1", 0)
    before = decided(folder)
    path = tree.layout.run(before["best_member_on_dev"], "1", 0) / "predictions.csv"
    p = read_predictions(path)
    dev = p.partition == "dev"
    p.probabilities[dev] = np.roll(p.probabilities[dev], 1, axis=1)
    write_predictions(path, p)
    fuse(study, tree.layout, "all", "1", 0)
    after = decided(folder)
    for key in ("members_dev_uar", "temperatures", "picks", "best_member_on_dev"):
        assert after[key] != before[key], key
