"""Watching: which runs of a study are on their way, on this machine or others; without torch."""

import json
import os
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from deepself.errors import UserError
from deepself.study.identity import read_dataset
from deepself.study.layout import Layout
from deepself.study.schema import Study
from deepself.training.progress import FILE, Sign

SILENT = 60.0
"""Seconds without a sign of life after which a run is marked."""


@dataclass(frozen=True)
class Seen:
    """A run that is on its way, or has ended without a result.

    Attributes
    ----------
    model, fold, seed
        Which run.
    sign
        Its last sign of life.
    trouble
        What is wrong with it, in a word or two; empty while it runs.
    """

    model: str
    fold: str
    seed: int
    sign: Sign
    trouble: str = ""


@dataclass
class View:
    """A study's runs at a moment.

    Attributes
    ----------
    total, finished
        How many runs the study has, and how many have ended with a result. There are none before
        its folds are known.
    runs
        The others that have begun, in the study's order.
    """

    total: int = 0
    finished: int = 0
    runs: list[Seen] = field(default_factory=list)


def look(study: Study, layout: Layout) -> View:
    """See how far each run of a study is."""
    view = View()
    try:
        folds = read_dataset(layout)["folds"]
    except UserError:
        return view
    for name, fold, seed, result in _results(study, layout, folds):
        view.total += 1
        sign, ended = read_sign(result.parent), _written(result)
        # A result that is older than the sign is that of an earlier training.
        if ended and (sign is None or sign.state == "finished" or sign.written < ended):
            view.finished += 1
        elif sign is not None and not _is_over(sign):
            view.runs.append(Seen(name, fold, seed, sign, trouble(sign)))
    return view


def _results(
    study: Study, layout: Layout, folds: list[str]
) -> Iterator[tuple[str, str, int, Path]]:
    """The record that each training of a study leaves: of trials first, then of runs."""
    for name, model in study.models.items():
        for fold in folds:
            for number in range(model.trials):
                trial = layout.trial(name, fold, number) / "trial.json"
                yield f"{name} trial {number}", fold, study.seeds[0], trial
        for fold in folds:
            for seed in study.seeds:
                yield name, fold, seed, layout.run(name, fold, seed) / "run.json"


def read_sign(folder: Path) -> Sign | None:
    """The last sign of life of a run; None where there is none that can be read."""
    try:
        return Sign(**json.loads((folder / FILE).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def trouble(sign: Sign) -> str:
    """What is wrong with a run, if anything."""
    if sign.state in ("failed", "stopped"):
        return sign.state
    if sign.host == socket.gethostname() and not _lives(sign.pid):
        return "gone"
    silence = time.time() - sign.written
    return f"silent {silence:.0f} s" if silence > SILENT else ""


def _is_over(sign: Sign) -> bool:
    """Whether a training has ended whose result was taken away: it waits to be made again."""
    return sign.state == "finished" and bool(trouble(sign))


def _written(path: Path) -> float:
    """When a file was written, in seconds since 1970; 0 where there is none."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it is another user's
        return True
    return True
