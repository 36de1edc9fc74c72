"""A trained run as a module: items of its features in, float64 probabilities out."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from deepself.inference.program.classifiers import classifier
from deepself.inference.running import LoadedRun
from deepself.networks.layers import silence, within
from deepself.training.batch import Batch
from deepself.training.data import REDUCED, Normaliser


class Run(nn.Module):
    """What `LoadedRun.probabilities` computes, but in float32 whatever the run's precision was.

    Parameters
    ----------
    run
        On the CPU.
    arrays
        Of its classifier, by their own names; none of a network.
    windowed
        Whether its items have an axis of windows behind that of the batch.
    """

    def __init__(self, run: LoadedRun, arrays: Mapping[str, np.ndarray], windowed: bool):
        super().__init__()
        self._crops, self._windowed = run.crops, windowed
        self.normalise = nn.ModuleList(
            _Normalise(normaliser) for normaliser in run.normalisers.values()
        )
        self.decide: nn.Module
        if run.spec.classifier is not None:
            self.decide = classifier(run.spec.classifier.type, arrays)
        else:
            assert run.network is not None
            _bound_once(run.network)
            self.decide = run.network
        self._is_network = run.network is not None

    def forward(self, items: Sequence[Tensor], lengths: Sequence[Tensor | None]) -> Tensor:
        """Give (batch, classes) of items (batch, [windows,] *shape) of each input."""
        count = items[0].shape[1] if self._windowed else 1
        if self._windowed:
            items = [one.flatten(0, 1) for one in items]
        items = [
            scale(one, length)
            for scale, one, length in zip(self.normalise, items, lengths, strict=True)
        ]
        rows = self._of_rows(items, lengths)
        return rows.unflatten(0, (-1, count)).mean(1) if self._windowed else rows

    def _of_rows(self, items: Sequence[Tensor], lengths: Sequence[Tensor | None]) -> Tensor:
        if not self._is_network:
            found: Tensor = self.decide(items[0].flatten(1))
            return found
        # No targets are looked at here.
        parts = self._crops.parts(Batch(tuple(items), items[0], tuple(lengths)))
        logits = [self.decide(*part.arguments).float() for part in parts]
        if len(logits) == 1:
            return logits[0].double().softmax(1)
        # The mean is kept as a logarithm in float32, as where runs are trained and predict.
        shares = torch.stack([one.double().softmax(1) for one in logits]).mean(0)
        return shares.log().float().double().softmax(1)


def _bound_once(network: nn.Module) -> None:
    """Bound the norms of weights now: braindecode's layers do so at each pass, as no graph can."""
    for module in network.modules():
        norm = getattr(module, "max_norm", None)
        if isinstance(module, nn.Conv2d) and isinstance(norm, int | float):
            weight = module.weight.data
            module.weight.data = torch.renorm(weight, p=2, dim=0, maxnorm=float(norm))
            module.__class__ = nn.Conv2d


class _Normalise(nn.Module):
    """Items (rows, *shape) by the training partition's statistics, or each by its own."""

    mean: Tensor | None
    deviation: Tensor | None

    def __init__(self, normaliser: Normaliser):
        super().__init__()
        self._per_item = normaliser.per_item
        for name in ("mean", "deviation"):
            value = getattr(normaliser, name)
            self.register_buffer(name, None if value is None else torch.from_numpy(value))

    def forward(self, items: Tensor, lengths: Tensor | None) -> Tensor:
        if self._per_item:
            scaled = _by_itself(items, lengths)
        elif self.mean is None or self.deviation is None:
            return items
        else:
            scaled = (items - self.mean) / self.deviation
        return scaled if lengths is None else silence(scaled, lengths)


def _by_itself(items: Tensor, lengths: Tensor | None) -> Tensor:
    """Each item by the mean and deviation of its channels, in float64."""
    axes = REDUCED["item"](items.ndim)
    count = torch.ones_like(items) if lengths is None else within(items, lengths).expand_as(items)
    inside = count.double()
    counted = inside.sum(axes, keepdim=True).clamp(min=1) if axes else inside
    mean = items.double() * inside
    mean = (mean.sum(axes, keepdim=True) if axes else mean) / counted
    centred = items - mean.float()
    square = centred.double().square() * inside
    square = (square.sum(axes, keepdim=True) if axes else square) / counted
    deviation = square.sqrt().float()
    return centred / torch.where(deviation == 0, torch.ones_like(deviation), deviation)
