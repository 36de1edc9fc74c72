"""The training loop: batches in, the weights of the best epoch on dev out."""

import math
import sys
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from tqdm import tqdm

from deepself.errors import UserError
from deepself.evaluation.metrics import uar
from deepself.networks.base import Network
from deepself.study.training import Training
from deepself.training.data import Part
from deepself.training.fine_tuning import Thawing

HISTORY = ("epoch", "train_loss", "train_uar", "dev_loss", "dev_uar", "lr", "seconds")
"""Columns of a network's history."""


@dataclass(frozen=True)
class Tensors:
    """One partition on its device.

    Attributes
    ----------
    items
        Rows (rows, *shape) of each input: one, or one a branch.
    targets
        Index of each row's class (rows,).
    lengths
        True lengths of the rows of each input; None where all are full.
    windows
        The partition, where its rows are windows of recordings, else None.
    """

    items: tuple[Tensor, ...]
    targets: Tensor
    lengths: tuple[Tensor | None, ...] = (None,)
    windows: Part | None = None

    def batch(self, rows: Tensor | slice) -> tuple[Any, ...]:
        """What a network is given of some rows: their items, and their true lengths if any."""
        items = tuple(one[rows] for one in self.items)
        lengths = tuple(None if one is None else one[rows] for one in self.lengths)
        if len(items) > 1:
            return items, lengths
        return items if lengths[0] is None else (items[0], lengths[0])

    def uar(self, logits: Tensor, classes: int) -> float:
        """UAR over recordings: windows' probabilities are averaged first."""
        if self.windows is None:
            return uar(to_numpy(self.targets), to_numpy(logits.argmax(1)), classes)
        means = self.windows.by_recording(to_numpy(logits.double().softmax(1)))
        return uar(self.windows.labels, means.argmax(1), classes)


@dataclass(frozen=True)
class Trained:
    """The best epoch, and a row of `HISTORY` for every epoch. The network holds its weights."""

    epoch: int
    history: list[tuple]


def train_network(
    network: Network,
    train: Tensors,
    dev: Tensors,
    settings: Training,
    classes: int,
    order: torch.Generator,
) -> Trained:
    """Train a network and leave in it the weights of the best epoch.

    The best epoch has the highest UAR on dev; of equals, the lowest dev loss, then the earliest.

    Parameters
    ----------
    network
        Gives logits (batch, classes); its weights are changed in place.
    train, dev
        The two partitions it may see.
    settings
        Epochs, batch size, optimiser, class weights.
    classes
        Number of classes.
    order
        Draws the order of the training items, anew in each epoch.

    Raises
    ------
    UserError
        The loss is not finite.
    """
    thawing = Thawing(network, settings.fine_tuning)
    optimiser = make_optimiser(thawing.groups(settings.lr), settings)
    weights = class_weights(train.targets, classes) if settings.class_weights != "none" else None
    best: tuple[float, float] = (-1.0, math.inf)
    best_epoch, best_state = 0, {}
    history = []
    epochs = tqdm(
        range(1, settings.epochs + 1), unit="epoch", disable=not sys.stderr.isatty(), leave=False
    )
    for epoch in epochs:
        start = time.perf_counter()
        thawing.start(epoch)
        try:
            train_loss, train_uar = train_epoch(
                network, train, optimiser, weights, settings.batch_size, classes, order
            )
        except ValueError as error:  # batch normalisation over a single value
            raise UserError(f"training.batch_size is {settings.batch_size}: {error}") from None
        except torch.OutOfMemoryError:
            raise UserError(
                f"training.batch_size is {settings.batch_size}: the GPU's memory does not hold it; "
                "lower it"
            ) from None
        except RuntimeError as error:
            if "can't allocate" in str(error):
                raise UserError(
                    f"training.batch_size is {settings.batch_size}: this machine's memory does "
                    "not hold it; lower it"
                ) from None
            if "deterministic" not in str(error):
                raise
            reason = str(error).split(".")[0]
            raise UserError(f"this network cannot be trained on a GPU: {reason}") from None
        logits = predict(network, dev, settings.batch_size)
        dev_loss = float(cross_entropy(logits, dev.targets))
        for part, loss in (("training", train_loss), ("dev", dev_loss)):
            if not math.isfinite(loss):
                raise UserError(f"epoch {epoch}: the {part} loss is {loss}; lower training.lr")
        dev_uar = dev.uar(logits, classes)
        if (dev_uar, -dev_loss) > (best[0], -best[1]):
            best, best_epoch = (dev_uar, dev_loss), epoch
            best_state = {k: v.detach().clone() for k, v in network.state_dict().items()}
        seconds = time.perf_counter() - start
        history.append((epoch, train_loss, train_uar, dev_loss, dev_uar, settings.lr, seconds))
        _say(epochs, epoch, train_loss, dev_loss, dev_uar, best[0])
    network.load_state_dict(best_state)
    return Trained(best_epoch, history)


