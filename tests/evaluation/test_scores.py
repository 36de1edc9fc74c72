"""The tables of a study's scores: right, the same bytes each time, and never of half a study."""

import shutil

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score

from deepself.cli import main
from deepself.errors import UserError
from deepself.evaluation.metrics import uar
from deepself.evaluation.protocol import protocol
from deepself.evaluation.scores import score_study
from deepself.evaluation.scoring import SCORES
from deepself.store.files import read_table, write_table
from deepself.store.predictions import Predictions, read_predictions, write_predictions
from tests.synthetic import HOSTILE, Plan, build, finish


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    plan = Plan(classes=HOSTILE, seeds=(0, 7), groups=True, hostile_ids=True)
    return finish(build(tmp_path_factory.mktemp("scores"), plan))


@pytest.fixture
def own(tree, tmp_path, monkeypatch):
    """A copy that a test may break."""
    shutil.copytree(tree.layout.results, tmp_path / "results")
    return tree.study, type(tree.layout)(tree.layout.name, tmp_path / "results")


def bytes_of(layout):
    return [path.read_bytes() for path in layout.score_tables]


def test_the_same_predictions_give_the_same_bytes(own):
    study, layout = own
    before = bytes_of(layout)
    score_study(study, layout)
    assert bytes_of(layout) == before


def test_one_row_a_system_fold_seed_and_partition(tree):
    rows = read_table(tree.layout.scores)
    keys = {(r["name"], r["fold"], r["seed"], r["partition"]) for r in rows}
    assert len(rows) == len(keys) == (4 + 2) * 3 * 2 * 2


def test_a_score_is_that_of_its_predictions(tree):
    predictions = read_predictions(tree.layout.run("wave_cnn", "2", 7) / "predictions.csv")
    part = predictions.part("test")
    (row,) = [
        r
        for r in read_table(tree.layout.scores)
        if [r[k] for k in ("name", "fold", "seed", "partition")] == ["wave_cnn", "2", "7", "test"]
    ]
    assert float(row["uar"]) == uar(part.true, part.predicted, 3)
    assert int(row["items"]) == len(part.ids)


def test_the_summary_is_mean_and_spread_of_the_scores(tree):
    scores = read_table(tree.layout.scores)
    rows = [row for row in read_table(tree.layout.summary) if row["kind"] != "chance"]
    assert len(rows) == (4 + 2) * 2 * len(SCORES)
    for row in rows:
        own = [
            float(s[row["score"]])
            for s in scores
            if (s["name"], s["partition"]) == (row["name"], row["partition"])
        ]
        assert float(row["mean"]) == pytest.approx(np.mean(own))
        assert float(row["sd"]) == pytest.approx(np.std(own, ddof=1))
        # Not symmetric, and of a score that is bent, such as the calibration error, not centred.
        assert float(row["low"]) < float(row["high"])
        if row["score"] in ("uar", "accuracy", "log_loss", "brier"):
            assert float(row["low"]) <= float(row["mean"]) <= float(row["high"])
        assert int(row["runs"]) == len(own)


def test_chance_stands_in_the_summary(tree):
    rows = {
        row["name"]: row
        for row in read_table(tree.layout.summary)
        if (row["kind"], row["partition"], row["score"]) == ("chance", "test", "uar")
    }
    assert float(rows["majority"]["mean"]) == pytest.approx(1 / 3)
    assert float(rows["random"]["low"]) < 1 / 3 < float(rows["random"]["high"])


def test_recalls_of_the_classes_have_the_uar_as_their_mean(tree):
    recalls = {}
    for row in read_table(tree.layout.class_scores):
        key = (row["name"], row["fold"], row["seed"], row["partition"])
        recalls.setdefault(key, []).append(float(row["recall"]))
    for row in read_table(tree.layout.scores):
        own = recalls[row["name"], row["fold"], row["seed"], row["partition"]]
        assert float(row["uar"]) == pytest.approx(np.mean(own))
    summary = [row for row in read_table(tree.layout.class_summary) if row["score"] == "recall"]
    assert len(summary) == 6 * 2 * 3
    for row in summary:
        own = [r[HOSTILE.index(row["label"])] for k, r in recalls.items() if k[0] == row["name"]]
        assert 0 <= float(row["low"]) <= float(row["high"]) <= 1
        assert min(own) <= float(row["mean"]) <= max(own)


