"""Tracking once, twice, and after a change: MLflow holds each result exactly once."""

import getpass
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from deepself.cli import main
from deepself.errors import UserError
from deepself.evaluation.provenance import study_yaml, without_password
from deepself.store.files import read_json, write_json
from deepself.study import Layout, load
from deepself.tracking.entries import entries
from deepself.tracking.log import origin, track
from tests.synthetic import Plan, build, finish
from tests.tracking.found import by_key, client, models_of, runs_of


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """A scored tree that is tracked once: MLflow takes seconds to lay out a new database."""
    tree = finish(build(tmp_path_factory.mktemp("tracking"), Plan(models=2, seeds=(3,))))
    track(tree.study, tree.layout)
    return tree


@pytest.fixture
def tree(template, tmp_path):
    """A copy of the tree with its database, which a test may change."""
    source = template.path.parent
    shutil.copytree(source, tmp_path / "copy")
    path = tmp_path / "copy" / "made_up.yaml"
    path.write_text(path.read_text().replace(str(source), str(tmp_path / "copy")))
    layout = Layout("made_up", tmp_path / "copy" / "results")
    with closing(sqlite3.connect(tmp_path / "copy" / "tracking" / "mlflow.db")) as database:
        # As if it had been tracked from where it lies now.
        moved = (origin(layout), "deepself.origin")
        database.execute("UPDATE tags SET value = ? WHERE key = ?", moved)
        own = "UPDATE logged_model_tags SET tag_value = ? WHERE tag_key = ?"
        database.execute(own, moved)
        database.commit()
    return path, layout


def test_study_model_and_fold_are_nested(template):
    runs = by_key(template.study)
    systems = ["picture_cnn", "log_mel_cnn", "all", "best_of_each"]
    expected = {"made_up", *(f"made_up/{s}" for s in systems)}
    expected |= {f"made_up/{s}/{fold}/3" for s in systems for fold in "123"}
    assert set(runs) == expected
    for key, run in runs.items():
        parent = {0: None, 1: "made_up", 3: "/".join(key.split("/")[:2])}[key.count("/")]
        wanted = runs[parent].info.run_id if parent else None
        assert run.data.tags.get("mlflow.parentRunId") == wanted
        assert run.info.status == "FINISHED"
    assert read_json(template.layout.tracking)["runs"] == {
        key: run.info.run_id for key, run in runs.items()
    }


def test_a_run_has_scores_curves_parameters_and_files(template):
    mlflow = client(template.study)
    run = by_key(template.study)["made_up/log_mel_cnn/2/3"]
    record = read_json(template.layout.run("log_mel_cnn", "2", 3) / "run.json")
    assert run.data.metrics["test_uar"] == record["scores"]["test"]["uar"]
    assert run.data.params["network.channels"] == "[16, 32]"
    assert run.data.params["training.lr"] == "0.003"
    digest = Path(record["features"][0]["file"]).stem.split("-", 1)[1]  # how made, and from what
    assert run.data.tags["deepself.feature_digest"] == digest
    curve = mlflow.get_metric_history(run.info.run_id, "history/dev_loss")
    assert [point.step for point in curve] == list(range(1, 9))
    files = {file.path for file in mlflow.list_artifacts(run.info.run_id)}
    assert files == {"predictions.csv", "run.json", "history.csv"}
    above = by_key(template.study)["made_up/log_mel_cnn"]
    assert above.data.metrics["test_uar_low"] < above.data.metrics["test_uar"]
    study_files = {
        file.path for file in mlflow.list_artifacts(by_key(template.study)["made_up"].info.run_id)
    }
    assert study_files == {"study.yaml", *(path.name for path in template.layout.score_tables)}


def test_figures_are_artefacts_of_the_study(tree):
    path, layout = tree
    study = load(path)
    for name in ("figures/ranking.svg", "tables/test.tex"):
        (layout.outcome / name).parent.mkdir(exist_ok=True)
        (layout.outcome / name).write_text("<svg/>")
    assert track(study, layout).counts == {"replaced": 1, "unchanged": 16}
    run = by_key(study)["made_up"].info.run_id
    for folder, name in (("figures", "ranking.svg"), ("tables", "test.tex")):
        (file,) = client(study).list_artifacts(run, folder)
        assert file.path == f"{folder}/{name}"