def train_epoch(
    network: nn.Module,
    train: Tensors,
    optimiser: torch.optim.Optimizer,
    weights: Tensor | None,
    batch_size: int,
    classes: int,
    order: torch.Generator,
) -> tuple[float, float]:
    """Train for one epoch; return the mean loss and the UAR of the predictions made on the way.

    The network is in training mode, but for what is frozen.
    """
    shuffled = torch.randperm(len(train.targets), generator=order).to(train.targets.device)
    total = torch.zeros((), device=train.targets.device)
    predicted = torch.empty_like(train.targets)
    for batch in batches(shuffled, batch_size):
        logits = network(*train.batch(batch))
        loss = cross_entropy(logits, train.targets[batch], weights)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        total += loss.detach() * len(batch)
        predicted[batch] = logits.detach().argmax(1)
    score = uar(to_numpy(train.targets), to_numpy(predicted), classes)
    return float(total) / len(shuffled), score


@torch.no_grad()
def predict(network: nn.Module, part: Tensors, batch_size: int) -> Tensor:
    """Logits (rows, classes) of a network in evaluation mode."""
    network.eval()
    starts = range(0, len(part.targets), batch_size)
    return torch.cat([network(*part.batch(slice(s, s + batch_size))) for s in starts])


def batches(order: Tensor, batch_size: int) -> tuple[Tensor, ...]:
    """Cut an order into batches of `batch_size` or fewer that differ by one item at most.

    Equal batches weigh items alike. A batch of one item, which would break batch normalisation,
    joins another, unless batches of one were asked for.
    """
    count = math.ceil(len(order) / batch_size)
    if batch_size > 1:
        count = max(1, min(count, len(order) // 2))
    return torch.tensor_split(order, count)


def class_weights(targets: Tensor, classes: int) -> Tensor:
    """Weights inverse to each class's share of the targets, in the order of the classes.

    They average to 1 over the items; a class without items weighs nothing.
    """
    counts = torch.bincount(targets, minlength=classes).to(torch.float32)
    present = counts > 0
    weights = torch.zeros_like(counts)
    weights[present] = len(targets) / (present.sum() * counts[present])
    return weights


def make_optimiser(groups: list[dict], settings: Training) -> torch.optim.Optimizer:
    """The optimiser that the settings name, over groups of parameters with their learning rates."""
    if settings.optimizer == "sgd":
        return torch.optim.SGD(
            groups,
            lr=settings.lr,
            momentum=settings.momentum,
            weight_decay=settings.weight_decay,
        )
    return torch.optim.Adam(groups, lr=settings.lr, weight_decay=settings.weight_decay)


def to_numpy(values: Tensor) -> np.ndarray:
    """A tensor of any device as an array."""
    return values.detach().cpu().numpy()


def _say(
    epochs: tqdm, epoch: int, train_loss: float, dev_loss: float, dev_uar: float, best: float
) -> None:
    """A bar on a terminal, one line an epoch in a job's log."""
    if epochs.disable:
        print(
            f"epoch {epoch}/{len(epochs)} train loss {train_loss:.4f} dev loss {dev_loss:.4f} "
            f"dev UAR {dev_uar:.1%} best {best:.1%}",
            flush=True,
        )
    else:
        epochs.set_postfix_str(
            f"loss {train_loss:.3f} dev UAR {dev_uar:.1%} best {best:.1%}", refresh=False
        )