def test_bins_of_reliability_hold_every_item(tree):
    items = {}
    for row in read_table(tree.layout.reliability):
        key = (row["name"], row["partition"])
        items[key] = items.get(key, 0) + int(row["items"])
        assert (int(row["bin"]) - 1) / 15 <= float(row["confidence"]) <= int(row["bin"]) / 15
    scores = read_table(tree.layout.scores)
    for (name, partition), count in items.items():
        assert count == sum(
            int(s["items"]) for s in scores if (s["name"], s["partition"]) == (name, partition)
        )


def test_a_class_that_a_fold_lacks_is_left_out_and_said(own):
    study, layout = own
    column, label = "fold-2", HOSTILE[0]
    rows = read_table(layout.folds)
    for row in rows:
        if row["label"] == label and row[column] == "test":
            row[column] = "train"
    write_table(layout.folds, list(rows[0]), [list(row.values()) for row in rows])
    for name in [*study.models, *study.fusions]:
        place = layout.fusion if name in study.fusions else layout.run
        for seed in study.seeds:
            path = place(name, "2", seed) / "predictions.csv"
            p = read_predictions(path)
            gone = (p.partition == "test") & (p.labels == label)
            write_predictions(path, rows_of(p, np.flatnonzero(~gone)))
    score_study(study, layout)
    for row in read_table(layout.scores):
        lacks = (row["fold"], row["partition"]) == ("2", "test")
        assert row["absent"] == ("1" if lacks else "0")
        predictions = read_predictions(
            (layout.fusion if row["kind"] == "fusion" else layout.run)(
                row["name"], row["fold"], int(row["seed"])
            )
            / "predictions.csv"
        ).part(row["partition"])
        expected = balanced_accuracy_score(predictions.true, predictions.predicted)
        assert float(row["uar"]) == pytest.approx(expected)
    empty = [
        row
        for row in read_table(layout.class_scores)
        if (row["fold"], row["partition"], row["label"]) == ("2", "test", label)
    ]
    assert {(row["items"], row["recall"]) for row in empty} == {("0", "")}
    means = [
        row
        for row in read_table(layout.class_summary)
        if (row["partition"], row["label"], row["score"]) == ("test", label, "recall")
    ]
    assert all(row["mean"] and row["low"] for row in means)


def test_pairs_are_resampled_together(tree):
    summary = {
        row["name"]: row
        for row in read_table(tree.layout.summary)
        if (row["partition"], row["score"]) == ("test", "uar")
    }
    pairs = read_table(tree.layout.comparisons)
    assert len(pairs) == 6 * 5 // 2
    for pair in pairs:
        first, second = summary[pair["first"]], summary[pair["second"]]
        difference, low, high = (float(pair[k]) for k in ("difference", "low", "high"))
        assert difference == pytest.approx(float(first["mean"]) - float(second["mean"]))
        assert low <= difference <= high
        # What moves both alike does not widen it, as it would without pairs.
        ends = [float(row[end]) for row in (first, second) for end in ("low", "high")]
        assert high - low < ends[1] - ends[0] + ends[3] - ends[2]
        assert pair["apart"] == ("yes" if float(pair["p_bootstrap_holm"]) < 0.05 else "no")
        for test in ("p_bootstrap", "p_t", "p_mcnemar"):
            assert float(pair[test]) <= float(pair[f"{test}_holm"]) <= 1


def test_equal_predictions_cannot_be_told_apart(own):
    """Pairs of one resample are equal; those of two would differ."""
    study, layout = own
    for fold in "123":
        for seed in (0, 7):
            source = layout.run("log_mel_cnn", fold, seed) / "predictions.csv"
            predictions = read_predictions(source)
            for name in [*study.models, *study.fusions]:
                place = layout.fusion if name in study.fusions else layout.run
                write_predictions(place(name, fold, seed) / "predictions.csv", predictions)
    score_study(study, layout)
    for pair in read_table(layout.comparisons):
        assert [float(pair[k]) for k in ("difference", "low", "high")] == [0, 0, 0]
        assert [float(pair[f"p_{k}_holm"]) for k in ("bootstrap", "t", "mcnemar")] == [1, 1, 1]
        assert pair["apart"] == "no"


