"""Fusion: an exact mean, of the right items, chosen without a look at test."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deepself.cli import main
from deepself.errors import UserError
from deepself.fusion.choose import best_per_modality, dev_uar
from deepself.fusion.combine import mean
from deepself.fusion.job import fuse
from deepself.store.files import read_json
from deepself.store.predictions import Predictions, read_predictions, write_predictions
from tests.synthetic import Plan, build

CLASSES = ("a", "b", "c")


def made(seed, items=20):
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.ones(3), items)
    ids = np.array([f"i{i}" for i in range(items)], dtype=object)
    labels = np.array([CLASSES[i % 3] for i in range(items)], dtype=object)
    partition = np.array(["dev", "test"] * (items // 2), dtype=object)
    return Predictions(partition, ids, labels, CLASSES, probabilities)


def permuted(p, rows, columns=(0, 1, 2)):
    classes = tuple(p.classes[c] for c in columns)
    probabilities = p.probabilities[rows][:, list(columns)]
    return Predictions(p.partition[rows], p.ids[rows], p.labels[rows], classes, probabilities)


def with_(p, **changes):
    names = ("partition", "ids", "labels", "classes", "probabilities")
    return Predictions(*(changes.get(name, getattr(p, name)) for name in names))


def test_the_mean_is_exact():
    one, two = made(1), made(2)
    fused = mean({"one": one, "two": two})
    assert np.array_equal(fused.probabilities, (one.probabilities + two.probabilities) / 2)
    assert fused.ids.tolist() == one.ids.tolist()
    assert fused.partition.tolist() == one.partition.tolist()


def test_a_fusion_of_one_is_that_one():
    assert np.array_equal(mean({"one": made(1)}).probabilities, made(1).probabilities)


@settings(deadline=None)
@given(st.permutations(range(20)), st.permutations(range(3)))
def test_order_of_items_and_classes_does_not_matter(rows, columns):
    one, two = made(1), made(2)
    shuffled = mean({"one": one, "two": permuted(two, rows, columns)})
    assert np.array_equal(shuffled.probabilities, mean({"one": one, "two": two}).probabilities)


def misfits():
    p = made(2)
    moved, renamed, other = p.partition.copy(), p.ids.copy(), p.labels.copy()
    moved[3], renamed[4], other[5] = "dev", "stranger", "a"
    broken = p.probabilities.copy()
    broken[0, 0] = np.nan
    return [
        (with_(p, partition=moved), r"two: items differ from those of one: i3"),
        (with_(p, ids=renamed), r"two: items differ from those of one: i4 .*stranger"),
        (with_(p, labels=other), r"two: labels differ from those of one: i5"),
        (with_(p, classes=("a", "b", "z")), r"two: classes differ from those of one: c, z"),
        (with_(p, probabilities=broken), r"two: .*not finite"),
        (permuted(p, list(range(19))), r"two: items differ from those of one: i19"),
        (permuted(p, [*range(20), 0]), r"two: an item stands twice"),
    ]


@pytest.mark.parametrize(("member", "message"), misfits())
def test_a_misfit_is_named(member, message):
    with pytest.raises(UserError, match=message):
        mean({"one": made(1), "two": member})


def test_of_each_modality_the_best_on_dev():
    modalities = {"p": "audio", "q": "picture", "r": "audio", "s": "picture"}
    chosen = best_per_modality({"p": 0.4, "q": 0.9, "r": 0.5, "s": 0.8}, modalities)
    assert chosen == ["q", "r"]


def test_of_equals_the_first():
    assert best_per_modality({"p": 0.5, "q": 0.5}, {"p": "m", "q": "m"}) == ["p"]
    assert best_per_modality({"q": 0.5, "p": 0.5}, {"p": "m", "q": "m"}) == ["q"]


def test_dev_uar_looks_at_dev_alone():
    p = made(3)
    flipped = p.probabilities.copy()
    flipped[p.partition == "test"] = flipped[p.partition == "test"][:, ::-1]
    assert dev_uar({"m": p}) == dev_uar({"m": with_(p, probabilities=flipped)})


def spoil_test(tree, fold):
    """Shuffle labels and probabilities of the test partition of every run of a fold."""
    rng = np.random.default_rng(9)
    order = None
    for model in tree.study.models:
        path = tree.layout.run(model, fold, 0) / "predictions.csv"
        p = read_predictions(path)
        test = np.flatnonzero(p.partition == "test")
        order = rng.permutation(len(test)) if order is None else order  # labels stay common
        labels, probabilities = p.labels.copy(), p.probabilities.copy()
        labels[test] = labels[test][order]
        probabilities[test] = probabilities[test][:, rng.permutation(3)]
        write_predictions(path, with_(p, labels=labels, probabilities=probabilities))


def test_the_choice_is_blind_to_test(tmp_path):
    tree = build(tmp_path, Plan(models=8))
    before = {
        fold: read_json(fuse(tree.study, tree.layout, "best_of_each", fold, 0) / "fusion.json")
        for fold in "123"
    }
    for fold in "123":
        spoil_test(tree, fold)
        after = read_json(fuse(tree.study, tree.layout, "best_of_each", fold, 0) / "fusion.json")
        assert after["chosen"] == before[fold]["chosen"]
        assert after["members_dev_uar"] == before[fold]["members_dev_uar"]
        assert after["scores"]["dev"] == before[fold]["scores"]["dev"]
        assert after["scores"]["test"] != before[fold]["scores"]["test"]


def test_one_member_a_modality_is_recorded(tmp_path):
    tree = build(tmp_path, Plan(skill={"picture_cnn": 0.0, "deep_svm": 8.0, "log_mel_cnn": 8.0}))
    record = read_json(fuse(tree.study, tree.layout, "best_of_each", "1", 0) / "fusion.json")
    assert record["chosen"] == ["log_mel_cnn", "deep_svm"]  # deep is made from the picture
    assert record["members"] == list(tree.study.models)
    assert record["best_member_on_dev"] in record["chosen"]


def test_a_member_that_was_not_trained_is_named(tmp_path, monkeypatch, capsys):
    tree = build(tmp_path)
    (tree.layout.run("wave_cnn", "2", 0) / "predictions.csv").unlink()
    monkeypatch.chdir(tmp_path)
    command = ["fuse", str(tree.path), "--fusion", "all", "--seed", "0", "--fold"]
    assert main([*command, "2"]) == 1
    assert "wave_cnn, fold 2, seed 0" in capsys.readouterr().err
    assert not tree.layout.fusion("all", "2", 0).exists()
    assert main([*command, "9"]) == 1
    assert "unknown fold '9'" in capsys.readouterr().err


def test_verb_says_what_was_fused(tmp_path, monkeypatch, capsys):
    tree = build(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert main(["fuse", str(tree.path), "--fusion", "all", "--fold", "1", "--seed", "0"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("results/made_up/fusions/all/fold-1/seed-0: picture_cnn + log_mel_cnn")
    assert "test UAR" in out
