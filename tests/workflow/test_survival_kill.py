"""Snakemake or a training job killed in the middle."""

import os
import signal
import time

from tests.reliability import record
from tests.workflow.survival import (
    LONG,
    clear_line,
    counted,
    ended_alike,
    finished,
    jobs,
    log,
    make,
    process_of,
    runs,
    wait_for,
)

RUN = "train/cnn/fold-1-seed-0"


def checkpoint(study, process):
    """Let a run be in the middle of its training, with a checkpoint; its process."""
    wait_for(process, lambda: "epoch" in log(study, RUN))

    def job() -> int:
        return process_of(study, "train", "--model", "cnn", "--fold", "1")

    def saved() -> bool:
        os.kill(job(), signal.SIGUSR1)  # before its first batch, a run does not listen
        time.sleep(0.3)
        return (study.results / "runs/cnn/fold-1/seed-0/.checkpoint").exists()

    wait_for(process, saved)
    return job()


def test_training_is_killed(tmp_path):
    study = make(tmp_path, own=True, **LONG)
    process = study.start("score")
    os.kill(checkpoint(study, process), signal.SIGKILL)
    output, _ = process.communicate()
    assert process.returncode != 0
    message = clear_line(output, "Command .*--model cnn --fold 1 .*exit status|died with")
    assert runs(study) == 8
    before = finished(study)
    status, again = study.run("score")
    assert status == 0, again
    assert before.items() <= finished(study).items()
    assert ended_alike(study, **LONG)
    (line,) = [line for line in log(study, RUN).splitlines() if "goes on from epoch" in line]
    record(
        "a training is killed (kill -9, or no memory left)",
        f"its log and command are shown, as `{message[-60:]}`; the other 8 runs ended",
        f"the epochs since its checkpoint: `{line}`",
        f"the same command made {counted(jobs(again))}; the same scores",
    )


def test_snakemake_and_its_jobs_are_killed(tmp_path):
    study = make(tmp_path, own=True, **LONG)
    process = study.start("score", start_new_session=True)
    checkpoint(study, process)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    before = finished(study)
    status, output = study.run("score")
    assert status != 0
    message = clear_line(output, "Directory cannot be locked")
    assert "--unlock" in output
    assert study.run("--unlock")[0] == 0
    study.own = False
    status, again = study.run("score")
    assert status == 0, again
    kept = {path: text for path, text in before.items() if path.suffix == ".h5"}
    assert kept.items() <= finished(study).items()
    assert ended_alike(study, **LONG)
    (line,) = [line for line in log(study, RUN).splitlines() if "goes on from epoch" in line]
    record(
        "Snakemake and all its jobs are killed, as by a power cut",
        f"the next start says `{message}` and names `--unlock`",
        f"of a run in its middle, the epochs since its checkpoint: `{line}`",
        f"after `--unlock` it made {counted(jobs(again))}; the same scores",
    )


def test_snakemake_alone_is_killed(tmp_path):
    study = make(tmp_path, own=True, **LONG)
    process = study.start("score")
    checkpoint(study, process)
    known = runs(study)
    process.kill()
    process.communicate()
    while process_of(study, "train"):
        time.sleep(0.1)
    before, orphans = finished(study), runs(study) - known
    assert orphans > 0
    assert study.run("--unlock")[0] == 0
    study.own = False
    status, again = study.run("score")
    assert status == 0, again
    assert before.items() <= finished(study).items()
    assert ended_alike(study, **LONG)
    record(
        "Snakemake alone is killed, while its jobs live on",
        f"{orphans} runs ended while nobody looked on",
        f"nothing: {len(before)} features and runs stood",
        f"after `--unlock` it made {counted(jobs(again))}, and found those runs; the same scores",
    )
