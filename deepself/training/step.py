"""One step of the optimiser: the gradient of a batch, however many parts it is computed in."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from deepself.errors import UserError
from deepself.study.training import Training
from deepself.training.batch import Batch
from deepself.training.checkpoints import Generators
from deepself.training.finite import Finite
from deepself.training.losses import Loss, OwnLoss
from deepself.training.precision import Precision

ONE_VALUE = "more than 1 value per channel"
"""What torch says of batch normalisation over a single value."""

NO_MEMORY = ("can't allocate", "out of memory", "STATUS_ALLOC_FAILED")
"""What torch, CUDA and its libraries say where memory does not suffice."""


@dataclass
class Stepper:
    """Makes the steps of a training.

    Attributes
    ----------
    network, forward
        The network, and what is called for it: itself, compiled, or its `learn`.
    optimiser, loss, precision
        What minimises, what is minimised, and in which numbers.
    settings
        Of the training.
    generators
        Set back where a batch is computed once more in smaller parts.
    finite
        Watches the losses.
    part
        Items at a time; None: all of a batch. Halved where the memory does not hold them.
    """

    network: nn.Module
    forward: Callable
    optimiser: torch.optim.Optimizer
    loss: Loss | OwnLoss
    precision: Precision
    settings: Training
    generators: Generators
    finite: Finite
    part: int | None

    def step(self, batch: Batch, number: int) -> tuple[Tensor, Tensor]:
        """Take a step; give the loss of the batch, and its logits (rows, classes).

        The loss and the gradient are those of the whole batch, whatever its parts. (Batch
        normalisation alone sees the parts.)

        Parameters
        ----------
        batch
            Some items, on the device.
        number
            Of the batch in its epoch, from 1.

        Raises
        ------
        UserError
            A single item does not fit into memory, or batch normalisation got a single value.
        NotFiniteError
            The loss is not finite.
        """
        before = self.generators.of_network()
        while True:
            try:
                loss, logits = self._gradient(batch, number)
                break
            except (RuntimeError, ValueError) as error:
                self.smaller(error, len(batch))
            self.generators.load(before)
        scaler = self.precision.scaler
        if self.settings.clip_norm is not None:
            scaler.unscale_(self.optimiser)
            nn.utils.clip_grad_norm_(self.network.parameters(), self.settings.clip_norm)
        try:
            scaler.step(self.optimiser)
        except RuntimeError as error:
            if "overflow" not in str(error):
                raise
            raise UserError(f"a step is too large: {error}; lower training.lr") from None
        scaler.update()
        return loss, logits

    def _gradient(self, batch: Batch, number: int) -> tuple[Tensor, Tensor]:
        parts = parts_of(len(batch), self.part)
        if parts == 1:
            logits, found = self._forward(batch)
            loss = self.loss.mean(found, batch.targets)
            self._begin(loss, number)
            self.precision.scaler.scale(loss).backward()
            return loss.detach(), logits.detach()
        weight = self.loss.weight(batch.targets)
        total, said = torch.zeros_like(weight), []
        rows = torch.arange(len(batch), device=batch.targets.device)
        for place, part in enumerate(rows.tensor_split(parts)):
            part_of = batch.rows(part)
            logits, found = self._forward(part_of)
            loss = self.loss(found, part_of.targets)[0] / weight
            if place == 0:
                self._begin(loss, number)
            else:
                self.finite.look(loss, number)
            self.precision.scaler.scale(loss).backward()
            total += loss.detach()
            said.append(logits.detach())
        return total, torch.cat(said)

    def _forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Logits, and what the loss is of: these, or each item's own."""
        with self.precision():
            given = self.forward(*batch.arguments)
        if isinstance(given, tuple):
            return given[0].float(), given[1].float()
        logits = given.float()
        return logits, logits

    def _begin(self, loss: Tensor, number: int) -> None:
        """Forget the last step's gradients, once they were asked about a loss that is wrong."""
        self.finite.look(loss, number)
        self._drop_gradients()

    def _drop_gradients(self) -> None:
        """As the optimiser's `zero_grad`, which also leaves a trace for torch's profiler."""
        for group in self.optimiser.param_groups:
            for parameter in group["params"]:
                parameter.grad = None

    def smaller(self, error: Exception, rows: int) -> None:
        """Halve the parts after an error of memory; raise any other, in words where known."""
        explain(error, rows if self.part is None else min(self.part, rows))
        if not is_of_memory(error):
            raise error
        self._drop_gradients()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        size = rows if self.part is None else min(self.part, rows)
        if size == 1:
            raise UserError(
                "the memory does not hold a single item in training; choose a smaller network or "
                "shorter items"
            ) from None
        self.part = -(-size // 2)
        print(
            f"out of memory: batches of {rows} are computed {self.part} items at a time from now "
            "on, their gradients added up (batch normalisation sees the parts)",
            flush=True,
        )


def parts_of(rows: int, part: int | None) -> int:
    """In how many parts a batch is computed: none of one item alone, unless that is asked for."""
    if part is None or rows <= part:
        return 1
    parts = -(-rows // part)
    return parts if part == 1 else max(1, min(parts, rows // 2))


def is_of_memory(error: Exception) -> bool:
    """Whether memory did not suffice."""
    known = isinstance(error, torch.OutOfMemoryError)
    return known or any(words in str(error) for words in NO_MEMORY)


def explain(error: Exception, rows: int) -> None:
    """Raise an error in words, where it is one that a study can cause.

    Parameters
    ----------
    error
        What torch raised.
    rows
        Items that it was computing at once.

    Raises
    ------
    UserError
        Batch normalisation got a single value, or an operator has no deterministic form.
    """
    if ONE_VALUE in str(error):
        raise UserError(
            f"batch normalisation cannot learn from {rows} item at a time: {error}; raise "
            "training.batch_size or micro_batch, or choose another norm"
        ) from None
    if "deterministic" in str(error):
        reason = str(error).split(".")[0]
        raise UserError(
            f"this network cannot be trained on a GPU with equal numbers each time: {reason}; "
            "use --device cpu or another network"
        ) from None


def rehearse(network: nn.Module, forward: Callable, batch: Batch, precision: Precision) -> None:
    """Name an operator without a deterministic form before training, not in the middle of it.

    Only a GPU has such. All weights are asked for gradients, as later epochs may thaw them.
    """
    if not batch.targets.is_cuda:
        return
    frozen = [p for p in network.parameters() if not p.requires_grad]
    kept = {name: value.clone() for name, value in network.state_dict().items()}
    with torch.random.fork_rng(devices=[batch.targets.device]):
        for parameter in frozen:
            parameter.requires_grad_(True)
        try:
            with precision():
                out = forward(*batch.arguments)
            parts = out if isinstance(out, tuple) else (out,)
            torch.stack([part.float().sum() for part in parts]).sum().backward()
        except (RuntimeError, ValueError) as error:
            explain(error, len(batch))  # what else goes wrong, the first step says
        finally:
            for parameter in frozen:
                parameter.requires_grad_(False)
            for parameter in network.parameters():
                parameter.grad = None
            network.load_state_dict(kept)