@pytest.mark.parametrize("groups", [True, False])
def test_units_are_groups_or_else_items(tmp_path, groups):
    tree = build(tmp_path, Plan(groups=groups, models=1))
    parts = protocol(tree.layout).truth
    assert [len(set(parts[fold, "test"].units)) for fold in "123"] == (
        [3, 3, 2] if groups else [18, 15, 15]
    )
    assert {len(part.ids) - len(part.units) for part in parts.values()} == {0}


def test_confusion_counts_every_item_once_a_run(tree):
    total = sum(int(row["count"]) for row in read_table(tree.layout.confusion))
    assert total == sum(int(row["items"]) for row in read_table(tree.layout.scores))


def test_order_of_rows_in_predictions_does_not_matter(own):
    study, layout = own
    before = bytes_of(layout)
    path = layout.run("log_mel_cnn", "1", 0) / "predictions.csv"
    p = read_predictions(path)
    order = np.random.default_rng(0).permutation(len(p.ids))
    write_predictions(path, rows_of(p, order))
    score_study(study, layout)
    assert bytes_of(layout) == before


def test_every_missing_run_is_named(own):
    study, layout = own
    (layout.run("wave_cnn", "2", 7) / "predictions.csv").unlink()
    (layout.fusion("all", "3", 0) / "predictions.csv").unlink()
    layout.summary.unlink()
    with pytest.raises(UserError) as error:
        score_study(study, layout)
    first, second = str(error.value).splitlines()
    assert first.startswith("model wave_cnn, fold 2, seed 7: ")
    assert second.startswith("fusion all, fold 3, seed 0: ")
    assert not layout.summary.exists()


def test_predictions_of_other_items_are_refused(own):
    study, layout = own
    path = layout.run("wave_cnn", "2", 7) / "predictions.csv"
    write_predictions(path, read_predictions(layout.run("wave_cnn", "1", 7) / "predictions.csv"))
    with pytest.raises(UserError, match=r"wave_cnn.fold-2.*items of its fold"):
        score_study(study, layout)


def test_diverged_predictions_are_refused(own):
    study, layout = own
    path = layout.run("wave_cnn", "2", 7) / "predictions.csv"
    p = read_predictions(path)
    nan = np.full_like(p.probabilities, np.nan)
    write_predictions(path, Predictions(p.partition, p.ids, p.labels, p.classes, nan))
    with pytest.raises(UserError, match=r"wave_cnn.*not finite"):
        score_study(study, layout)


def test_changed_labels_are_refused(own):
    study, layout = own
    path = layout.run("wave_cnn", "2", 7) / "predictions.csv"
    p = read_predictions(path)
    labels = np.roll(p.labels, 1)
    write_predictions(path, Predictions(p.partition, p.ids, labels, p.classes, p.probabilities))
    with pytest.raises(UserError, match=r"wave_cnn.*label of"):
        score_study(study, layout)


def test_one_run_has_an_interval_but_no_spread(tmp_path):
    tree = build(tmp_path, Plan(folds=3))
    dataset = tree.layout.dataset
    dataset.write_text(dataset.read_text().replace('"1",\n    "2",\n    "3"', '"1"'))
    finish(tree)
    row = read_table(tree.layout.summary)[0]
    assert (row["score"], row["runs"], row["sd"]) == ("uar", "1", "")
    assert float(row["low"]) < float(row["high"])
    (pair, *_) = read_table(tree.layout.comparisons)
    assert (pair["t"], pair["p_t"], pair["p_t_holm"]) == ("", "", "")
    assert pair["p_bootstrap"]


def test_verb_names_the_best(tmp_path, monkeypatch, capsys):
    tree = build(tmp_path, Plan(skill={"wave_cnn": 20.0}))
    monkeypatch.chdir(tmp_path)
    for fold in "123":
        for fusion in ("all", "best_of_each"):
            command = ["fuse", str(tree.path), "--fusion", fusion, "--fold", fold, "--seed", "0"]
            assert main(command) == 0
    assert main(["score", str(tree.path)]) == 0
    line = capsys.readouterr().out.splitlines()[-1]
    assert line.startswith("results/made_up/summary.csv: best mean test UAR 1.000")
    assert "wave_cnn" in line


def rows_of(p, order):
    return Predictions(
        p.partition[order], p.ids[order], p.labels[order], p.classes, p.probabilities[order]
    )
