"""What one step, one fit and one job were measured to cost: `units.json`, read and applied."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from deepself.planning.work import Work

FILE = Path(__file__).with_name("units.json")
"""Made by `python benchmarks/unit_costs.py`."""


@dataclass(frozen=True)
class Units:
    """Costs on one core of the machine where they were measured.

    Attributes
    ----------
    about
        The machine, and the versions of what was measured.
    step, forward, memory
        Costs of what `Work` counts: seconds of a training step and of a pass without gradients,
        bytes of a training.
    missed_by
        Factors by which networks were missed that had been left out: of each of these, the median
        and the largest.
    classifiers
        Of each, seconds of a fit to one item of length 1, and the powers of items and length.
    start
        Seconds in which a job that trains starts up.
    process
        Bytes of a process that trains, before it reads an item.
    split, score, report, track
        Seconds: of none, and of each recording (`split`), row of predictions, or run (`track`).
    """

    about: dict
    step: list[float]
    forward: list[float]
    memory: list[float]
    missed_by: dict[str, dict[str, float]]
    classifiers: dict[str, list[float]]
    start: float
    process: float
    split: list[float]
    score: list[float]
    report: list[float]
    track: list[float]

    def step_seconds(self, work: Work, batch_size: int) -> float:
        """Of a training step of a batch."""
        return _sum(self.step, work.step(batch_size))

    def forward_seconds(self, work: Work, batch_size: int) -> float:
        """Of a batch that is only predicted."""
        return _sum(self.forward, work.forward(batch_size))

    def training_bytes(self, work: Work, batch_size: int) -> float:
        """Of a training, besides its items and its process."""
        return _sum(self.memory, work.memory(batch_size))

    def fit_seconds(self, classifier: str, items: float, length: int) -> float:
        """Of a fit of a classifier to items of a length."""
        once, of_items, of_length = self.classifiers[classifier]
        return once * max(items, 1) ** of_items * length**of_length


def _sum(costs: Sequence[float], amounts: Sequence[float]) -> float:
    return sum(cost * amount for cost, amount in zip(costs, amounts, strict=True))


@cache
def units() -> Units:
    """What was measured."""
    return Units(**json.loads(FILE.read_text(encoding="utf-8")))
