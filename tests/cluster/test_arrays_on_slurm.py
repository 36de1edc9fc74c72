"""Alike jobs as job arrays: the same scores, from fewer submissions."""

import re

from tests.cluster.conftest import prepared
from tests.tiny import APART, make_study
from tests.workflow.conftest import whole_study

ARRAYS = ["--slurm-array-jobs", "train,train_classifier", "--slurm-array-limit", "40"]
ROOM = ["--max-jobs-per-timespan", "1000/1s", "--jobs", "1000"]


def test_arrays_end_with_the_same_scores(cluster, tmp_path):
    here = whole_study(tmp_path).folder
    study = prepared(cluster, tmp_path, **APART)
    status, output = study.run("score", "--configfile", "study.yaml", *ARRAYS, *ROOM)
    assert status == 0, output
    scores = "results/tiny/scores.csv"
    assert (study.folder / scores).read_bytes() == (here / scores).read_bytes()
    arrays = re.findall(r"array job with Snakemake IDs ([\d,]+) and SLURM job ID", output)
    assert len(arrays) <= 3, output  # of svm, cnn and dense
    assert sum(len(jobs.split(",")) for jobs in arrays) == 9


def test_arrays_without_room_are_refused_at_once(cluster, on_cluster):
    make_study(on_cluster.folder)
    few = ["--jobs", "5"]
    status, output = on_cluster.run("score", "--configfile", "study.yaml", *ARRAYS, *few)
    assert status != 0
    assert "slurm-array-jobs: jobs and max-jobs-per-timespan allow 5 jobs at a time" in output
    assert "Traceback" not in output
    assert not (on_cluster.folder / "results/tiny/inventory.csv").exists()
