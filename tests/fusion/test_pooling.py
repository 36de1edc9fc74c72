"""Fusions over seeds, folds and snapshots."""

from dataclasses import replace

import numpy as np
import pytest

from deepself.cli import main
from deepself.errors import UserError
from deepself.evaluation.results import require_complete, results
from deepself.fusion.across_folds import require_unseen
from deepself.fusion.job import fuse
from deepself.graph import Graph
from deepself.store.files import read_json, read_table, write_table
from deepself.store.predictions import read_predictions, write_predictions
from deepself.study.load import read_yaml
from tests.fusion.making import loaded, partitions
from tests.synthetic import Plan, Tree, build, finish


def snapshots_of(model):
    """Settings with which a model keeps snapshots."""
    schedule = "{type: cosine, cycles: 3}"
    return f"models.{model}.training={{epochs: 9, snapshots: true, schedule: {schedule}}}"


def pooled(tree, *over, **settings):
    """The study with its fusion `all` over seeds, folds or snapshots, past the parser's checks."""
    fusion = tree.study.fusions["all"].model_copy(update={"over": list(over), **settings})
    return tree.study.model_copy(update={"fusions": {"all": fusion}})


def mean_of(paths):
    return np.mean([read_predictions(path).probabilities for path in paths], axis=0)


def record_of(folder):
    return read_json(folder / "fusion.json")


# Seeds.


@pytest.fixture
def seeded(tmp_path):
    tree = build(tmp_path, Plan(seeds=(3, 1, 2)))
    return Tree(tree.path, loaded(tree, "fusions.all.over=[seeds]"), tree.layout)


def test_all_seeds_are_pooled_under_the_first(seeded):
    folder = fuse(seeded.study, seeded.layout, "all", "2", 3)
    assert folder == seeded.layout.fusion("all", "2", 3)
    record = record_of(folder)
    models = list(seeded.study.models)
    assert record["members"] == [f"{m} seed {s}" for m in models for s in (3, 1, 2)]
    runs = [seeded.layout.run(m, "2", s) / "predictions.csv" for m in models for s in (3, 1, 2)]
    found = read_predictions(folder / "predictions.csv")
    assert np.allclose(found.probabilities, mean_of(runs))
    with pytest.raises(UserError, match="fusion all pools all seeds: its result is that of seed 3"):
        fuse(seeded.study, seeded.layout, "all", "2", 1)


def test_results_and_jobs_know_the_first_seed_alone(seeded, monkeypatch):
    found = [(r.name, r.fold, r.seed) for r in results(seeded.study, seeded.layout)]
    assert [key for key in found if key[0] == "all"] == [("all", f, 3) for f in "123"]
    assert len([key for key in found if key[0] == "best_of_each"]) == 9
    finish(seeded)
    assert len(require_complete(seeded.study, seeded.layout)) == 4 * 9 + 3 + 9
    rows = [row for row in read_table(seeded.layout.scores) if row["name"] == "all"]
    assert {row["seed"] for row in rows} == {"3"}

    monkeypatch.chdir(seeded.path.parent)
    content = read_yaml(seeded.path)
    content["fusions"]["all"]["over"] = ["seeds"]
    content["dataset"]["root"] = "data/demo"  # whose manifest need not be there yet
    graph = Graph(content)
    assert graph.fusions().count(graph.layout.fusion("all", "2", 3)) == 1
    assert graph.layout.fusion("all", "2", 1) not in graph.fusions()
    assert set(graph.predictions_of_members("all", "2", "3")) == {
        graph.layout.run(m, "2", s) / "predictions.csv"
        for m in graph.study.models
        for s in (3, 1, 2)
    }
    assert set(graph.predictions_of_members("best_of_each", "2", "1")) == {
        graph.layout.run(m, "2", 1) / "predictions.csv" for m in graph.study.models
    }


def test_one_model_with_several_seeds_is_enough(seeded):
    study = loaded(seeded, "fusions.all={members: [wave_cnn], over: [seeds], method: greedy}")
    record = record_of(fuse(study, seeded.layout, "all", "1", 3))
    assert record["members"] == [f"wave_cnn seed {s}" for s in (3, 1, 2)]
    assert set(record["chosen"]) <= set(record["members"])


def test_the_best_are_chosen_among_all_seeds(seeded):
    study = loaded(seeded, "fusions.all={members: {best: 2, per: modality}, over: [seeds]}")
    record = record_of(fuse(study, seeded.layout, "all", "1", 3))
    assert len(record["members"]) == 12
    uars = record["members_dev_uar"]
    for modality in ("picture", "audio"):
        own = [m for m in study.models if study.modality_of_model(m) == modality]
        mine = [name for name in record["members"] if name.split()[0] in own]
        chosen = [name for name in record["chosen"] if name in mine]
        assert len(chosen) == 2
        assert min(uars[c] for c in chosen) >= max(uars[m] for m in mine if m not in chosen)


