"""What is logged of a study: its scores, data sets and models, and how MLflow gives them back."""

import json
from collections import Counter

import pytest

from deepself.errors import UserError
from deepself.evaluation.scoring import SCORES
from deepself.store.files import read_json, read_table, write_json
from deepself.study import load
from deepself.tracking.datasets import DataSet
from deepself.tracking.entries import Entry, Metric, entries, flatten
from deepself.tracking.log import track
from tests.synthetic import Plan, build, finish
from tests.tracking.found import by_key, client, models_of


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """A scored tree that is tracked."""
    tree = finish(build(tmp_path_factory.mktemp("logged"), Plan(models=2, seeds=(3,))))
    track(tree.study, tree.layout)
    return tree


@pytest.fixture
def tree(tmp_path):
    """A scored tree that a test may change."""
    tree = finish(build(tmp_path, Plan(models=2, seeds=(3,))))
    return tree.path, tree.layout


def test_all_scores_stand_with_their_run(template):
    runs = by_key(template.study)
    rows = read_table(template.layout.scores)
    (row,) = [
        r
        for r in rows
        if (r["name"], r["fold"], r["partition"], r["level"])
        == ("picture_cnn", "2", "dev", "recording")
    ]
    run = runs["made_up/picture_cnn/2/3"].data
    assert {s: run.metrics[f"dev_{s}"] for s in SCORES} == {s: float(row[s]) for s in SCORES}
    system = runs["made_up/picture_cnn"].data.metrics
    summary = read_table(template.layout.summary)
    (brier,) = [
        r
        for r in summary
        if (r["name"], r["partition"], r["level"], r["score"])
        == ("picture_cnn", "test", "recording", "brier")
    ]
    for end in ("mean", "sd", "low", "high"):
        name = "test_brier" if end == "mean" else f"test_brier_{end}"
        assert system[name] == float(brier[end])
    study = runs["made_up"].data.metrics
    chance = {r["name"]: float(r["mean"]) for r in summary if is_test_uar(r, "chance")}
    assert set(chance) == {"majority", "random"}
    assert {n: study[f"chance_test_uar/{n}"] for n in chance} == chance
    assert study["best_test_uar"] == max(
        float(r["mean"]) for r in summary if is_test_uar(r, "model") or is_test_uar(r, "fusion")
    )


def is_test_uar(row, kind):
    key = (row["kind"], row["partition"], row["level"], row["score"])
    return key == (kind, "test", "recording", "uar")


def test_scores_by_fold_are_a_curve(tmp_path):
    tree = finish(build(tmp_path, Plan(models=1, seeds=(0, 1), windows=True)))
    (system,) = [one for one in entries(tree.study, tree.layout) if one.key.count("/") == 1]
    rows = [r for r in read_table(tree.layout.scores) if r["partition"] == "test"]
    for fold, point in zip("123", system.curves, strict=True):
        uars = [float(r["uar"]) for r in rows if (r["fold"], r["level"]) == (fold, "recording")]
        assert len(uars) == 2
        assert point == ("test_uar_by_fold", pytest.approx(sum(uars) / 2), int(fold))


def test_scores_of_windows_have_names_of_their_own(tmp_path):
    tree = finish(build(tmp_path, Plan(models=2, windows=True)))
    named = {e.key: {m.name: m.value for m in e.metrics} for e in entries(tree.study, tree.layout)}
    assert "test_window_uar_low" in named["made_up/log_mel_cnn"]
    assert "test_window_uar" not in named["made_up/picture_cnn"]
    run = named["made_up/log_mel_cnn/1/0"]
    assert run["test_window_uar"] != run["test_uar"]


def test_the_data_are_inputs_of_the_runs(template):
    from mlflow.data import get_source

    runs = by_key(template.study)
    inputs = {key: contexts(run) for key, run in runs.items()}
    assert {c: d.name for c, d in inputs["made_up/log_mel_cnn/2/3"].items()} == {
        "train": "made_up fold 2 train",
        "dev": "made_up fold 2 dev",
        "test": "made_up fold 2 test",
    }
    assert set(inputs["made_up/all/2/3"]) == {"dev", "test"}
    whole = inputs["made_up"]["study"]
    assert inputs["made_up/all"]["test"].digest == whole.digest  # folds are tested in turn
    assert inputs["made_up/all/2/3"]["test"].digest not in (
        whole.digest,
        inputs["made_up/all/1/3"]["test"].digest,
    )
    profile = json.loads(inputs["made_up/log_mel_cnn/2/3"]["test"].profile)
    rows = [r for r in read_table(template.layout.folds) if r["fold-2"] == "test"]
    assert profile["num_rows"] == len(rows)
    assert profile["classes"] == Counter(row["label"] for row in rows)
    columns = [column["name"] for column in json.loads(whole.schema)["mlflow_colspec"]]
    assert columns == ["id", "label", "picture", "audio"]
    assert get_source(whole).uri == "data/made_up/manifest.csv"


def contexts(run):
    return {one.tags[0].value: one.dataset for one in run.inputs.dataset_inputs}


