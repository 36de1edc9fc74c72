"""Greedy selection: members are picked one after the other, again and again.

R. Caruana et al., "Ensemble Selection from Libraries of Models", ICML 2004: with replacement, and
starting from the best members, both of which keep the selection from fitting dev too closely.
"""

from dataclasses import dataclass

import numpy as np

from deepself.fusion.combine import Dev
from deepself.fusion.rules import LEAST

AT_ONCE = 4_000_000
"""Probabilities that a round looks at in one piece."""


@dataclass(frozen=True)
class Picks:
    """What was picked.

    Attributes
    ----------
    order
        Indices of the candidates, in the order in which they were picked.
    counts
        How often each candidate was picked, shape (candidates,).
    """

    order: list[int]
    counts: np.ndarray

    @property
    def weights(self) -> np.ndarray:
        """Weight of each candidate in the mean, shape (candidates,)."""
        return self.counts / self.counts.sum()


def pick(dev: Dev, rounds: int, initial: int) -> Picks:
    """Pick candidates for the highest UAR of their mean on dev.

    Each round adds the candidate with which the mean of all picks has the highest UAR on dev; of
    several, that with the lowest log loss, then the first. The picks end where they were best, by
    the same order: of equal ones the fewest.

    Parameters
    ----------
    dev
        What the picks are judged by.
    rounds
        Picks after the initial ones.
    initial
        Picks to start with: the best candidates, each once.
    """
    judge = _Judge(dev)
    total = np.zeros(dev.probabilities.shape[1:])
    order: list[int] = []
    course: list[tuple[float, float]] = []
    start: list[int] = []
    for place in range(min(initial, len(dev.probabilities)) + rounds):
        negative, loss = judge.with_each(total, place + 1)
        ranked = np.lexsort((loss, negative)).tolist()  # by UAR first; equal ones stay in order
        if place == 0:
            start = ranked[:initial]
        chosen = start[place] if place < len(start) else ranked[0]
        order.append(chosen)
        course.append((float(negative[chosen]), float(loss[chosen])))
        total += dev.probabilities[chosen]
    lengths = range(max(1, len(start)), len(order) + 1)
    end = min(lengths, key=lambda length: course[length - 1])
    counts = np.bincount(order[:end], minlength=len(dev.probabilities))
    return Picks(order[:end], counts)


class _Judge:
    """Scores of all ways to pick one candidate more."""

    def __init__(self, dev: Dev):
        self._probabilities, self._true = dev.probabilities, dev.true
        classes = np.arange(dev.probabilities.shape[2])
        held = (dev.true[:, None] == classes).astype(np.float64)
        present = held.any(axis=0)
        self._held = held[:, present]
        self._items = self._held.sum(axis=0)
        rows = np.arange(len(dev.true))
        self._of_true = dev.probabilities[:, rows, dev.true]

    def with_each(self, total: np.ndarray, picks: int) -> tuple[np.ndarray, np.ndarray]:
        """Minus the UAR, and the log loss, with each candidate: both (candidates,), lower better.

        Parameters
        ----------
        total
            Sum of the probabilities picked so far, shape (items, classes).
        picks
            How many there then are.
        """
        candidates = len(self._probabilities)
        step = max(1, AT_ONCE // total.size)
        right = np.empty((candidates, len(total)))
        for start in range(0, candidates, step):
            part = slice(start, start + step)
            predicted = (self._probabilities[part] + total).argmax(axis=2)
            right[part] = predicted == self._true
        # What differs by the rounding of sums alone is equal.
        uar = ((right @ self._held) / self._items).mean(axis=1).round(12)
        so_far = total[np.arange(len(total)), self._true]
        mixed = np.maximum((self._of_true + so_far) / picks, LEAST)
        return -uar, -np.log(mixed).mean(axis=1).round(12)
