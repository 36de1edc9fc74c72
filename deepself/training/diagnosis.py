"""Networks that learn what they were trained on, and nothing else: said, with the likely cause."""

import math
from collections.abc import Callable, Sequence
from statistics import median

import numpy as np
from torch import Tensor

from deepself.training.partitions import Partition
from deepself.training.predicting import to_numpy

FELL = 0.8
"""A training loss that has come to this share of the first epoch's, or of chance's, has fallen."""

SIGMAS = 2.0
"""Standard errors above chance up to which a UAR counts as chance."""

LITTLE = 0.2
"""But no more than this share of the way from chance to 1, however few items there are."""


def at_chance(
    history: Sequence[tuple],
    dev: Partition,
    classes: int,
    steps: int,
    by_batch_statistics: Callable[[], Tensor | None],
) -> str | None:
    """Say so where a network stayed at chance on dev while its training loss fell.

    A frequent cause are running statistics of batch normalisations that a few steps have not
    settled: predicting dev with each batch's own statistics tells.

    Parameters
    ----------
    history
        A row for each epoch: epoch, training loss and UAR, dev loss and UAR.
    dev
        The partition that the epoch was chosen on.
    classes, steps
        Numbers of classes, and of steps of the optimiser.
    by_batch_statistics
        Gives logits of dev with the last weights and each batch's own statistics, or None where
        there is no batch normalisation.
    """
    first, last, best = history[0][1], history[-1][1], max(row[4] for row in history)
    labels = to_numpy(dev.targets) if dev.windows is None else dev.windows.labels
    limit = chance_limit(labels, classes)
    # Of many epochs the best passes the limit by chance; half of them do not.
    typical = median(row[4] for row in history[len(history) // 2 :])
    if typical > limit or last >= FELL * min(first, math.log(classes)):
        return None
    said = (
        f"at chance on dev (UAR {typical:.1%}, {best:.1%} at best; {1 / classes:.1%} by chance) "
        f"while the training loss fell to {last:.3f}"
    )
    logits = by_batch_statistics()
    if logits is not None and (found := dev.uar(logits, classes)) > limit:
        return (
            f"{said}: the running statistics of its batch normalisation have not settled in "
            f"{steps} steps (by each batch's own statistics UAR is {found:.1%}); train for more "
            "epochs, with smaller batches, or, where the network has it, normalisation: group"
        )
    return (
        f"{said}: it learns its items by heart; look whether the partitions differ in kind and "
        "the labels are right, or try a smaller network, augmentation or dropout"
    )


def chance_limit(targets: np.ndarray, classes: int) -> float:
    """UAR up to which a network counts as guessing.

    Two standard errors of a mean of recalls above chance, which guesses rarely pass; or less.
    """
    counts = np.bincount(targets, minlength=classes)
    present = counts[counts > 0]
    chance = 1 / classes
    variance = (chance * (1 - chance) / present).sum() / len(present) ** 2
    return chance + min(SIGMAS * math.sqrt(variance), LITTLE * (1 - chance))
