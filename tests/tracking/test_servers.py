"""Tracking to a real `mlflow server` on PostgreSQL, from two processes at once."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Barrier

import pytest

from deepself.cli import main
from deepself.store.files import read_json, read_table, write_json
from deepself.tracking.datasets import DataSet
from deepself.tracking.record import log_data
from deepself.tracking.server import experiment
from tests.forking import TRACKING, Forked
from tests.synthetic import Plan, build, finish
from tests.tracking.servers import PASSWORD, free_port, mlflow_server, postgres

PLANS = {"first": Plan(models=2), "second": Plan(models=1, seeds=(0, 1))}
SIZES = {"first": 1 + 4 + 12, "second": 1 + 1 + 6}
"""Runs of each: the study, its models and fusions, and each fold and seed of these."""


@pytest.fixture(scope="module")
def store():
    with postgres() as uri:
        yield uri


@pytest.fixture(scope="module")
def server(store, tmp_path_factory):
    with mlflow_server(store, tmp_path_factory.mktemp("server"), free_port()) as uri:
        yield uri


@pytest.fixture(scope="module")
def studies(tmp_path_factory):
    """Two studies of the same recordings, each in a folder of its own."""
    folder = tmp_path_factory.mktemp("studies")
    return {
        name: finish(build(folder / name, plan, seed=number, name=name))
        for number, (name, plan) in enumerate(PLANS.items())
    }


@pytest.fixture(scope="module")
def tracked(studies, server):
    """What the first call of each says, both at the same moment, to a server with no experiment."""
    return track_at_once(studies, server)


def track_at_once(studies, uri):
    """Track all studies at the same moment; what each says of its runs."""
    started = {name: start(tree, uri) for name, tree in studies.items()}
    said = {}
    for name, process in started.items():
        out, err = process.communicate()
        assert (process.returncode, err) == (0, "")
        said[name] = out.rpartition(": ")[2].strip()
    return said


def start(tree, uri):
    """Start `deepself track` as a process."""
    command = ["track", tree.path.name]
    for one in (f"tracking.uri={uri}", "tracking.experiment=shared"):
        command += ["--set", one]
    return Forked(command, tree.path.parent, together=False, imported=TRACKING)


def held(uri):
    """A client, and what the server has: runs and logged models by key."""
    from mlflow import MlflowClient

    client = MlflowClient(uri)
    where = [client.get_experiment_by_name("shared").experiment_id]
    runs, models = client.search_runs(where), client.search_logged_models(where, max_results=50)
    return (
        client,
        {run.data.tags["deepself.key"]: run for run in runs},
        {model.tags["deepself.key"]: model for model in models},
    )


def test_two_studies_at_once_log_all_that_they_have(studies, server, tracked):
    assert tracked == {name: f"{SIZES[name]} new" for name in studies}
    _, runs, models = held(server)
    assert len(runs) == sum(SIZES.values())
    assert set(models) == set(runs) - set(studies)
    for name, tree in studies.items():
        row = read_table(tree.layout.summary)[-1]
        assert row["kind"] == "chance"
        keys = {key for key in runs if key.split("/")[0] == name}
        assert len(keys) == SIZES[name]
        record = read_json(tree.layout.tracking)
        assert record["runs"] == {key: runs[key].info.run_id for key in keys}
        for key in keys:
            run = runs[key]
            assert run.info.status == "FINISHED"
            parent = {0: None, 1: name, 3: key.rsplit("/", 2)[0]}[key.count("/")]
            wanted = runs[parent].info.run_id if parent else None
            assert run.data.tags.get("mlflow.parentRunId") == wanted
            if parent:
                model, (output,) = models[key], run.outputs.model_outputs
                assert (model.status, model.model_id) == ("READY", output.model_id)
                scores = {metric.key: metric.value for metric in model.metrics}
                assert scores["test_uar"] == run.data.metrics["test_uar"]


def test_runs_have_parameters_curves_data_and_files(studies, server, tracked):
    client, runs, _ = held(server)
    run = runs["second/picture_cnn/2/1"]
    folder = studies["second"].layout.run("picture_cnn", "2", 1)
    assert run.data.params["network.channels"] == "[16, 32]"
    curve = client.get_metric_history(run.info.run_id, "history/dev_loss")
    history = [float(row["dev_loss"]) for row in read_table(folder / "history.csv")]
    assert [point.value for point in curve] == history
    by_fold = client.get_metric_history(runs["second/picture_cnn"].info.run_id, "test_uar_by_fold")
    assert [point.step for point in by_fold] == [1, 2, 3]
    text = client.download_artifacts(run.info.run_id, "predictions.csv")
    assert Path(text).read_bytes() == (folder / "predictions.csv").read_bytes()
    # The same items of the same recordings are one data set, whoever logs them.
    other = runs["first/picture_cnn/2/0"]
    assert data_of(run) == data_of(other)
    assert set(data_of(run)) == {"train", "dev", "test"}


def data_of(run):
    inputs = run.inputs.dataset_inputs
    return {one.tags[0].value: (one.dataset.name, one.dataset.digest) for one in inputs}


def test_models_of_both_studies_compare_on_one_data_set(server, tracked):
    client, runs, models = held(server)
    name, digest = data_of(runs["first"])["study"]
    where = [runs["first"].info.experiment_id]
    found = client.search_logged_models(
        where,
        datasets=[{"dataset_name": name, "dataset_digest": digest}],
        order_by=[{"field_name": "metrics.test_uar", "ascending": False}],
    )
    assert {model.tags["deepself.key"] for model in found} == {
        key for key in models if key.count("/") == 1
    }
    uars = [{m.key: m.value for m in model.metrics}["test_uar"] for model in found]
    assert uars == sorted(uars, reverse=True)


def test_tracking_again_changes_what_changed(studies, server, tracked):
    _, before, _ = held(server)
    said = track_at_once(studies, server)
    assert said == {name: f"{SIZES[name]} unchanged" for name in studies}
    file = studies["second"].layout.run("picture_cnn", "2", 1) / "run.json"
    record = read_json(file)
    record["specification"]["training"]["lr"] = 0.5
    write_json(file, record)
    said = track_at_once(studies, server)
    assert said == {"first": "17 unchanged", "second": "1 replaced, 7 unchanged"}
    _, after, models = held(server)
    changed = {k for k in before if before[k].info.run_id != after[k].info.run_id}
    assert changed == {"second/picture_cnn/2/1"}
    assert len(models) == len(after) - 2
    (key,) = changed
    assert models[key].source_run_id == after[key].info.run_id
    assert models[key].params["training.lr"] == "0.5"


def test_a_server_that_is_away_fails_in_one_line(studies, server, monkeypatch, capsys):
    tree, away = studies["second"], f"http://127.0.0.1:{free_port()}"
    monkeypatch.chdir(tree.path.parent)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    verb = ["track", tree.path.name, "--set", "tracking.experiment=late"]
    before = tree.layout.summary.read_bytes()
    assert main([*verb, "--set", f"tracking.uri={away}"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert f"tracking.uri {away}: cannot be logged to" in line
    assert tree.layout.summary.read_bytes() == before
    assert main([*verb, "--set", f"tracking.uri={server}"]) == 0
    assert capsys.readouterr().out.endswith(": 8 new\n")


def test_postgresql_itself_takes_a_study(studies, store, monkeypatch, capsys):
    tree = studies["second"]
    monkeypatch.chdir(tree.path.parent)
    verb = ["track", tree.path.name, "--set", "tracking.experiment=direct"]
    assert main([*verb, "--set", f"tracking.uri={store}"]) == 0
    out, err = capsys.readouterr()
    assert out.endswith(": 8 new\n")
    assert err == ""
    assert (tree.layout.results / "mlartifacts").is_dir()
    wrong = store.replace(f":{PASSWORD}@", ":wr0ng-one@")
    assert main([*verb, "--set", f"tracking.uri={wrong}"]) == 1
    said = out + capsys.readouterr().err + tree.layout.tracking.read_text()
    assert "password authentication failed" in said
    assert "lab:***@" in said
    assert PASSWORD not in said
    assert "wr0ng-one" not in said


def test_two_studies_at_once_make_one_sqlite_file(studies, tmp_path):
    uri = f"sqlite:///{tmp_path}/new/mlflow.db"
    assert track_at_once(studies, uri) == {name: f"{SIZES[name]} new" for name in studies}
    _, runs, models = held(uri)
    assert len(runs) == sum(SIZES.values())
    assert set(models) == set(runs) - set(studies)


def test_a_database_of_another_version_fails_in_one_line(studies, tmp_path, monkeypatch, capsys):
    tree, file = studies["second"], tmp_path / "mlflow.db"
    with closing(sqlite3.connect(file)) as database:
        database.execute("CREATE TABLE alembic_version (version_num VARCHAR(32))")
        database.execute("INSERT INTO alembic_version VALUES ('ffffffffffff')")
        database.commit()
    monkeypatch.chdir(tree.path.parent)
    assert main(["track", tree.path.name, "--set", f"tracking.uri=sqlite:///{file}"]) == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert "cannot be logged to: Can't locate revision identified by 'ffffffffffff'" in last


def test_what_several_make_at_the_same_moment_is_one(studies, server, tmp_path):
    """The races of two studies, all started by one barrier and often enough to be lost."""
    from mlflow import MlflowClient

    data = {"study": DataSet(studies["first"].study, studies["first"].layout).whole()}
    crowd, client = Barrier(8, timeout=60), MlflowClient(server)

    def race(number):
        crowd.wait()
        where = experiment(client, server, f"raced {number // 8}", tmp_path)
        run = client.create_run(where)
        crowd.wait()
        log_data(client, run.info.run_id, data)
        return where, client.get_run(run.info.run_id).inputs.dataset_inputs[0].dataset.digest

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(race, range(24)))
    assert len({where for where, _ in found}) == 3
    assert {digest for _, digest in found} == {data["study"].digest}
