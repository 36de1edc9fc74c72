"""Runs as functions of the items that they read: what is attributed, and to what."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from math import prod

import numpy as np
import torch
from torch import Tensor, nn

from deepself.inference.running import LoadedRun
from deepself.networks.base import Network
from deepself.networks.layers import silence
from deepself.training.batch import Batch

VALUES = 2**20
"""Values that pass a network at once, about: of a picture of 224 × 224 pixels, seven copies."""

AT_ONCE = 64
"""Copies of an item that pass a network at once, at most."""


@dataclass(frozen=True)
class Effort:
    """How much may be computed.

    Attributes
    ----------
    steps, most_steps
        Of integrated gradients: to begin with, and at most, where their sum is not yet right.
    passes
        Parts of an item that occlusion hides, about; several windows share them.
    """

    steps: int = 64
    most_steps: int = 256
    passes: int = 256


@dataclass(frozen=True)
class Attributed:
    """What a method found of one run.

    Attributes
    ----------
    values
        float32 (rows, *shape) of each input.
    baselines
        In words, what each input was compared with; "" for none.
    about
        How it was done, in words.
    totals, differences
        (rows,): see `Completeness`; None of other methods.
    steps
        Of the integral.
    """

    values: list[np.ndarray]
    baselines: list[str]
    about: str
    totals: np.ndarray | None = None
    differences: np.ndarray | None = None
    steps: int = 0


@dataclass(frozen=True)
class Given:
    """Normalised items (rows, *shape) of each input, and true lengths (rows,) where there are."""

    items: list[Tensor]
    lengths: list[Tensor | None]

    def __len__(self) -> int:
        return len(self.items[0])

    @property
    def size(self) -> int:
        """Values of a row of all inputs."""
        return sum(prod(one.shape[1:]) for one in self.items)

    @property
    def at_once(self) -> int:
        """Rows that pass a network at once."""
        return max(1, min(AT_ONCE, VALUES // self.size))

    def rows(self, which: slice) -> "Given":
        """Some rows."""
        lengths = [None if one is None else one[which] for one in self.lengths]
        return Given([one[which] for one in self.items], lengths)

    def parts(self) -> list[slice]:
        """All rows, as many at a time as pass a network at once."""
        count = self.at_once
        return [slice(start, start + count) for start in range(0, len(self), count)]


class Logits(nn.Module):
    """The logits of whole items: the mean over those parts of them that predictions are made of.

    Parameters
    ----------
    run
        A network.
    """

    def __init__(self, run: LoadedRun):
        super().__init__()
        assert run.network is not None
        self.network: Network = run.network
        self._run = run

    def forward(self, *given: Tensor | None) -> Tensor:
        """Items of each input, then their true lengths, to logits (rows, classes)."""
        logits = [self.of_part(part) for part in self.parts(*given)]
        return torch.stack(logits).mean(0)

    def parts(self, *given: Tensor | None) -> list[Batch]:
        """The parts of items that predictions are made of; crops, or the items."""
        count = len(given) // 2
        items = tuple(one for one in given[:count] if one is not None)
        nothing = torch.zeros(len(items[0]), dtype=torch.int64, device=items[0].device)
        return self._run.crops.parts(Batch(items, nothing, tuple(given[count:])))

    def of_part(self, part: Batch) -> Tensor:
        """Logits of one part."""
        logits: Tensor = self.network(*self._run.precision.laid_out(part).arguments)
        return logits.float()


def answered(run: LoadedRun) -> Callable[..., Tensor]:
    """What is attributed: logits of a network, probabilities of a classifier."""
    if run.network is not None:
        return Logits(run)

    def classified(*given: Tensor | None) -> Tensor:
        assert given[0] is not None
        return torch.from_numpy(run.classified(given[0].flatten(1).numpy()))

    return classified


def gradients(run: LoadedRun) -> AbstractContextManager:
    """The context of a backward pass: cuDNN has none for recurrent layers in evaluation mode."""
    assert run.network is not None
    recurrent = any(isinstance(module, nn.RNNBase) for module in run.network.modules())
    if recurrent and run.device.startswith("cuda"):
        flags: AbstractContextManager = torch.backends.cudnn.flags(enabled=False)
        return flags
    return nullcontext()


def silent(values: np.ndarray, lengths: Tensor | None) -> np.ndarray:
    """Nothing beyond the true lengths."""
    return values if lengths is None else silence(torch.from_numpy(values), lengths.cpu()).numpy()


def numbers(values: Tensor) -> np.ndarray:
    """A tensor of any device as a float32 array."""
    found: np.ndarray = values.detach().float().cpu().numpy()
    return found
