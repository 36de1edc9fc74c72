"""Fusion: of the right items, chosen without a look at test, and written down."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deepself.cli import main
from deepself.errors import UserError
from deepself.fusion.choose import best_of_each, dev_uar
from deepself.fusion.combine import align
from deepself.fusion.job import fuse
from deepself.fusion.rules import mean
from deepself.store.files import read_json
from deepself.store.predictions import Predictions, read_predictions
from deepself.study import fusions
from tests.fusion.making import METHODS, loaded, made
from tests.synthetic import Plan, build


def fused(members):
    aligned = align(members)
    return aligned.fused(mean(aligned.probabilities))


def permuted(p, rows, columns=(0, 1, 2)):
    classes = tuple(p.classes[c] for c in columns)
    probabilities = p.probabilities[rows][:, list(columns)]
    return Predictions(p.partition[rows], p.ids[rows], p.labels[rows], classes, probabilities)


def test_the_mean_is_exact():
    one, two = made(1), made(2)
    both = fused({"one": one, "two": two})
    assert np.array_equal(both.probabilities, (one.probabilities + two.probabilities) / 2)
    assert both.ids.tolist() == one.ids.tolist()
    assert both.partition.tolist() == one.partition.tolist()


def test_a_fusion_of_one_is_that_one():
    assert np.array_equal(fused({"one": made(1)}).probabilities, made(1).probabilities)


@settings(deadline=None)
@given(st.permutations(range(20)), st.permutations(range(3)))
def test_order_of_items_and_classes_does_not_matter(rows, columns):
    one, two = made(1), made(2)
    shuffled = fused({"one": one, "two": permuted(two, rows, columns)})
    assert np.array_equal(shuffled.probabilities, fused({"one": one, "two": two}).probabilities)


def misfits():
    p = made(2)
    moved, renamed, other = p.partition.copy(), p.ids.copy(), p.labels.copy()
    moved[3], renamed[4], other[5] = "dev", "stranger", "a"
    broken = p.probabilities.copy()
    broken[0, 0] = np.nan
    return [
        (replace(p, partition=moved), r"two: items differ from those of one: i3"),
        (replace(p, ids=renamed), r"two: items differ from those of one: i4 .*stranger"),
        (replace(p, labels=other), r"two: labels differ from those of one: i5"),
        (replace(p, classes=("a", "b", "z")), r"two: classes differ from those of one: c, z"),
        (replace(p, probabilities=broken), r"two: .*not finite"),
        (permuted(p, list(range(19))), r"two: items differ from those of one: i19"),
        (permuted(p, [*range(20), 0]), r"two: an item stands twice"),
    ]


@pytest.mark.parametrize(("member", "message"), misfits())
def test_a_misfit_is_named(member, message):
    with pytest.raises(UserError, match=message):
        align({"one": made(1), "two": member})


def test_of_each_kind_the_best_on_dev():
    modalities = {"p": "audio", "q": "picture", "r": "audio", "s": "picture", "t": "audio"}
    scores = {"p": 0.4, "q": 0.9, "r": 0.5, "s": 0.8, "t": 0.3}
    assert best_of_each(scores, 1, modalities) == ["q", "r"]
    assert best_of_each(scores, 2, modalities) == ["p", "q", "r", "s"]
    assert best_of_each(scores, 3, modalities) == list("pqrst")
    assert best_of_each(scores, 3) == ["q", "r", "s"]


def test_of_equals_the_first():
    assert best_of_each({"p": 0.5, "q": 0.5}, 1) == ["p"]
    assert best_of_each({"q": 0.5, "p": 0.5}, 1) == ["q"]


def test_dev_uar_looks_at_dev_alone():
    p = made(3)
    flipped = p.probabilities.copy()
    flipped[p.partition == "test"] = flipped[p.partition == "test"][:, ::-1]
    assert dev_uar(align({"m": p})) == dev_uar(align({"m": replace(p, probabilities=flipped)}))


def test_one_member_a_modality_is_recorded(tmp_path):
    tree = build(tmp_path, Plan(skill={"picture_cnn": 0.0, "deep_svm": 8.0, "log_mel_cnn": 8.0}))
    record = read_json(fuse(tree.study, tree.layout, "best_of_each", "1", 0) / "fusion.json")
    assert record["chosen"] == ["log_mel_cnn", "deep_svm"]  # deep is made from the picture
    assert record["members"] == list(tree.study.models)
    assert record["best_member_on_dev"] in record["chosen"]


def test_every_method_is_tested():
    assert set(METHODS) == set(fusions.METHODS)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_writes_what_was_decided(tmp_path, method):
    tree = build(tmp_path, Plan(groups=True))
    study = loaded(tree, f"fusions.all.method={METHODS[method]}", "fusions.all.temperatures=true")
    folder = fuse(study, tree.layout, "all", "2", 0)
    record = read_json(folder / "fusion.json")
    written = read_predictions(folder / "predictions.csv")
    members = list(study.models)
    assert record["method"] == record["specification"]["method"]["type"] == method
    assert record["members"] == list(record["members_dev_uar"]) == members
    assert record["best_member_on_dev"] == max(members, key=record["members_dev_uar"].get)
    assert list(record["temperatures"]) == members
    assert set(record["chosen"]) <= set(members)
    assert set(record["scores"]) == {"dev", "test"}
    assert np.allclose(written.probabilities.sum(axis=1), 1)
    if method in ("greedy", "weighted_mean"):
        assert list(record["weights"]) == record["chosen"]
        assert sum(record["weights"].values()) == pytest.approx(1)
    else:
        assert "weights" not in record
    if method == "greedy":
        counts = {name: record["picks"].count(name) for name in record["chosen"]}
        assert record["counts"] == counts
        total = len(record["picks"])
        assert record["weights"] == pytest.approx({n: c / total for n, c in counts.items()})
    if method == "stacking":
        assert record["stacking"]["complexity"] in (0.01, 1)
        assert record["stacking"]["classes"] == list(written.classes)
        assert np.shape(record["stacking"]["coefficients"]) == (3, 3 * len(members))


@pytest.mark.parametrize("method", METHODS)
def test_the_same_predictions_give_the_same_bytes(tmp_path, method):
    tree = build(tmp_path)
    study = loaded(tree, f"fusions.all.method={METHODS[method]}", "fusions.all.temperatures=true")
    folder = tree.layout.fusion("all", "1", 0)
    files = []
    for _ in range(2):
        fuse(study, tree.layout, "all", "1", 0)
        files.append([(folder / name).read_bytes() for name in ("fusion.json", "predictions.csv")])
    assert files[0] == files[1]


def test_given_weights_are_used(tmp_path):
    tree = build(tmp_path)
    weights = "{picture_cnn: 3, log_mel_cnn: 1, wave_cnn: 0, deep_svm: 0}"
    study = loaded(tree, f"fusions.all.method={{type: weighted_mean, weights: {weights}}}")
    folder = fuse(study, tree.layout, "all", "1", 0)
    record = read_json(folder / "fusion.json")
    probabilities = read_predictions(folder / "predictions.csv").probabilities
    assert record["chosen"] == ["picture_cnn", "log_mel_cnn"]
    assert record["weights"] == {"picture_cnn": 0.75, "log_mel_cnn": 0.25}
    runs = [tree.layout.run(name, "1", 0) / "predictions.csv" for name in record["chosen"]]
    one, two = (read_predictions(path).probabilities for path in runs)
    assert np.allclose(probabilities, (3 * one + two) / 4)
    in_order = loaded(
        tree,
        "fusions.all={members: [log_mel_cnn, picture_cnn], "
        "method: {type: weighted_mean, weights: [1, 3]}}",
    )
    folder = fuse(in_order, tree.layout, "all", "1", 0)
    assert np.array_equal(read_predictions(folder / "predictions.csv").probabilities, probabilities)


def test_members_that_all_weigh_nothing_are_an_error(tmp_path):
    skill = {"picture_cnn": 8.0, "log_mel_cnn": 0.0, "wave_cnn": 0.0, "deep_svm": 0.0}
    tree = build(tmp_path, Plan(skill=skill))
    weights = "{picture_cnn: 0, log_mel_cnn: 1, wave_cnn: 0, deep_svm: 0}"
    method = f"{{type: weighted_mean, weights: {weights}}}"
    study = loaded(tree, "fusions.all.members={best: 1}", f"fusions.all.method={method}")
    with pytest.raises(UserError, match="fusion all, fold 1, seed 0: all members .* weight 0"):
        fuse(study, tree.layout, "all", "1", 0)


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
    tree = build(tmp_path, Plan(models=6))
    monkeypatch.chdir(tmp_path)
    command = ["fuse", str(tree.path), "--fold", "1", "--seed", "0", "--fusion"]
    assert main([*command, "best_of_each"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("results/made_up/fusions/best_of_each/fold-1/seed-0: mean of ")
    assert " + " in out and "test UAR" in out
    assert main([*command, "all"]) == 0
    assert "seed-0: mean of 6 of 6 candidates: dev UAR" in capsys.readouterr().out


def test_record_is_plain_json(tmp_path):
    tree = build(tmp_path)
    study = loaded(tree, "fusions.all.method=stacking", "fusions.all.temperatures=true")
    text = (fuse(study, tree.layout, "all", "1", 0) / "fusion.json").read_text()
    assert "NaN" not in text and isinstance(json.loads(text), dict)
