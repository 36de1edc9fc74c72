"""What a run leaves, whatever trained it."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Snapshot:
    """What a cycle of the learning rate ended with.

    Attributes
    ----------
    epoch
        The cycle's last.
    probabilities, weights
        As an outcome has them.
    """

    epoch: int
    probabilities: dict[str, np.ndarray]
    weights: dict[str, np.ndarray]


@dataclass(frozen=True)
class Outcome:
    """The outcome of a run.

    Attributes
    ----------
    probabilities
        Of dev and test, or of what was asked for: float64, shape (rows, classes); a row a
        recording, or a window.
    best
        What was chosen on dev: an epoch, or a complexity.
    columns, history
        Names and rows of the history.
    parameters
        Number of trained values.
    weights
        All that is needed to predict, statistics of the normalisation included.
    seconds
        Taken by `train` and `predict`, snapshots included.
    stopped
        Why training ended: `epochs`, `patience`, `budget`, or why a search stopped it.
    notes, warnings
        What a reader of the results should know, and what may be wrong with them.
    part
        Items at a time, whose gradients were added up to a batch's; None for classifiers.
    snapshots
        What cycles ended with, in their order, where that is kept.
    energy
        Joules that the GPU took for training; None where they are not known.
    """

    probabilities: dict[str, np.ndarray]
    best: dict[str, Any]
    columns: tuple[str, ...]
    history: list[tuple]
    parameters: int
    weights: dict[str, np.ndarray]
    seconds: dict[str, float]
    stopped: str = ""
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    part: int | None = None
    snapshots: list[Snapshot] = field(default_factory=list)
    energy: float | None = None
