"""Losses that are not finite, found without waiting for a GPU at each step."""

import math

import torch
from torch import Tensor, nn


class NotFiniteError(Exception):
    """The loss is not finite.

    Attributes
    ----------
    loss, batch
        The loss, and the number of the batch in its epoch.
    layer
        Name of the weights with the largest gradient before it, and its norm; empty at the first.
    """

    def __init__(self, loss: float, batch: int, layer: str):
        super().__init__(loss, batch, layer)
        self.loss, self.batch, self.layer = loss, batch, layer


class Finite:
    """Watches the losses of a training.

    On a CPU each loss is looked at as it comes. Of a GPU the first that is not finite is kept
    there, with the gradients' norms before it, until `check` asks.

    Parameters
    ----------
    network
        Whose gradients are looked at.
    lazily
        Whether to wait for `check`.
    """

    def __init__(self, network: nn.Module, lazily: bool):
        self._network, self._lazily = network, lazily
        self._first: tuple[Tensor, Tensor, Tensor | None] | None = None
        self._names: list[str] = []

    def look(self, loss: Tensor, batch: int) -> None:
        """Look at a loss while the gradients are still those of the step before.

        Raises
        ------
        NotFiniteError
            It is not finite; raised by `check`, if that is waited for.
        """
        loss = loss.detach()
        if not self._lazily:
            value = float(loss)
            if not math.isfinite(value):
                raise NotFiniteError(value, batch, self._largest(self._norms()))
            return
        norms = self._norms()
        number = torch.full_like(loss, float(batch))
        if self._first is None:
            self._first = loss, number, norms
            return
        known, since, before = self._first
        kept = ~known.isfinite()  # the first that was not finite stays
        if before is not None and norms is not None and len(before) == len(norms):
            norms = torch.where(kept, before, norms)
        self._first = torch.where(kept, known, loss), torch.where(kept, since, number), norms

    def check(self) -> None:
        """Wait for the device, and raise what was found.

        Raises
        ------
        NotFiniteError
            A loss since the last check was not finite.
        """
        found, self._first = self._first, None
        if found is not None and not math.isfinite(float(found[0])):
            loss, batch, norms = found
            raise NotFiniteError(float(loss), int(batch), self._largest(norms))

    def _norms(self) -> Tensor | None:
        """Norms of all gradients (weights,); None before the first step."""
        own = [(n, p.grad) for n, p in self._network.named_parameters() if p.grad is not None]
        if not own:
            return None
        self._names = [name for name, _ in own]
        return torch.stack(torch._foreach_norm([grad for _, grad in own]))

    def _largest(self, norms: Tensor | None) -> str:
        if norms is None:
            return ""
        values = [value if math.isfinite(value) else math.inf for value in norms.tolist()]
        worst = values.index(max(values))
        return f"{self._names[worst]}, norm {values[worst]:.3g}"