def test_artefacts_lie_beside_the_database(template):
    run = by_key(template.study)["made_up"]
    place = unquote(urlsplit(run.info.artifact_uri).path)
    assert place.startswith(str(template.path.parent / "tracking" / "mlartifacts") + "/")


def test_tracking_twice_leaves_the_same_runs(tree):
    path, layout = tree
    study = load(path)
    before = runs_of(study)
    outcome = track(study, layout)
    assert set(runs_of(study)) == set(before)
    assert outcome.counts == {"unchanged": 1 + 4 + 12}


def test_a_changed_run_is_replaced_and_nothing_else(tree):
    path, layout = tree
    study = load(path)
    before = by_key(study)
    file = layout.run("log_mel_cnn", "2", 3) / "run.json"
    record = read_json(file)
    record["specification"]["training"]["lr"] = 0.5
    write_json(file, record)
    track(study, layout)
    after = by_key(study)
    assert len(runs_of(study)) == len(before) == len(after)
    changed = {k for k in before if before[k].info.run_id != after[k].info.run_id}
    assert changed == {"made_up/log_mel_cnn/2/3"}
    assert after["made_up/log_mel_cnn/2/3"].data.params["training.lr"] == "0.5"
    models = models_of(study)
    assert len(models) == 16
    assert {m.source_run_id for m in models.values()} < {r.info.run_id for r in after.values()}


def test_children_follow_a_replaced_parent(tree):
    path, layout = tree
    study = load(path)
    layout.report.write_text("<!doctype html>")
    track(study, layout)
    after = by_key(study)
    assert after["made_up/all"].data.tags["mlflow.parentRunId"] == after["made_up"].info.run_id
    files = client(study).list_artifacts(after["made_up"].info.run_id)
    assert "report.html" in {file.path for file in files}


def test_a_removed_model_is_deleted_and_other_studies_are_not(tree):
    path, layout = tree
    study = load(path)
    experiment = client(study).get_experiment_by_name("made_up").experiment_id
    stranger = client(study).create_run(experiment, tags={"deepself.study": "another"})
    fewer = study.model_copy(update={"fusions": {"all": study.fusions["all"]}})
    outcome = track(fewer, layout)
    keys = {run.data.tags.get("deepself.key") for run in runs_of(study).values()}
    assert not any(key and "best_of_each" in key for key in keys)
    assert outcome.counts["deleted"] == 4
    assert len(models_of(study)) == 12
    assert stranger.info.run_id in runs_of(study)


def test_a_study_of_that_name_from_elsewhere_is_left_alone(tree):
    """Two clones, or two users, that log to one server."""
    path, layout = tree
    study = load(path)
    ours = set(runs_of(study))
    elsewhere = Layout("made_up", layout.results.parent / 'another\'s "copy" 100 %' / "results")
    shutil.copytree(layout.results, elsewhere.results)
    assert track(study, elsewhere).counts == {"new": 17}
    theirs = set(runs_of(study)) - ours
    assert len(theirs) == 17
    for place in (layout, elsewhere):
        assert track(study, place).counts == {"unchanged": 17}
    fewer = study.model_copy(update={"fusions": {"all": study.fusions["all"]}})
    assert track(fewer, elsewhere).counts["deleted"] == 4
    assert ours <= set(runs_of(study))


def test_the_origin_is_user_and_folder(template, monkeypatch):
    tag = by_key(template.study)["made_up/all/1/3"].data.tags["deepself.origin"]
    folder = template.layout.results.resolve()
    assert unquote(tag) == f"{getpass.getuser()}:{folder}"
    monkeypatch.setattr(getpass, "getuser", lambda: "someone")
    assert origin(template.layout).startswith("someone:/")

    def nameless():
        raise KeyError("getpwuid(): uid not found: 12345")

    monkeypatch.setattr(getpass, "getuser", nameless)
    assert origin(template.layout).partition(":")[0].isdigit()


