"""Numbers of 16 bits where they do, layouts in memory, and compiled networks."""

import copy
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn

from deepself.errors import UserError
from deepself.study.training import Training
from deepself.training.batch import Batch

TYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}
TIMED = 5
"""Steps that are timed, of a network compiled and not."""


class Precision:
    """Automatic mixed precision, the scale that keeps gradients of fp16 from vanishing, layout.

    Parameters
    ----------
    settings
        `precision` and `channels_last`.
    device
        Type of the device.
    """

    def __init__(self, settings: Training, device: str):
        self._type, self._device = TYPES.get(settings.precision), device
        self._channels_last = settings.channels_last
        self.scaler = torch.amp.GradScaler(device, enabled=settings.precision == "fp16")

    def __call__(self) -> AbstractContextManager:
        """The context of a forward pass."""
        if self._type is None:
            return nullcontext()
        return torch.autocast(self._device, dtype=self._type)

    def lay_out(self, network: nn.Module) -> None:
        """Keep the weights of two-dimensional convolutions channels last, if asked."""
        if self._channels_last:
            network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def laid_out(self, batch: Batch) -> Batch:
        """Keep items of four axes channels last, if asked."""
        if not self._channels_last:
            return batch
        items = tuple(
            one.contiguous(memory_format=torch.channels_last) if one.ndim == 4 else one
            for one in batch.items
        )
        return Batch(items, batch.targets, batch.lengths)


def compiled(network: nn.Module, batch: Batch, precision: Precision) -> tuple[Callable, str]:
    """A network compiled by torch, and in words what that gains.

    A copy of the network is timed both ways first, so that neither weights nor statistics change.

    Parameters
    ----------
    network
        In training mode.
    batch
        Some training items, on the device.
    precision
        Of the forward pass.

    Raises
    ------
    UserError
        It cannot be compiled here.
    """
    torch.use_deterministic_algorithms(True)  # of the compiler, too
    torch._dynamo.reset()  # what an earlier run in this process left would change this one's bits
    trial = copy.deepcopy(network)
    with torch.random.fork_rng():  # drop-out draws
        try:
            plain = _seconds(trial, batch, precision)
        except (RuntimeError, ValueError):
            return network, "not compiled: it cannot be timed"  # the first step says why
        start = time.perf_counter()
        try:
            fast = torch.compile(trial)
            _seconds(fast, batch, precision, steps=1)
        except Exception as error:
            # Compilers fail in their own ways: without one installed, or on an operator.
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise UserError(f"training.compile: torch cannot compile it here: {reason}") from None
        taken = time.perf_counter() - start
        quick = _seconds(fast, batch, precision)
    said = f"compiled in {taken:.1f} s: {quick * 1e3:.1f} ms a step, {plain * 1e3:.1f} ms without"
    if quick >= plain:
        said += "; it is slower: set training.compile to false"
    else:
        said += f"; it pays from {taken / (plain - quick):.0f} steps on"
    return torch.compile(network), said


def _seconds(network: Callable, batch: Batch, precision: Precision, steps: int = TIMED) -> float:
    """Least seconds of a forward and backward pass."""
    best = float("inf")
    for _ in range(steps):
        _wait(batch.targets)
        start = time.perf_counter()
        with precision():
            out = network(*batch.arguments)
        out.float().sum().backward()
        _wait(batch.targets)
        best = min(best, time.perf_counter() - start)
    return best


def _wait(of: Tensor) -> None:
    if of.is_cuda:
        torch.cuda.synchronize(of.device)
