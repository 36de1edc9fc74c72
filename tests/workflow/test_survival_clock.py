"""A clock that jumps: what is finished stays so, and the study ends."""

import os
import time
from pathlib import Path

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
    runs,
    to_do,
    wait_for,
)

DAY = 86400 * 10**9


def shift(folder: Path, days: int) -> int:
    """Change the times of all files by days, as another clock would have set them; count them."""
    files = [
        path for path in folder.rglob("*") if path.is_file() and ".snakemake" not in path.parts
    ]
    seen = set()
    for path in files:
        state = path.stat()
        if state.st_ino not in seen:  # some have two names
            seen.add(state.st_ino)
            os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns + days * DAY))
    return len(files)


def half(study):
    """Train two of the three models."""
    wanted = [
        str((study.results / f"runs/{model}/fold-{fold}/seed-0/run.json").relative_to(study.folder))
        for model in ("svm", "cnn")
        for fold in (1, 2, 3)
    ]
    status, output = study.run(*wanted)
    assert status == 0, output
    assert runs(study) == 6


def test_clock_was_ahead_for_the_first_half(tmp_path):
    study = make(tmp_path)
    half(study)
    shift(study.results.parent, 1)
    before = finished(study)
    status, output = study.run("score")
    assert status == 0, output
    message = clear_line(output, "the clock was ahead")
    assert before.items() <= finished(study).items()
    assert not any(path.stat().st_mtime > time.time() for path in finished(study))
    assert ended_alike(study)
    assert to_do(study) == {}
    record(
        "the clock was a day ahead, and is set right between two starts",
        f"`{message}`",
        f"nothing: all {len(before)} features and runs stood",
        f"made {counted(jobs(output))}, and had nothing to do after that; the same scores",
    )


def test_clock_is_set_back_while_the_study_runs(tmp_path):
    study = make(tmp_path, **LONG)
    process = study.start("score")
    wait_for(process, lambda: runs(study) >= 2 and "epoch" in log(study, "train/cnn/fold-1-seed-0"))
    shift(study.results.parent, 1)
    before = finished(study)
    output, _ = process.communicate()
    assert process.returncode != 0
    message = clear_line(output, "the clock was ahead")
    assert "could indicate a clock skew problem" in output
    status, again = study.run("score")
    assert status == 0, again
    assert before.items() <= finished(study).items()
    assert ended_alike(study, **LONG)
    trained = sum("epoch" in text for text in logs_of(study, again))
    record(
        "the clock is set back by a day while the study runs",
        f"Snakemake refuses what ends after that; then `{message}`",
        f"nothing: of the runs that were refused, {trained} had to be trained again",
        f"the same command made {counted(jobs(again))}; the same scores",
    )


def logs_of(study, output):
    """Logs of the runs that Snakemake started."""
    names = {line.split("log: ")[1] for line in output.splitlines() if "log: results" in line}
    return [(study.folder / name).read_text() for name in names if "/train/" in name]


def test_recordings_from_the_future(tmp_path):
    study = make(tmp_path)
    shift(tmp_path / "recordings", 1)  # unpacked from an archive of another time zone
    status, output = study.run("score")
    assert status == 0, output
    assert ended_alike(study)
    assert to_do(study) == {}
    message = clear_line(output, "the clock was ahead")
    record(
        "recordings and manifest with times of tomorrow, as from an archive",
        f"`{message}`",
        "nothing",
        "not needed: the study ended in one start; the same scores",
    )
