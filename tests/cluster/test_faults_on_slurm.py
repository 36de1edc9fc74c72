"""What a cluster does to jobs, done to them on a real SLURM: each study still ends right."""

import os
import re
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.cluster.conftest import finish, prepared
from tests.cluster.slurm import wait
from tests.reliability import record
from tests.studying import finish_apart
from tests.tiny import make_study

LONG = {
    "models__svm": None,
    "models__dense__folds": "apart",
    "fusions": {},
    "models__cnn__training": {"epochs": 600, "batch_size": 4, "lr": 0.001},
    "models__dense__training": {"epochs": 1000, "batch_size": 4},
}
"""Networks that train for seconds, in which they are held until they are hit."""


def process_of(study, model, fold):
    """Number of the process that trains a run; None while there is none."""
    wanted = f"\0train\0results/tiny/studies/.*\0--model\0{model}\0--fold\0{fold}\0"
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            command = (entry / "cmdline").read_text()
            if re.search(wanted, command) and Path(entry / "cwd").resolve() == study.folder:
                return int(entry.name)
    return None


def saved(study, model, fold):
    """Ask a run for a checkpoint, as a cluster does with SIGUSR1, and wait for it."""
    file = study.folder / f"results/tiny/runs/{model}/fold-{fold}/seed-0/.checkpoint"
    os.kill(process_of(study, model, fold), signal.SIGUSR1)
    wait(file.exists, 30, f"no {file}")


# What is done to a run: its study, the cluster, its job, its model and fold.


def cancelled(study, job, model, fold):
    study.cluster.run("scancel", job)


def killed(study, job, model, fold):
    saved(study, model, fold)
    os.kill(process_of(study, model, fold), signal.SIGKILL)


def out_of_time(study, job, model, fold):
    # SLURM looks at the limits now and then only, and wakes what it ends: until then, the run
    # must not end by itself.
    saved(study, model, fold)
    os.kill(process_of(study, model, fold), signal.SIGSTOP)
    study.cluster.run("scontrol", "update", f"JobId={job}", "EndTime=now+1")


def node_lost(study, job, model, fold):
    saved(study, model, fold)
    node = study.cluster.node_of(job)
    study.cluster.run("scontrol", "update", f"NodeName={node}", "State=DOWN", "Reason=test")
    time.sleep(3)
    with suppress(subprocess.CalledProcessError):  # it may have come back by itself
        study.cluster.run("scontrol", "update", f"NodeName={node}", "State=RESUME")
    for line in study.cluster.run("squeue", "-h", "-t", "pending", "-o", "%i %r").splitlines():
        if "BeginTime" in line:  # SLURM lets what it requeues wait for two minutes
            study.cluster.run("scontrol", "update", f"JobId={line.split()[0]}", "StartTime=now")


SAME = "nothing: scores.csv is that of an undisturbed study, byte for byte"

STRIKES = {
    ("cnn", "1"): cancelled,
    ("cnn", "2"): killed,
    ("cnn", "3"): out_of_time,
    ("dense", "1"): node_lost,
}


def strike(study, process):
    """Hit each of these runs once it trains, and only then."""
    left, held = dict(STRIKES), {}
    while left and process.poll() is None:
        time.sleep(0.1)
        hold(study, left, held)
        for job, _, comment in study.cluster.running():
            run = re.fullmatch(r"rule_train_wildcards_(\w+)_(\w+)_0", comment)
            if run and run.groups() in held:
                os.kill(held.pop(run.groups()), signal.SIGCONT)
                left.pop(run.groups())(study, job, *run.groups())
                break  # what runs has changed
    assert not left, f"ended before {list(left)} trained"


