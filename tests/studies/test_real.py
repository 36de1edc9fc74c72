"""The shipped studies on the real recordings, as far as minutes allow."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from deepself.store.files import read_table

REPOSITORY = Path(__file__).parents[2]


def study_of(name, folder, keep):
    """A shipped study with one of its models, written to `folder`; skips without the data set."""
    data = os.environ.get("DEEPSELF_DATA")
    study = yaml.safe_load((REPOSITORY / "config" / f"{name}.yaml").read_text())
    root = study["dataset"]["root"]
    if not data or not (Path(data) / root / "manifest.csv").exists():
        pytest.skip(f"set DEEPSELF_DATA to the folder that holds {root}/")
    study["dataset"]["root"] = str(Path(data).resolve() / root)
    study["models"] = {keep: study["models"][keep]}
    study["fusions"] = {}
    (folder / "study.yaml").write_text(yaml.safe_dump(study))


def mean_test_uar(name, folder):
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    snakefile = str(REPOSITORY / "Snakefile")
    command = [sys.executable, "-m", "snakemake", "--snakefile", snakefile, "--cores", "2"]
    done = subprocess.run(
        [*command, "score", "--configfile", "study.yaml"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    rows = read_table(folder / "results" / name / "scores.csv")
    test = [float(row["uar"]) for row in rows if row["partition"] == "test"]
    assert len(test) == 5
    return sum(test) / 5


def test_esc10_with_the_frozen_audioset_network(tmp_path):
    from deepself.store.published import published
    from deepself.store.weights import cache_folder

    named = os.environ.get("DEEPSELF_WEIGHTS")
    file = published("mn04_as", "audioset").file
    folders = [cache_folder(), *([Path(named)] if named else [])]
    if not any((folder / file).exists() for folder in folders):
        pytest.skip(f"set DEEPSELF_WEIGHTS to the folder that holds {file}")
    study_of("esc10", tmp_path, "audioset_svm")
    assert mean_test_uar("esc10", tmp_path) >= 0.985


def test_bonn_with_the_log_mel_network(tmp_path):
    study_of("bonn", tmp_path, "log_mel_cnn")
    assert mean_test_uar("bonn", tmp_path) >= 0.98


def test_esc10_seen_as_pictures_by_a_network_of_photographs(tmp_path):
    """The extra's own weights: ImageNet transfer without a download."""
    study_of("esc10_pictures", tmp_path, "middle_svm")
    assert mean_test_uar("esc10_pictures", tmp_path) >= 0.88