def test_a_double_and_an_unfinished_run_are_mended(tree):
    path, layout = tree
    study = load(path)
    before = by_key(study)
    mlflow = client(study)
    experiment = mlflow.get_experiment_by_name("made_up").experiment_id
    victim = before["made_up/all/1/3"]
    mlflow.delete_tag(victim.info.run_id, "deepself.digest")  # as if interrupted
    double = before["made_up/all/2/3"].data.tags
    mlflow.create_run(experiment, tags=double)
    track(study, layout)
    assert len(runs_of(study)) == len(by_key(study)) == len(before)
    assert by_key(study)["made_up/all/1/3"].info.run_id != victim.info.run_id


def test_a_model_that_was_deleted_or_left_over_is_mended(tree):
    path, layout = tree
    study = load(path)
    mlflow = client(study)
    before = models_of(study)
    mlflow.delete_logged_model(before["made_up/all/1/3"].model_id)
    owner = {k: v for k, v in before["made_up/all"].tags.items() if k != "deepself.key"}
    experiment = mlflow.get_experiment_by_name("made_up").experiment_id
    mlflow.create_logged_model(experiment, "left_over", tags=owner | {"deepself.key": "none"})
    assert track(study, layout).counts == {"replaced": 1, "unchanged": 16}
    assert set(models_of(study)) == set(before)


def test_a_deleted_experiment_comes_back(tree):
    path, layout = tree
    study = load(path)
    mlflow = client(study)
    mlflow.delete_experiment(mlflow.get_experiment_by_name("made_up").experiment_id)
    track(study, layout)
    assert len(by_key(study)) == 17


def test_verb_is_quiet_and_makes_the_folder(tree, monkeypatch, capfd):
    path, _ = tree
    monkeypatch.chdir(path.parent)
    uri = "sqlite:///new/folder/mlflow.db"
    override = ["--set", f"tracking.uri={uri}", "--set", "tracking.experiment=other"]
    assert main(["track", "made_up.yaml", *override]) == 0
    out, err = capfd.readouterr()
    assert out.splitlines() == [
        f"results/made_up/tracking.json: runs in experiment other at {uri}: 17 new"
    ]
    assert err == ""
    assert (path.parent / "new/folder/mlartifacts").is_dir()


@pytest.mark.parametrize(
    "uri", ["http://127.0.0.1:9", "nonsense://x", "sqlite:////proc/none/a.db", "./folder"]
)
def test_a_uri_that_does_not_work_is_named(tree, uri, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    path, layout = tree
    study = load(path, [f"tracking.uri={uri}"])
    with pytest.raises(UserError) as error:
        track(study, layout)
    assert str(error.value).startswith(f"tracking.uri {uri}: cannot be logged to: ")
    assert "\n" not in str(error.value)


def test_a_password_is_never_shown():
    uri = "postgresql://lab:secret@host/db"
    assert without_password(uri, f"no route to {uri}") == "no route to postgresql://lab:***@host/db"
    assert without_password("sqlite:///a.db", "a:b@c") == "a:b@c"


def test_a_password_leaves_neither_in_the_study_nor_in_an_error(tree, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    path, layout = tree
    study = load(path, ["tracking.uri=http://lab:secret@127.0.0.1:9"])
    with pytest.raises(UserError) as error:
        track(study, layout)
    logged = entries(study, layout)[0]
    for text in (str(error.value), study_yaml(study), str(logged)):
        assert "secret" not in text


def test_a_missing_run_is_named_before_anything_is_logged(tree):
    path, layout = tree
    study = load(path)
    (layout.run("picture_cnn", "1", 3) / "predictions.csv").unlink()
    before = runs_of(study)
    with pytest.raises(UserError, match="picture_cnn, fold 1, seed 3"):
        track(study, layout)
    assert set(runs_of(study)) == set(before)
