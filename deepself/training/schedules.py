"""Schedules: the learning rate of each step of the optimiser, as a share of its value."""

import math
from bisect import bisect_right
from typing import Any

import torch

from deepself.study.training import AnySchedule, Cosine, Exponential, OneCycle, Plateau, Step


class Schedule:
    """The learning rate as a function of the step.

    In a warm-up of `n` steps, the `k`-th of them (from 1) has the share `k / (n + 1)`: even steps
    from 0, which no step has, to 1, which the first step after them has (P. Goyal et al.,
    "Accurate, Large Minibatch SGD", 2017, section 2.2). There the schedule begins: `step` and
    `exponential` count their epochs from there, and a cosine spans what remains, or its cycles do,
    each of which ends with an epoch.

    Parameters
    ----------
    settings
        Which schedule.
    steps_per_epoch
        Steps of the optimiser in an epoch.
    epochs
        Epochs of the whole training.
    """

    def __init__(self, settings: AnySchedule, steps_per_epoch: int, epochs: int):
        self._settings, self._per_epoch = settings, steps_per_epoch
        warmup = round(settings.warmup * steps_per_epoch)
        self._warmup = max(1, warmup) if settings.warmup else 0
        self._steps = steps_per_epoch * epochs - self._warmup
        # Of cosine alone: the steps after the warm-up at which it begins, anew, and ends.
        ends = settings.ends(epochs) if isinstance(settings, Cosine) else []
        self._bounds = [0, *(steps_per_epoch * epoch - self._warmup for epoch in ends)]
        # Of plateau alone: what it has seen on dev.
        self._best, self._waited, self._epochs, self._cuts = -math.inf, 0, 0, 0

    def factor(self, step: int) -> float:
        """The share of the learning rate that a step, from 0 over the whole training, is made with.

        It depends on nothing but the step; with `plateau`, on the epochs before it, too.
        """
        if step < self._warmup:
            return (step + 1) / (self._warmup + 1)
        step -= self._warmup
        match self._settings:
            case Step(every=every, factor=factor):
                return factor ** (step // (every * self._per_epoch))
            case Exponential(factor=factor):
                return factor ** (step // self._per_epoch)
            case Cosine(final=final):
                return _half_cosine(1.0, final, self._share_of_cycle(step))
            case OneCycle() as settings:
                return self._one_cycle(settings, step)
            case Plateau(factor=factor):
                return factor**self._cuts
        return 1.0

    def _share_of_cycle(self, step: int) -> float:
        """How much of a cosine's cycle is over before a step after the warm-up."""
        cycle = min(bisect_right(self._bounds, step), len(self._bounds) - 1)
        start, end = self._bounds[cycle - 1 : cycle + 1]
        return (step - start) / max(1, end - start)

    def _one_cycle(self, settings: OneCycle, step: int) -> float:
        """Two half cosines (L. N. Smith, N. Topin, "Super-Convergence", 2018), as in torch."""
        last = self._steps - 1
        peak = max(0.0, settings.rise * self._steps - 1)
        if step <= peak:
            return _half_cosine(settings.start, 1.0, step / peak if peak else 1.0)
        return _half_cosine(1.0, settings.final, (step - peak) / (last - peak))

    def epoch_ends(self, dev_uar: float) -> None:
        """Tell what an epoch reached on dev; `plateau` alone looks at it.

        Epochs of the warm-up do not count as waiting: the learning rate is still on its way up.
        """
        if not isinstance(self._settings, Plateau):
            return
        self._epochs += 1
        if dev_uar > self._best:
            self._best, self._waited = dev_uar, 0
        elif self._epochs * self._per_epoch > self._warmup:
            self._waited += 1
        if self._waited >= self._settings.patience:
            self._cuts, self._waited = self._cuts + 1, 0

    def state(self) -> dict[str, Any]:
        """What a checkpoint needs beside the step, as JSON can hold it."""
        if not self._epochs:
            return {}
        names = ("best", "waited", "epochs", "cuts")
        return {name: getattr(self, f"_{name}") for name in names}

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        for name, value in state.items():
            setattr(self, f"_{name}", value)


def _half_cosine(start: float, end: float, share: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2


def set_lr(optimiser: torch.optim.Optimizer, factor: float) -> None:
    """Give each group of an optimiser a share of the learning rate that it began with."""
    for group in optimiser.param_groups:
        group["lr"] = group["initial_lr"] * factor
