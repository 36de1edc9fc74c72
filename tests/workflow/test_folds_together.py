"""Six models of the demo on three folds: one run after another, and all folds of a model in one."""

import shutil
from pathlib import Path

import pytest
import yaml

from deepself.cli import main
from deepself.store.files import read_json, read_table
from tests.studying import finish_apart, inside
from tests.workflow.conftest import REPOSITORY, Workflow

EPOCHS, FOLDS = 2, 3


def study(folds, name):
    """The demo's study with a sixth model, shorter."""
    text = yaml.safe_load((REPOSITORY / "config/demo.yaml").read_text())
    text["name"] = name
    text["splits"]["folds"] = FOLDS
    text["models"]["picture_svm"] = {"feature": "picture", "classifier": {"type": "linear_svm"}}
    text["models"]["picture_and_tone"]["network"]["branches"]["picture"]["initialise"] = (
        "picture_cnn"
    )
    for model in text["models"].values():
        model["folds"] = folds
        if "training" in model:
            model["training"]["epochs"] = EPOCHS
    return text


def run(folder, folds, name):
    workflow = Workflow(folder)
    (folder / "study.yaml").write_text(yaml.safe_dump(study(folds, name), sort_keys=False))
    status, output = workflow.run("score")
    assert status == 0, output
    return workflow


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    folder = tmp_path_factory.mktemp("folds")
    (folder / "study.yaml").write_text(yaml.safe_dump(study("apart", "apart"), sort_keys=False))
    with inside(folder):
        assert main(["demo", "data/demo"]) == 0
    finish_apart(folder)
    return run(folder, "together", "together"), folder / "results"


def test_scores_are_equal(both):
    _, results = both
    scores = [read_table(results / name / "scores.csv") for name in ("apart", "together")]
    assert scores[0] == scores[1]
    assert {row["name"] for row in scores[0] if row["kind"] == "model"} == set(
        study("", "")["models"]
    )
    assert len({row["fold"] for row in scores[0]}) == FOLDS


def test_weights_and_predictions_are_equal_to_the_byte(both):
    _, results = both
    files = [*results.glob("apart/runs/*/*/*/weights.safetensors")]
    files += results.glob("apart/runs/*/*/*/predictions.csv")
    assert len(files) == 2 * 6 * FOLDS
    for file in files:
        other = results / "together" / file.relative_to(results / "apart")
        assert file.read_bytes() == other.read_bytes(), file


def test_a_model_is_one_job(both):
    workflow, results = both
    logs = sorted(path.name for path in Path(results / "together/logs/train").iterdir())
    assert logs == sorted(f"{name}.log" for name in study("", "")["models"])
    assert workflow.planned("score") == {}


def test_a_change_trains_its_model_anew_and_those_that_start_from_it(both, tmp_path):
    workflow, _ = both
    folder = tmp_path / "copy"
    shutil.copytree(workflow.folder, folder, symlinks=True)
    changed = study("together", "together")
    changed["models"]["picture_cnn"]["training"]["lr"] = 0.01
    (folder / "study.yaml").write_text(yaml.safe_dump(changed, sort_keys=False))
    assert Workflow(folder).planned("score")["train_together"] == 2


def test_folds_side_by_side_end_nearly_the_same(both, tmp_path):
    """Stacked weights: the last digits differ, and a class is taken for another at most rarely."""
    _, results = both
    folder = tmp_path / "copy"
    shutil.copytree(results.parent, folder, symlinks=True)
    batched = study("together", "batched")
    batched["models"] = {"wave_cnn": {**batched["models"]["wave_cnn"], "folds": "batched"}}
    batched["fusions"] = {}
    (folder / "study.yaml").write_text(yaml.safe_dump(batched, sort_keys=False))
    status, output = Workflow(folder).run("score")
    assert status == 0, output
    record = read_json(folder / "results/batched/runs/wave_cnn/fold-1/seed-0/run.json")
    assert any(f"{FOLDS} runs side by side" in note for note in record["notes"])
    scores = {}
    for name in ("apart", "batched"):
        rows = read_table(folder / "results" / name / "scores.csv")
        own = [row for row in rows if row["name"] == "wave_cnn" and row["partition"] == "test"]
        scores[name] = [float(row["uar"]) for row in own]
    assert len(scores["batched"]) == FOLDS
    assert scores["batched"] == pytest.approx(scores["apart"], abs=0.02)
