"""Weight averaging: predict with a moving average of the weights that training went through."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn


class Averaging:
    """An exponential moving average of a network's weights (and of what it has counted).

    After the n-th step (from 0) the average is moved towards the weights by 1 - d, where
    d = min(decay, (1 + n) / (10 + n)): early on, when the weights still move fast, it forgets
    fast. Statistics of batch normalisations are averaged with the weights that they belong to;
    integers, such as a number of batches, are copied.

    Parameters
    ----------
    network
        The network, or its tensors by name.
    decay
        Between 0 and 1; an average over about 1 / (1 - decay) steps.

    Notes
    -----
    B. T. Polyak, A. B. Juditsky, "Acceleration of Stochastic Approximation by Averaging", SIAM J.
    Control Optim. 30, 1992; the rise of the decay is that of TensorFlow's
    `ExponentialMovingAverage(decay, num_updates)`.
    """

    def __init__(self, network: nn.Module | Mapping[str, Tensor], decay: float):
        named, keyed = (network, network) if isinstance(network, Mapping) else _tensors(network)
        moving = {name: t for name, t in named.items() if t.is_floating_point()}
        copied = {name: t for name, t in named.items() if not t.is_floating_point()}
        both = {**moving, **copied}
        place = {id(tensor): i for i, tensor in enumerate(both.values())}
        # A tensor that two layers share is averaged once, and has two keys.
        self._places = {key: place[id(tensor)] for key, tensor in keyed.items()}
        self._names, self._tensors = list(both), list(both.values())
        self._moving = len(moving)
        self._averages = [tensor.detach().clone() for tensor in self._tensors]
        self._decay, self._steps = decay, 0

    @torch.no_grad()
    def update(self) -> None:
        """Move the average; after each step of the optimiser."""
        decay = min(self._decay, (1 + self._steps) / (10 + self._steps))
        self._steps += 1
        m = self._moving
        torch._foreach_lerp_(self._averages[:m], self._tensors[:m], 1 - decay)
        if m < len(self._tensors):
            torch._foreach_copy_(self._averages[m:], self._tensors[m:])

    @contextmanager
    def swapped(self) -> Iterator[None]:
        """Within the block, the network holds the average; afterwards its own weights again."""
        own = [tensor.detach().clone() for tensor in self._tensors]
        self._fill(self._averages)
        try:
            yield
        finally:
            self._fill(own)

    def state_dict(self) -> dict[str, Tensor]:
        """The averages, by the keys of the network's own `state_dict`; not copies."""
        return {key: self._averages[place] for key, place in self._places.items()}

    def state(self) -> dict[str, Any]:
        """What a checkpoint needs: the number of steps, and the averages by name; not copies."""
        averages = dict(zip(self._names, self._averages, strict=True))
        return {"steps": self._steps, "averages": averages}

    @torch.no_grad()
    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on from a checkpoint."""
        self._steps = state["steps"]
        for name, average in zip(self._names, self._averages, strict=True):
            average.copy_(state["averages"][name])

    @torch.no_grad()
    def _fill(self, values: list[Tensor]) -> None:
        if values:
            torch._foreach_copy_(self._tensors, values)


def _tensors(network: nn.Module) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """All tensors of a network, each once; and those of its `state_dict`."""
    each = {**dict(network.named_parameters()), **dict(network.named_buffers())}
    kept = network.state_dict(keep_vars=True)
    return each, {key: tensor for key, tensor in kept.items() if isinstance(tensor, Tensor)}
