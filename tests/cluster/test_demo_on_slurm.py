"""The demo study, sent to a real SLURM through the shipped profile."""

import shutil

import pytest

from deepself.cli import main
from tests.cluster.conftest import REPOSITORY, OnCluster, Watch
from tests.cluster.slurm import GPUS, NODES
from tests.studying import finish_apart, inside


@pytest.fixture(scope="module")
def demo(cluster, tmp_path_factory):
    """The demo's scores by a cluster, and what ran on it."""
    study = OnCluster(tmp_path_factory.mktemp("demo") / "deepself", cluster)
    with Watch(cluster) as watch:
        status, output = study.run()
    assert status == 0, output
    return study, watch


def scores(folder):
    """What a run of the demo below a folder has scored; nothing where there is none."""
    files = [folder / "results/demo" / name for name in ("scores.csv", "summary.csv")]
    return [file.read_bytes() for file in files if file.exists()]


def test_scores_are_those_of_one_machine_byte_for_byte(demo, tmp_path):
    study, _ = demo
    assert len(scores(study.folder)) == 2
    if scores(REPOSITORY) == scores(study.folder):
        return  # `make study` has made them on this machine
    shutil.copytree(study.folder / "config", tmp_path / "config")
    with inside(tmp_path):
        assert main(["demo", "data/demo"]) == 0
    finish_apart(tmp_path, "config/demo.yaml")
    assert scores(tmp_path) == scores(study.folder) != []


def test_every_network_has_one_gpu_and_never_more_than_there_are(demo):
    _, watch = demo
    given = {
        rule: {g for r, g in watch.rules.values() if r == rule} for rule, _ in watch.rules.values()
    }
    assert given.pop("train_together") == {1}
    assert set(given) >= {"check", "extract", "map"}
    assert all(gpus == {0} for gpus in given.values()), given
    assert watch.most == GPUS * len(NODES)


def test_report_and_tracking_came_of_it(demo):
    study, _ = demo
    assert (study.folder / "results/demo/report.html").stat().st_size > 1e6
    assert (study.folder / "results/mlflow.db").exists()
