"""What jobs ask a cluster for is what was planned, and is planned anew when the study changes."""

import json
import re

import pytest

from tests.sharing import copied, made_once
from tests.tiny import make_study
from tests.workflow.conftest import Workflow
from tests.workflow.test_end_to_end import change


def asked(output, rule):
    """Memory and minutes of the first job of a rule."""
    text = output.split(f"rule {rule}:")[1].split("\n\n")[0]
    return tuple(int(re.search(rf"{name}=(\d+)", text)[1]) for name in ("mem_mb", "runtime"))


@pytest.fixture
def checked(tmp_path):
    """The tiny study after its split, made once and copied."""

    def make(folder):
        make_study(folder)
        status, output = Workflow(folder).run("results/tiny/folds.csv")
        assert status == 0, output

    return Workflow(copied(made_once(tmp_path, "checked", make), tmp_path / "study"))


def test_jobs_ask_for_what_was_planned(checked):
    file = checked.results / "plan.json"
    plan = json.loads(file.read_text())
    plan["models"]["cnn"] = {"mem_mb": 7001, "minutes": 71}
    plan["models"]["svm"] = {"mem_mb": 7002, "minutes": 72}
    plan["features"]["trace"] = {"mem_mb": 7003, "minutes": 73}
    del plan["models"]["dense"], plan["features"]["log_mel"]
    file.write_text(json.dumps(plan))
    wanted = [
        "results/tiny/runs/cnn/fold-1/seed-0/run.json",
        "results/tiny/runs/svm/fold-1/seed-0/run.json",
    ]
    status, output = checked.run("--dry-run", *wanted)
    assert status == 0, output
    assert asked(output, "train") == (7001, 71)
    assert asked(output, "train_classifier") == (7002, 72)
    assert asked(output, "extract") == (4000, 120)  # where nothing is known
    status, output = checked.run("--dry-run", "results/tiny/runs/dense/fold-1/seed-0/run.json")
    assert asked(output, "extract") == (7003, 73)
    assert asked(output, "train") == (4000, 120)


def test_a_change_of_a_model_is_planned_before_anything_runs(checked):
    file = checked.results / "plan.json"
    before = json.loads(file.read_text())
    assert set(before["models"]) == {"svm", "cnn", "dense"}
    target = "results/tiny/runs/dense/fold-1/seed-0/run.json"
    assert checked.run(target)[0] == 0
    assert json.loads(file.read_text()) == before  # nothing has changed
    change(checked, lambda s: s["models"]["dense"]["network"].update(hidden=[2000, 2000]))
    assert checked.run(target)[0] == 0
    after = json.loads(file.read_text())
    assert after["of"] != before["of"]


def test_a_network_that_does_not_fit_is_refused_before_anything_runs(checked):
    change(checked, lambda s: s["models"]["cnn"]["network"].update(channels=[4] * 6))
    status, output = checked.run("results/tiny/runs/dense/fold-1/seed-0/run.json")
    assert status != 0
    assert "models.cnn (feature log_mel (1, 16, 8)): network: " in output
    assert "Traceback" not in output
    assert not list(checked.results.glob("runs/*"))