def test_data_differ_with_items_labels_and_recordings(tmp_path):
    tree = build(tmp_path, Plan(models=1, groups=True))
    first = DataSet(tree.study, tree.layout).whole()
    assert json.loads(first.profile)["num_groups"] == 8
    assert DataSet(tree.study, tree.layout).whole() == first
    rows = tree.layout.folds.read_text()
    tree.layout.folds.write_text(rows.replace(",cat,", ",dog,", 1))
    second = DataSet(tree.study, tree.layout).whole()
    record = read_json(tree.layout.dataset)
    record["modalities"]["audio"]["digest"] = "c" * 64
    write_json(tree.layout.dataset, record)
    third = DataSet(tree.study, tree.layout).whole()
    assert len({first.digest, second.digest, third.digest}) == 3


def test_the_only_fold_is_measured_on_what_the_study_is(tmp_path):
    tree = build(tmp_path, Plan(models=1))
    write_json(tree.layout.dataset, read_json(tree.layout.dataset) | {"folds": ["1"]})
    data = DataSet(tree.study, tree.layout)
    assert data.part("1", "test") == data.over("test")
    assert data.over("test").name == "made_up test"


def test_each_model_is_logged_with_its_scores_and_data(template):
    runs, models = by_key(template.study), models_of(template.study)
    assert set(models) == set(runs) - {"made_up"}
    for key, model in models.items():
        run = runs[key]
        assert (model.status, model.source_run_id) == ("READY", run.info.run_id)
        assert [output.model_id for output in run.outputs.model_outputs] == [model.model_id]
        data = {one.name: one for one in contexts(run).values()}
        scores = {m.key: m for m in model.metrics}
        assert scores["test_uar"].value == run.data.metrics["test_uar"]
        assert scores["test_uar"].dataset_digest == data[scores["test_uar"].dataset_name].digest
    types = {key: model.model_type for key, model in models.items()}
    assert types["made_up/log_mel_cnn/1/3"] == types["made_up/log_mel_cnn"] == "cnn2d"
    assert types["made_up/all"] == "fusion"
    assert models["made_up/log_mel_cnn/1/3"].params["training.lr"] == "0.003"


def test_models_are_found_by_score_and_data(template):
    mlflow = client(template.study)
    where = [mlflow.get_experiment_by_name("made_up").experiment_id]
    data = contexts(by_key(template.study)["made_up/all/2/3"])["test"]
    on_fold = [{"dataset_name": data.name, "dataset_digest": data.digest}]
    found = mlflow.search_logged_models(where, "metrics.test_uar >= 0", datasets=on_fold)
    systems = ("picture_cnn", "log_mel_cnn", "all", "best_of_each")
    assert {model.name for model in found} == {f"{s} fold 2 seed 3" for s in systems}


def test_a_fusion_logs_what_it_decided(template):
    run = by_key(template.study)["made_up/best_of_each/1/3"].data
    chosen = read_json(template.layout.fusion("best_of_each", "1", 3) / "fusion.json")["chosen"]
    assert run.params["chosen"] == ", ".join(chosen)


def test_numbers_that_a_fusion_decided_are_parameters(tree):
    path, layout = tree
    file = layout.fusion("all", "1", 3) / "fusion.json"
    more = {"weights": {"picture_cnn": 0.25}, "temperatures": None, "chosen": {"log_mel_cnn": 2}}
    write_json(file, read_json(file) | more)
    (entry,) = [e for e in entries(load(path), layout) if e.key == "made_up/all/1/3"]
    assert entry.parameters["weight.picture_cnn"] == "0.25"
    assert entry.parameters["chosen.log_mel_cnn"] == "2"
    assert not any(name.startswith("temperature.") for name in entry.parameters)


def test_tables_of_an_earlier_version_are_named(tree):
    path, layout = tree
    layout.summary.write_text("name,kind,partition,uar_mean\nx,model,test,0.5\n")
    with pytest.raises(UserError, match=r"summary\.csv: no column .*; run score again"):
        entries(load(path), layout)


def test_the_study_that_is_logged_can_be_read(template, tmp_path):
    (tmp_path / "study.yaml").write_text(
        entries(template.study, template.layout)[0].texts["study.yaml"]
    )
    again = load(tmp_path / "study.yaml", [f"tracking.uri={template.study.tracking.uri}"])
    assert again == template.study


def test_digests_see_content_and_nothing_else(template):
    one, two = (entries(template.study, template.layout) for _ in range(2))
    assert [e.digest for e in one] == [e.digest for e in two]
    entry = Entry("k", None, "n", {"a": "1"})
    assert entry.digest != Entry("k", None, "n", {"a": "2"}).digest
    assert entry.digest != Entry("k", None, "n", {"a": "1"}, [Metric("m", 1.0)]).digest


def test_sections_become_dotted_names():
    assert flatten({"a": {"b": 1, "c": [1, 2]}, "d": None}) == {
        "a.b": "1",
        "a.c": "[1, 2]",
        "d": "None",
    }
    assert json.dumps(flatten({})) == "{}"
