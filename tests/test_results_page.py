"""The page of published scores beside ours: its numbers are those of the files, or it says none."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from deepself.evaluation.scores import RUN_SCORES, SUMMARY
from deepself.store.files import write_json, write_table
from deepself.study import load

REPOSITORY = Path(__file__).parents[1]
TABLES = yaml.safe_load((REPOSITORY / "docs/published.yaml").read_text())


@pytest.fixture
def page(tmp_path):
    """Writes the page of the results below the temporary folder; gives its lines."""

    def write():
        program = REPOSITORY / "docs/results.py"
        target = tmp_path / "page.md"
        subprocess.run([sys.executable, program, tmp_path / "results", target], check=True)
        return target.read_text().splitlines()

    return write


@pytest.mark.usefixtures("given_weights")
def test_each_row_names_a_system_of_a_study_that_is_shipped():
    for table in TABLES:
        for row in [*table["rows"], table["aim"]]:
            study = load(REPOSITORY / f"config/{row['study']}.yaml")
            assert row["system"] in {*study.models, *study.fusions}, row


def test_without_results_nothing_was_run(page):
    lines = page()
    rows = [line for line in lines if line.startswith("| ") and not line.startswith("| | ")]
    assert len(rows) == sum(len(table["rows"]) for table in TABLES)
    assert all(row.count("not run") == 2 for row in rows), rows
    assert not any("reached" in line or "short of it" in line for line in lines)


def test_numbers_are_those_of_the_files(page, tmp_path):
    folder = tmp_path / "results/bonn_sets"
    run = {"kind": "model", "level": "recording", "name": "wave_cnn"}
    scores = [
        {**run, "fold": fold, "seed": seed, "partition": part, "uar": uar}
        for fold, seed, part, uar in (
            ("1", 0, "dev", 0.5),
            ("2", 0, "dev", 0.625),
            ("2", 1, "dev", 0.75),
            ("2", 0, "test", 0.1),
        )
    ]
    summary = [
        {**run, "name": name, "partition": part, "score": score, "runs": 15, "mean": mean}
        | {"low": mean - 0.01, "high": mean + 0.01}
        for name, part, score, mean in (
            ("wave_cnn", "dev", "uar", 0.99),
            ("wave_cnn", "test", "accuracy", 0.98),
            ("wave_cnn", "test", "uar", 0.8125),
            ("all", "test", "uar", 0.875),
        )
    ]
    for name, columns, rows in (
        ("scores.csv", RUN_SCORES, scores),
        ("summary.csv", SUMMARY, summary),
    ):
        write_table(folder / name, columns, [[row.get(c, "") for c in columns] for row in rows])
    record = {"machine": "Linux", "device": "cpu", "seconds": {"total": 90.0}}
    for fold in ("1", "2"):
        write_json(folder / f"runs/wave_cnn/fold-{fold}/seed-0/run.json", record)
    lines = page()
    (row,) = [line for line in lines if "CNN over the wave" in line and "`bonn_sets`" in line]
    assert row == "| CNN over the wave | – | 62.5 | 81.2 (80.2 to 82.2), 15 runs | `bonn_sets` |"
    (why,) = [t["aim"]["why"] for t in TABLES if t["aim"]["study"] == "bonn_sets"]
    assert f"Aim: 90.0 by `all` of `bonn_sets`; 2.5 short of it. {why}" in lines
    (command,) = [line for line in lines if "config/bonn_sets.yaml" in line]
    assert command.endswith("Linux, cpu: 2 runs in 3 minutes")