def test_given_weights_are_of_the_member_whatever_its_seed(seeded):
    weights = "{picture_cnn: 1, wave_cnn: 3, log_mel_cnn: 0, deep_svm: 0}"
    study = loaded(
        seeded,
        "fusions.all.over=[seeds]",
        f"fusions.all.method={{type: weighted_mean, weights: {weights}}}",
    )
    record = record_of(fuse(study, seeded.layout, "all", "1", 3))
    given = {"picture_cnn": 1, "wave_cnn": 3}
    expected = {f"{m} seed {s}": w / 12 for m, w in given.items() for s in (3, 1, 2)}
    assert record["weights"] == pytest.approx(expected)


# Folds.


def test_folds_of_a_cross_validation_are_refused_where_the_study_is_read(tmp_path):
    tree = build(tmp_path)
    with pytest.raises(UserError) as caught:
        loaded(tree, "fusions.all.over=[folds]")
    assert "fusions.all.over: folds: other folds' runs have trained on this fold's test items" in (
        str(caught.value)
    )
    with pytest.raises(UserError, match="over: folds: splits.method is partition: there is one"):
        loaded(tree, "fusions.all.over=[folds]", "splits={method: partition}")


def test_folds_whose_runs_trained_on_test_items_are_refused_in_the_job(tmp_path):
    tree = build(tmp_path)
    with pytest.raises(UserError) as caught:
        fuse(pooled(tree, "folds"), tree.layout, "all", "1", 0)
    message = str(caught.value)
    assert message.startswith("over: folds: runs of fold 2 have trained on test items of fold 1")
    assert "share one test partition" in message
    assert not tree.layout.fusion("all", "1", 0).exists()


def test_an_epoch_that_was_chosen_by_test_items_is_refused_too(tmp_path):
    tree = build(tmp_path, Plan(folds=3))
    held = partitions(tree, "1")
    rows = read_table(tree.layout.folds)
    for row in rows:  # test of fold 1 is never trained on, but is dev of fold 2
        row["fold-2"] = {"test": "dev"}.get(held[row["id"]], "train")
        row["fold-3"] = {"test": "test"}.get(held[row["id"]], "train")
    write_table(tree.layout.folds, list(rows[0]), [list(row.values()) for row in rows])
    with pytest.raises(UserError, match="fold 2 have chosen their epoch by test items of fold 1"):
        require_unseen(tree.layout, "1", ["1", "2", "3"])


