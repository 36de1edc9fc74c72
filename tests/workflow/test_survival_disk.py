"""A disk that is full or read-only: a clear line, nothing is lost, and the next start goes on."""

import os
import signal
from contextlib import suppress

from tests.reliability import record
from tests.workflow.survival import (
    LONG,
    clear_line,
    counted,
    disk,
    ended_alike,
    finished,
    jobs,
    log,
    make,
    process_of,
    runs,
    wait_for,
)


def test_full_disk_while_a_feature_is_written(tmp_path):
    study = make(tmp_path)
    with disk(tmp_path / "results/features", "1700k") as mounted:
        status, output = study.run("score")
        assert status != 0
        message = clear_line(output, "log_mel.*No space left on device")
        assert "32 of 72 recordings are kept" in message
        assert "make room and start again" in message
        assert not list(mounted.folder.glob("log_mel-*.h5"))
        before = finished(study)
        mounted.enlarge("10m")
        status, output = study.run("score")
        assert status == 0, output
        assert before.items() <= finished(study).items()
        assert ended_alike(study)
    assert jobs(output)["check"] == jobs(output)["split"] == 0
    record(
        "disk full while a feature is written",
        f"`{message}`; the {len(before)} other features and runs were made",
        "less than a batch: 32 of 72 recordings were kept, and gone on from",
        f"the same command made {counted(jobs(output))}; the same scores",
    )


def test_feature_that_will_not_fit_is_refused(tmp_path):
    study = make(tmp_path, features__log_mel__compression="none")
    with disk(tmp_path / "results/features", "1700k") as mounted:
        status, output = study.run("score")
        assert status != 0
        message = clear_line(output, r"log_mel.*needs 2\.[0-9] MB, the disk has")
        assert "make room and start again" in message
        assert not list(mounted.folder.glob(".log_mel-*"))
        before = finished(study)
        mounted.enlarge("10m")
        status, output = study.run("score")
        assert status == 0, output
        assert before.items() <= finished(study).items()
        assert ended_alike(study)  # compression changes no value
    record(
        "a feature that does not fit the disk",
        f"`{message}`",
        "nothing: it was refused before its first byte",
        f"the same command made {counted(jobs(output))}; the same scores",
    )


def test_full_disk_while_runs_are_written(tmp_path):
    study = make(tmp_path)
    with disk(tmp_path / "results/tiny/runs", "110k") as mounted:
        status, output = study.run("score")
        assert status != 0
        message = clear_line(output, "deepself train: .*No space left on device; make room")
        assert "results/tiny/runs/" in message
        assert not (study.results / "scores.csv").exists()
        before = finished(study)
        assert 0 < runs(study) < 9
        missing = 9 - runs(study)
        mounted.enlarge("10m")
        status, output = study.run("score")
        assert status == 0, output
        assert before.items() <= finished(study).items()
        assert ended_alike(study)
    again = jobs(output)
    assert again["train"] + again["train_classifier"] == missing
    assert not again["extract"]
    record(
        "disk full while a run's files are written",
        f"`{message}`",
        f"the {missing} runs that did not fit; {9 - missing} of 9 were kept",
        f"the same command made {counted(again)}; the same scores",
    )


def test_full_disk_while_a_checkpoint_is_written(tmp_path):
    study = make(tmp_path, own=True, **LONG)
    with disk(tmp_path / "results/tiny/runs", "1m") as mounted:
        run = study.results / "runs/cnn/fold-1/seed-0/run.json"
        # No other job needs the disk.
        process = study.start(str(run.relative_to(study.folder)), "--cores", "1")
        wait_for(process, lambda: "epoch" in log(study, "train/cnn/fold-1-seed-0"))
        filler = mounted.folder / "filler"
        with suppress(OSError), open(filler, "wb") as file:
            file.write(bytes(2**20))
        os.kill(process_of(study, "--model", "cnn", "--fold", "1"), signal.SIGUSR1)
        failed = "No space left on device; training goes on, but could not if killed"
        wait_for(process, lambda: failed in log(study, "train/cnn/fold-1-seed-0"))
        filler.unlink()
        output, _ = process.communicate()
        assert process.returncode == 0, output
        before = finished(study)
        study.own = False
        status, output = study.run("score")
        assert status == 0, output
        assert before.items() <= finished(study).items()
        assert ended_alike(study, **LONG)
    text = log(study, "train/cnn/fold-1-seed-0")
    (line,) = [line for line in text.splitlines() if failed in line]
    record(
        "disk full while a checkpoint is written",
        f"`{line}`, in the run's log",
        "nothing, as there was room again when the run ended",
        "not needed: the run ended in one start; the same scores",
    )


def test_full_disk_of_snakemakes_own_notes(tmp_path):
    study = make(tmp_path)
    with disk(tmp_path / ".snakemake", "60k") as mounted:
        status, output = study.run("score")
        assert status != 0
        message = clear_line(output, r"Error recording metadata.*No space left.*\.snakemake")
        before = finished(study)
        assert before
        mounted.enlarge("10m")
        status, output = study.run("score")
        assert status == 0, output
        assert ended_alike(study)
    after = finished(study)
    repeated = sum(after[path] != before[path] for path in before)
    record(
        "disk full of Snakemake's own notes (`.snakemake`)",
        f"`{message.replace(f'{tmp_path}/', '')}`",
        f"{repeated} of {len(before)} features and runs that had ended were made again",
        f"the same command made {counted(jobs(output))}; the same scores",
    )


def test_read_only_results(tmp_path):
    study = make(tmp_path)
    with disk(tmp_path / "results", "20m") as mounted:
        mounted.set_read_only(True)
        status, output = study.run("score")
        assert status != 0
        message = clear_line(output, "results/tiny: Read-only file system; make it writable")
        mounted.set_read_only(False)
        run = "results/tiny/runs/svm/fold-1/seed-0/run.json"
        assert study.run(run)[0] == 0
        before = finished(study)
        mounted.set_read_only(True)
        status, output = study.run("score")
        assert status != 0
        later = [line for line in output.splitlines() if "ead-only" in line][-1]
        assert "results/tiny" in later
        mounted.set_read_only(False)
        assert finished(study) == before
        status, again = study.run("score")
        assert status == 0, again
        assert before.items() <= finished(study).items()
        assert ended_alike(study)
    record(
        "a results folder that is read-only",
        f"at the first start `{message}`; at a later one `{later.strip()}`",
        f"nothing: {len(before)} features and runs stood",
        f"the same command made {counted(jobs(again))}; the same scores",
    )