def hold(study, runs, held):
    """Stop each of the runs as soon as it trains, so that none ends while another is hit."""
    for model, fold in runs.keys() - held.keys():
        job = process_of(study, model, fold)
        if job and "epoch" in study.log(f"train/{model}/fold-{fold}-seed-0"):
            os.kill(job, signal.SIGSTOP)
            held[model, fold] = job


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The scores of the same study on one machine, by its verbs alone."""
    folder = tmp_path_factory.mktemp("undisturbed")
    make_study(folder, **LONG)
    finish_apart(folder)
    return (folder / "results/tiny/scores.csv").read_bytes()


def test_jobs_that_are_ended_in_four_ways_go_on_and_the_study_ends(cluster, tmp_path, undisturbed):
    study = prepared(cluster, tmp_path, **LONG)
    process = study.start("score", "--configfile", "study.yaml")
    try:
        strike(study, process)
    except BaseException:
        process.send_signal(signal.SIGINT)
        print(finish(process)[1])
        raise
    status, output = finish(process)
    assert status == 0, output
    assert (study.folder / "results/tiny/scores.csv").read_bytes() == undisturbed
    said = {}
    for model, fold in STRIKES:
        log = study.log(f"train/{model}/fold-{fold}-seed-0")
        found = re.search(r"goes on from epoch .*", log)
        assert found, (model, fold, log)
        said[STRIKES[model, fold]] = f"sent again, and its log says: {found[0]}"
    again = "none was needed: the study ended by itself"
    record("SLURM job cancelled", said[cancelled], SAME, again)
    record("SLURM job killed (SIGKILL)", said[killed], SAME, again)
    record("SLURM job out of time", said[out_of_time], SAME, again)
    record("SLURM node down", said[node_lost], SAME, again)


def test_job_out_of_memory_has_more_at_its_second_attempt(cluster, tmp_path):
    study = prepared(cluster, tmp_path, models__svm__folds="apart")
    little = "train_classifier:mem_mb=attempt*400"
    wanted = [f"results/tiny/runs/svm/fold-{fold}/seed-0/run.json" for fold in (1, 2, 3)]
    status, output = study.run(*wanted, "--set-resources", little, "--configfile", "study.yaml")
    assert status == 0, output
    again = re.findall(r"rule train_classifier:.*?mem_mb=(\d+)", output, re.S)
    assert sorted(again) == ["400"] * 3 + ["800"] * 3, output
    assert len(finished(study)) == 3
    record(
        "SLURM job out of memory",
        f"sent again: {' MB, '.join(sorted(set(again)))} MB",
        "nothing: all three runs ended",
        "none was needed: the study ended by itself",
    )


def finished(study):
    """Each run that is there, with its seconds, of which no second training has the same."""
    return {f: f.read_text() for f in study.folder.glob("results/tiny/runs/*/*/*/run.json")}


def test_killed_snakemake_repeats_nothing_and_a_hopeless_model_leaves_the_others_theirs(
    cluster, tmp_path
):
    """Both at once, as each takes a minute."""
    hopeless = {"epochs": 3, "lr": 1e30}
    study = prepared(cluster, tmp_path, models__cnn__training=hopeless)
    process = study.start("score", "--configfile", "study.yaml")
    wait(lambda: len(finished(study)) >= 2, 300, "no run is finished")
    process.kill()
    process.communicate()
    wait(lambda: not cluster.running(), 120, "what it had sent has not ended")
    before = finished(study)
    assert study.run("--unlock", "--configfile", "study.yaml")[0] == 0
    status, output = study.run("score", "--configfile", "study.yaml", "--retries", "1")
    assert status != 0
    after = finished(study)
    assert before.items() <= after.items()
    assert {path.parts[-4] for path in after} == {"svm", "dense"}
    assert len(after) == 6
    assert not (study.folder / "results/tiny/scores.csv").exists()
    assert "results/tiny/logs/train/cnn/fold-1-seed-0.log" in output
    assert "models.cnn (feature log_mel (1, 16, 8)): epoch " in output
    assert "deepself partial" in output
    record(
        "Snakemake killed (SIGKILL) while SLURM goes on",
        f"what it had sent ended without it: {len(before)} runs",
        "nothing: none of these was trained again",
        "after `snakemake --unlock`, what was missing",
    )
    reason = re.search(r"models\.cnn \(feature log_mel .*", output)[0]
    record(
        "a model whose jobs always fail, on SLURM",
        f"exit status {status}; {reason}",
        f"nothing: {len(after)} runs of the others stand",
        re.search(r"to score and report it as it is: deepself partial", output)[0],
    )