@pytest.fixture
def shared(tmp_path):
    """Three folds that share one test partition; half of dev is that of the fold before."""
    tree = build(tmp_path)
    rows = read_table(tree.layout.folds)
    rest = [row for row in rows if row["fold-1"] != "test"]
    tested = [row for row in rows if row["fold-1"] == "test"]
    for fold in range(3):
        dev = {row["id"] for i, row in enumerate(rest) if i // 6 in (fold, fold + 1)}
        for row in rest:
            row[f"fold-{fold + 1}"] = "dev" if row["id"] in dev else "train"
        for row in tested:
            row[f"fold-{fold + 1}"] = "test"
    write_table(tree.layout.folds, list(rows[0]), [list(row.values()) for row in rows])
    for number, model in enumerate(tree.study.models):
        for fold in "123":
            rng = np.random.default_rng([number, int(fold)])
            held = [row for row in rows if row[f"fold-{fold}"] in ("dev", "test")]
            path = tree.layout.run(model, fold, 0) / "predictions.csv"
            p = replace(
                read_predictions(path),
                partition=np.array([row[f"fold-{fold}"] for row in held], dtype=object),
                ids=np.array([row["id"] for row in held], dtype=object),
                labels=np.array([row["label"] for row in held], dtype=object),
                probabilities=rng.dirichlet(np.ones(3), len(held)),
            )
            order = rng.permutation(len(held))
            write_predictions(
                path,
                replace(
                    p,
                    partition=p.partition[order],
                    ids=p.ids[order],
                    labels=p.labels[order],
                    probabilities=p.probabilities[order],
                ),
            )
    return tree


def test_folds_that_share_their_test_partition_are_pooled(shared):
    study = pooled(shared, "folds")
    models = list(study.models)
    for fold in "123":
        folder = fuse(study, shared.layout, "all", fold, 0)
        record = record_of(folder)
        assert record["members"] == [f"{m} fold {f}" for m in models for f in "123"]
        found = read_predictions(folder / "predictions.csv")
        said = {
            (m, f): {
                (part, name): row
                for part, name, row in zip(p.partition, p.ids, p.probabilities, strict=True)
            }
            for m in models
            for f in "123"
            for p in [read_predictions(shared.layout.run(m, f, 0) / "predictions.csv")]
        }
        held = partitions(shared, fold)
        assert set(found.ids) == {name for name, part in held.items() if part != "train"}
        several = 0
        for part, name, row in zip(found.partition, found.ids, found.probabilities, strict=True):
            assert part == held[name]
            own = [f for f in "123" if partitions(shared, f)[name] == part]
            several += part == "dev" and len(own) > 1
            assert part == "dev" or len(own) == 3
            expected = [said[m, f][part, name] for m in models for f in own]
            assert np.allclose(row, np.mean(expected, axis=0))
        assert several


def test_no_run_predicts_what_it_has_trained_on(shared):
    """What a run of another fold says of the rest of this fold's dev changes nothing."""
    study = pooled(shared, "folds", temperatures=True)
    folder = fuse(study, shared.layout, "all", "1", 0)
    before = (folder / "predictions.csv").read_bytes(), (folder / "fusion.json").read_bytes()
    held = partitions(shared, "1")
    for model in study.models:
        path = shared.layout.run(model, "3", 0) / "predictions.csv"
        p = read_predictions(path)
        foreign = np.array([held[name] == "train" for name in p.ids])
        assert foreign.any()
        p.probabilities[foreign] = np.roll(p.probabilities[foreign], 1, axis=1)
        write_predictions(path, p)
    fuse(study, shared.layout, "all", "1", 0)
    after = (folder / "predictions.csv").read_bytes(), (folder / "fusion.json").read_bytes()
    assert after == before


def test_a_fold_that_lacks_a_test_item_is_named(shared):
    path = shared.layout.run("wave_cnn", "2", 0) / "predictions.csv"
    p = read_predictions(path)
    lost = p.part("test").ids[0]
    keep = p.ids != lost
    fewer = [getattr(p, name)[keep] for name in ("partition", "ids", "labels")]
    write_predictions(path, type(p)(*fewer, p.classes, p.probabilities[keep]))
    with pytest.raises(UserError, match=f"wave_cnn fold 2: does not predict test items .*{lost}"):
        fuse(pooled(shared, "folds"), shared.layout, "all", "1", 0)


# Snapshots.


def keep_snapshots(tree, model, count, fold="1", seed=0):
    """Write snapshots of a run, as training leaves them."""
    folder = tree.layout.run(model, fold, seed)
    p = read_predictions(folder / "predictions.csv")
    paths = []
    for number in range(1, count + 1):
        rng = np.random.default_rng(number)
        paths.append(folder / "snapshots" / str(number) / "predictions.csv")
        probabilities = rng.dirichlet(np.ones(len(p.classes)), len(p.ids))
        write_predictions(paths[-1], replace(p, probabilities=probabilities))
    return paths


def test_snapshots_are_fused_in_their_order(tmp_path):
    tree = build(tmp_path)
    study = loaded(
        tree, snapshots_of("wave_cnn"), "fusions.all={members: [wave_cnn], over: [snapshots]}"
    )
    paths = keep_snapshots(tree, "wave_cnn", 11)
    folder = fuse(study, tree.layout, "all", "1", 0)
    assert record_of(folder)["members"] == [f"wave_cnn snapshot {n}" for n in range(1, 12)]
    found = read_predictions(folder / "predictions.csv").probabilities
    assert np.allclose(found, mean_of(paths))


def test_snapshots_of_all_seeds(tmp_path):
    tree = build(tmp_path, Plan(seeds=(0, 1)))
    study = loaded(
        tree,
        snapshots_of("wave_cnn"),
        "fusions.all={members: [wave_cnn], over: [snapshots, seeds]}",
    )
    keep_snapshots(tree, "wave_cnn", 2)
    keep_snapshots(tree, "wave_cnn", 1, seed=1)
    record = record_of(fuse(study, tree.layout, "all", "1", 0))
    assert record["members"] == [
        "wave_cnn seed 0 snapshot 1",
        "wave_cnn seed 0 snapshot 2",
        "wave_cnn seed 1 snapshot 1",
    ]


def test_a_member_without_snapshots_is_named(tmp_path, monkeypatch, capsys):
    tree = build(tmp_path)
    settings = [snapshots_of("wave_cnn"), snapshots_of("picture_cnn")]
    fusion = "fusions.all={members: [wave_cnn, picture_cnn], over: [snapshots]}"
    with pytest.raises(UserError, match="snapshots: wave_cnn keeps none; set models.wave_cnn.tr"):
        loaded(tree, settings[1], fusion)
    with pytest.raises(UserError, match="deep_svm is a classifier, which keeps none"):
        loaded(tree, *settings, "fusions.all={members: [wave_cnn, deep_svm], over: [snapshots]}")
    keep_snapshots(tree, "wave_cnn", 2)
    monkeypatch.chdir(tmp_path)
    arguments = [text for one in (*settings, fusion) for text in ("--set", one)]
    assert main(["fuse", str(tree.path), *arguments, "--fusion", "all", "--fold", "1"]) == 1
    said = capsys.readouterr().err
    assert "picture_cnn, fold 1, seed 0: keeps no snapshots" in said
    assert "models.picture_cnn.training.snapshots: true" in said
