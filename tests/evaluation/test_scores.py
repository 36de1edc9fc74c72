"""The three tables of a study: right, the same bytes each time, and never of half a study."""

import shutil

import numpy as np
import pytest

from deepself.cli import main
from deepself.errors import UserError
from deepself.evaluation.metrics import uar
from deepself.evaluation.scores import held_out, score_study
from deepself.store.files import read_table
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
    return [path.read_bytes() for path in (layout.scores, layout.confusion, layout.summary)]


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
    for row in read_table(tree.layout.summary):
        own = [
            float(s["uar"])
            for s in scores
            if (s["name"], s["partition"]) == (row["name"], row["partition"])
        ]
        assert float(row["uar_mean"]) == pytest.approx(np.mean(own))
        assert float(row["uar_sd"]) == pytest.approx(np.std(own, ddof=1))
        assert float(row["uar_low"]) <= float(row["uar_mean"]) <= float(row["uar_high"])
        assert int(row["runs"]) == len(own)


def test_the_lead_of_the_best_is_resampled_pair_by_pair(tree):
    rows = read_table(tree.layout.summary)
    test = [row for row in rows if row["partition"] == "test"]
    best = max(test, key=lambda row: float(row["uar_mean"]))
    for row in rows:
        if row is best or row["partition"] == "dev":
            assert (row["diff_low"], row["diff_high"]) == ("", "")
            continue
        low, high = float(row["diff_low"]), float(row["diff_high"])
        lead = float(best["uar_mean"]) - float(row["uar_mean"])
        assert low <= lead <= high
        # What moves both alike does not widen it, as it would without pairs.
        ends = [float(r[end]) for r in (best, row) for end in ("uar_low", "uar_high")]
        assert high - low < ends[1] - ends[0] + ends[3] - ends[2]


def test_of_equals_the_first_is_best_and_leads_the_others_by_nothing(own):
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
    best, *others = [r for r in read_table(layout.summary) if r["partition"] == "test"]
    assert (best["name"], best["diff_low"], best["diff_high"]) == ("picture_cnn", "", "")
    assert {(row["diff_low"], row["diff_high"]) for row in others} == {("0.0", "0.0")}


@pytest.mark.parametrize("groups", [True, False])
def test_units_are_groups_or_else_items(tmp_path, groups):
    tree = build(tmp_path, Plan(groups=groups, models=1))
    parts = held_out(tree.layout)
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
    assert (row["runs"], row["uar_sd"]) == ("1", "")
    assert float(row["uar_low"]) < float(row["uar_high"])


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
