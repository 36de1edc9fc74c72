"""A search in the workflow: trials are jobs, final runs take what they chose, more add to them."""

import shutil

import pytest
import yaml

from deepself.store.files import read_json
from tests.tiny import make_study
from tests.workflow.conftest import Workflow

RATES = {"log_uniform": [1e-4, 0.1]}


def searched(folder, choose):
    """The tiny study with one model, which is searched."""
    make_study(
        folder,
        fusions=None,
        models__cnn=None,
        models__svm=None,
        models__dense__training__lr=RATES,
        models__dense__search={"method": "tpe", "trials": 2, "choose": choose, "parallel": 2},
    )
    return Workflow(folder)


@pytest.fixture(scope="module", params=["nested", "once"])
def finished(request, tmp_path_factory):
    workflow = searched(tmp_path_factory.mktemp(request.param), request.param)
    status, output = workflow.run("report")
    assert status == 0, output
    return workflow, request.param


@pytest.fixture
def copied(finished, tmp_path):
    shutil.copytree(finished[0].folder, tmp_path / "copy", symlinks=True)
    return Workflow(tmp_path / "copy"), finished[1]


def change(workflow, **settings):
    file = workflow.folder / "study.yaml"
    study = yaml.safe_load(file.read_text())
    study["models"]["dense"]["search"].update(settings)
    file.write_text(yaml.safe_dump(study, sort_keys=False))


AFTER = {"train": 3, "score": 1, "map": 1, "report": 1}


def test_final_runs_take_what_the_search_chose(finished):
    workflow, choose = finished
    assert len(list(workflow.results.glob("trials/dense/*/*/trial.json"))) == 2 * 3
    for fold in ("1", "2", "3"):
        part = f"fold-{fold}" if choose == "nested" else "all"
        chosen = read_json(workflow.results / f"searches/dense/{part}.json")
        run = read_json(workflow.results / f"runs/dense/fold-{fold}/seed-0/run.json")
        lr = chosen["values"]["training.lr"]
        assert run["specification"]["training"]["lr"] == lr
        trial = workflow.results / f"trials/dense/fold-{fold}/trial-{chosen['trial']}/trial.json"
        assert read_json(trial)["values"]["training.lr"] == lr
    assert len(list(workflow.results.glob("searches/dense/*"))) == (3 if choose == "nested" else 1)
    assert '<section aria-labelledby="search">' in (workflow.results / "report.html").read_text()


def test_second_run_of_a_search_does_nothing(finished):
    assert finished[0].planned("report") == {}


def test_more_trials_run_those_alone_and_what_follows(copied):
    workflow, choose = copied
    change(workflow, trials=3)
    chosen = {"choose": 3 if choose == "nested" else 1}
    assert workflow.planned("report") == {"trial": 3, **chosen, **AFTER}


def test_another_seed_trains_runs_but_no_trials(copied):
    workflow, _ = copied
    file = workflow.folder / "study.yaml"
    study = yaml.safe_load(file.read_text())
    study["seeds"] = [0, 1]
    file.write_text(yaml.safe_dump(study, sort_keys=False))
    assert workflow.planned("report") == AFTER


def test_another_way_to_search_runs_all_anew(copied):
    workflow, _ = copied
    change(workflow, method="random")
    assert workflow.planned("report")["trial"] == 6
