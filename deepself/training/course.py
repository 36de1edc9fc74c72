"""How one run of a network goes: its epochs, the best of them, and why it ends."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from deepself.errors import UserError
from deepself.evaluation.metrics import uar
from deepself.study.training import Training
from deepself.training.partitions import Partition
from deepself.training.predicting import to_numpy

HISTORY = ("epoch", "train_loss", "train_uar", "dev_loss", "dev_uar", "lr", "seconds")
"""Columns of a network's history."""

TOGETHER = 64
"""Batches whose classes are found at once."""


@dataclass
class Best:
    """The best epoch so far: highest UAR on dev; of equals, lowest dev loss, then the earliest.

    Attributes
    ----------
    epoch, uar, loss, weights
        The epoch, its UAR and loss on dev, and its weights.
    rose
        The last epoch in which the UAR was higher than ever before: patience counts from it.
    """

    epoch: int = 0
    uar: float = -1.0
    loss: float = math.inf
    weights: dict[str, Tensor] = field(default_factory=dict)
    rose: int = 0

    def beaten_by(self, uar: float, loss: float) -> bool:
        """Whether an epoch is better."""
        return (uar, -loss) > (self.uar, -self.loss)

    def followed_by(
        self, epoch: int, uar: float, loss: float, weights: dict[str, Tensor]
    ) -> "Best":
        """The best, now that there is a better one."""
        return Best(epoch, uar, loss, weights, epoch if uar > self.uar else self.rose)


@dataclass
class Pass:
    """An epoch on its way: its order, and what came of the batches that are done.

    Attributes
    ----------
    rows
        The order of the training items.
    losses, sizes
        Of each batch: its loss, and its number of items.
    predicted
        Classes of the items, in one piece for many batches.
    seconds
        What they took.
    """

    rows: Tensor
    losses: list[Tensor] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    predicted: list[Tensor] = field(default_factory=list)
    seconds: float = 0.0
    _logits: list[Tensor] = field(default_factory=list, init=False)

    @property
    def done(self) -> int:
        """How many batches are done."""
        return len(self.losses)

    def add(self, loss: Tensor, logits: Tensor) -> None:
        """A batch is done: its loss, and its logits (rows, classes)."""
        self.losses.append(loss)
        self.sizes.append(len(logits))
        self._logits.append(logits)
        # One operator a batch would be felt in the steps of a small network.
        if len(self._logits) == TOGETHER:
            self._predict()

    def _predict(self) -> None:
        if self._logits:
            self.predicted.append(torch.cat(self._logits).argmax(1))
            self._logits.clear()

    def outcome(self, targets: Tensor, classes: int) -> tuple[float, float]:
        """Mean loss of an item, and UAR, of a whole epoch."""
        self._predict()
        sizes = torch.tensor(self.sizes, dtype=torch.float64)
        loss = float((torch.stack(self.losses).cpu() * sizes).sum() / sizes.sum())
        drawn = to_numpy(targets)[to_numpy(self.rows)]
        return loss, uar(drawn, to_numpy(torch.cat(self.predicted)), classes)

    def state(self) -> dict[str, Any]:
        """All of it, for a checkpoint."""
        self._predict()
        return {item.name: getattr(self, item.name) for item in fields(self) if item.init}

    @staticmethod
    def of(state: Mapping[str, Any], device: torch.device) -> "Pass":
        """An epoch as it stood, on a device."""
        moved = {name: [one.to(device) for one in state[name]] for name in ("losses", "predicted")}
        return Pass(**{**state, **moved})


@dataclass
class Course:
    """The epochs of a run that are over.

    Attributes
    ----------
    best
        The best of them.
    history
        A row of `HISTORY` for each.
    stopped
        Why the run ended: `epochs`, `patience`, `budget`, or what its `watch` said; empty while
        it goes on.
    snapshots
        Weights that cycles of the learning rate ended with, by epoch; in the host's memory, where
        there is more room than on a GPU.
    """

    best: Best = field(default_factory=Best)
    history: list[tuple] = field(default_factory=list)
    stopped: str = ""
    snapshots: dict[int, dict[str, Tensor]] = field(default_factory=dict)

    def look(
        self,
        epoch: int,
        logits: Tensor,
        dev: Partition,
        classes: int,
        weights: Callable[[], dict[str, Tensor]],
    ) -> tuple[float, float]:
        """Loss and UAR of an epoch on dev; its weights are kept if they are the best so far.

        Parameters
        ----------
        epoch
            From 1.
        logits
            What the network says of dev: (rows, classes).
        dev, classes
            The partition, and the number of classes.
        weights
            Gives a copy of the weights.

        Raises
        ------
        UserError
            The loss is not finite.
        """
        loss, score = float(cross_entropy(logits, dev.targets)), dev.uar(logits, classes)
        if not math.isfinite(loss):
            raise UserError(f"epoch {epoch}: the dev loss is {loss}; lower training.lr")
        if self.best.beaten_by(score, loss):
            self.best = self.best.followed_by(epoch, score, loss, weights())
        return loss, score

    def keep(self, epoch: int, weights: Mapping[str, Tensor]) -> None:
        """Keep a copy of an epoch's weights as a snapshot (G. Huang et al., ICLR 2017)."""
        self.snapshots[epoch] = {
            name: value.to("cpu", copy=True) for name, value in weights.items()
        }

    def ended(self, settings: Training) -> str:
        """Why to stop by the epochs alone; empty where they say nothing against another one."""
        epoch = len(self.history)
        if epoch == settings.epochs:
            return "epochs"
        if settings.patience is not None and epoch - self.best.rose >= settings.patience:
            return "patience"
        return ""

    def state(self) -> dict[str, Any]:
        """All of it, for a checkpoint."""
        return {**vars(self), "best": vars(self.best)}

    def load(self, state: Mapping[str, Any], device: torch.device) -> None:
        """Go back to a state; the weights lie on a device."""
        weights = {key: value.to(device) for key, value in state["best"]["weights"].items()}
        self.best = Best(**{**state["best"], "weights": weights})
        self.history = [tuple(row) for row in state["history"]]
        self.stopped = state["stopped"]
        self.snapshots = dict(state["snapshots"])
