"""The last layer of a network that learns without labels: a linear classifier, fitted."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from deepself.networks.base import Unsupervised
from deepself.training.classifiers.probabilities import choose_temperature
from deepself.training.losses import class_weights
from deepself.training.partitions import Partition

COMPLEXITIES = tuple(float(c) for c in np.geomspace(1e-5, 10, 7))
"""Values of C that are tried on dev, of equals the least."""


def fit_head(
    network: Unsupervised,
    embedded: tuple[Tensor, Tensor],
    train: Partition,
    dev: Partition,
    classes: int,
) -> None:
    """Fit the classifier of a network to the embeddings of the training partition.

    A linear least-squares support vector machine, one class against the rest: with rows x of
    weights v that are balanced over the classes, and y of 1 or -1, each class's w and b minimise

        |w|² / 2 + C / 2 Σ v (y - w·x - b)²,

    which is solved at once for all classes. C is chosen on dev; so is the temperature by which the
    scores become logits. (J. A. K. Suykens, J. Vandewalle, "Least Squares Support Vector Machine
    Classifiers", Neural Processing Letters 9, 1999.)

    Parameters
    ----------
    network
        Whose classifier is set.
    embedded
        Embeddings of both partitions, (rows, embedding_size).
    train, dev
        The partitions.
    classes
        Number of classes.
    """
    rows, others = (one.detach().double().cpu() for one in embedded)
    targets = train.targets.cpu()
    mean, deviation = rows.mean(0), rows.std(0, correction=0)
    deviation = torch.where(deviation > 0, deviation, torch.ones_like(deviation))
    rows, others = (rows - mean) / deviation, (others - mean) / deviation
    best = -1.0
    for weights, intercepts in _machines(rows, targets, classes):
        scores = others @ weights + intercepts
        found = dev.uar(scores, classes)
        if found > best:
            best, chosen = found, (weights, intercepts, scores)
    weights, intercepts, scores = chosen
    temperature = choose_temperature(scores.numpy(), dev.targets.cpu().numpy())
    weights = weights / deviation[:, None] / temperature
    intercepts = intercepts / temperature - mean @ weights
    with torch.no_grad():
        network.classifier.weight.copy_(weights.T)
        network.classifier.bias.copy_(intercepts)


def _machines(rows: Tensor, targets: Tensor, classes: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Weights (features, classes) and intercepts (classes,) for each C, the least first."""
    counted = class_weights(targets, classes).double()[targets][:, None]
    signs = 2.0 * torch.nn.functional.one_hot(targets, classes).double() - 1.0
    share = counted / counted.sum()
    middle, offset = (share * rows).sum(0), (share * signs).sum(0)
    rows, signs = rows - middle, signs - offset
    values, vectors = torch.linalg.eigh(rows.T @ (counted * rows))
    turned = vectors.T @ (rows.T @ (counted * signs))
    for complexity in COMPLEXITIES:
        weights = vectors @ (turned / (values.clamp_min(0)[:, None] + 1 / complexity))
        yield weights, offset - middle @ weights
