"""Several networks of one kind as one: their weights stacked, one operator for all of them.

The mathematics is that of each alone (`torch.func.vmap` over the networks); sums are taken in
another order, so the last digits differ.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from deepself.networks.base import Network
from deepself.study.training import Training
from deepself.training.batch import Batch

TIMED = 3
"""Steps that are timed each way."""


def obstacle(network: nn.Module, settings: Training) -> str | None:
    """Why runs of a network cannot be trained side by side; None where they can.

    Parameters
    ----------
    network
        One of them.
    settings
        Of their training.
    """
    for module in network.modules():
        if isinstance(module, nn.RNNBase):
            return "recurrent layers cannot be stacked"
        if isinstance(module, nn.modules.dropout._DropoutNd) and module.p > 0:
            return "its dropout would draw other numbers"
    given = {
        "micro_batch": settings.micro_batch is not None,
        "averaging": settings.averaging is not None,
        "clip_norm": settings.clip_norm is not None,
        "compile": settings.compile,
        "channels_last": settings.channels_last,
        "fine_tuning": settings.fine_tuning is not None,
        "budget": settings.budget is not None,
    }
    for name, used in given.items():
        if used:
            return f"training.{name} is each run's own"
    if settings.precision != "float32":
        return f"training.precision is {settings.precision}"
    if settings.schedule.type == "plateau":
        return "a plateau is each run's own"
    if settings.optimizer == "adafactor":
        return "adafactor looks at whole matrices"
    return None


class Stacked:
    """Networks of one kind, computed at once.

    Parameters
    ----------
    networks
        With their first weights, on one device.

    Attributes
    ----------
    network
        One of them; it computes for all, and can be given the weights of any.
    parameters, buffers
        Weights, and what else a network keeps, of all: (networks, *shape), by name.
    """

    def __init__(self, networks: Sequence[Network]):
        self.network, self._count = networks[0], len(networks)
        self.parameters, self.buffers = stack_module_state(list(networks))

    def __call__(self, numbers: Sequence[int], given: Sequence[Batch]) -> Tensor:
        """Logits (networks, rows, classes) of some of the networks, of a batch each.

        The batches have equal shapes.
        """
        arguments = _stack([batch.arguments for batch in given])
        every = len(numbers) == self._count
        parameters, buffers = self.parameters, self.buffers
        if not every:
            which = list(numbers)
            parameters = {k: v[which] for k, v in parameters.items()}
            buffers = {k: v[which] for k, v in buffers.items()}
        logits = vmap(self._call, in_dims=(0, 0, _axes(arguments)))(parameters, buffers, arguments)
        if not every:
            for name, values in buffers.items():
                self.buffers[name][which] = values
        return logits

    def _call(self, parameters: dict, buffers: dict, arguments: tuple) -> Tensor:
        return functional_call(self.network, (parameters, buffers), arguments)

    def weights(self, number: int) -> dict[str, Tensor]:
        """A copy of the weights and buffers of one network."""
        both = {**self.parameters, **self.buffers}
        kept = self.network.state_dict()  # without what a network does not store
        return {name: both[name][number].detach().clone() for name in kept}

    def state(self) -> dict[str, dict[str, Tensor]]:
        """All weights, for a checkpoint."""
        return {
            "parameters": {name: values.detach() for name, values in self.parameters.items()},
            "buffers": self.buffers,
        }

    @torch.no_grad()
    def load(self, state: Mapping[str, Mapping[str, Tensor]]) -> None:
        """Go back to a state."""
        for own, kept in ((self.parameters, "parameters"), (self.buffers, "buffers")):
            for name, value in own.items():
                value.copy_(state[kept][name])

    def gain(self, given: Sequence[Batch]) -> str:
        """What a step of all takes, and one after the other; in words, measured.

        Parameters
        ----------
        given
            A batch for each network, of equal shapes.
        """
        kept = {name: values.clone() for name, values in self.buffers.items()}
        self.network.train()
        numbers = range(self._count)
        together = _least(lambda: self(numbers, given).sum().backward())
        single = _least(lambda: self._first(given[0]).sum().backward()) * len(given)
        for parameter in self.parameters.values():
            parameter.grad = None
        for name, values in kept.items():
            self.buffers[name].copy_(values)
        return (
            f"{len(given)} runs side by side: {together * 1e3:.1f} ms a step, {single * 1e3:.1f} "
            f"ms one after the other: {single / together:.2f} times as fast"
        )

    def _first(self, batch: Batch) -> Tensor:
        """Logits (rows, classes) of the first network alone."""
        parameters = {k: v[0] for k, v in self.parameters.items()}
        buffers = {k: v[0] for k, v in self.buffers.items()}
        return self._call(parameters, buffers, batch.arguments)


def _axes(arguments: Any) -> Any:
    """Which axis of each argument the networks lie along: none of what is not there."""
    if arguments is None:
        return None
    return 0 if isinstance(arguments, Tensor) else tuple(map(_axes, arguments))


def _stack(arguments: Sequence[Any]) -> Any:
    """Arguments of several calls, stacked: tensors, or tuples of them."""
    if isinstance(arguments[0], Tensor):
        return torch.stack(list(arguments))
    if arguments[0] is None:
        return None
    return tuple(_stack(one) for one in zip(*arguments, strict=True))


def _least(step: Callable[[], object]) -> float:
    """Least seconds of a step."""
    seconds = []
    for _ in range(TIMED):
        start = time.perf_counter()
        step()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - start)
    return min(seconds)
