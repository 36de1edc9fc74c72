"""Runs of one small network side by side: their weights stacked, one operator for all of them.

The mathematics is that of each run alone (`torch.func.vmap` over the runs); sums are taken in
another order, so the last digits differ. Random numbers are each run's own.
"""

import math
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap
from torch.nn.functional import cross_entropy

from deepself.eager import without_compiler
from deepself.errors import UserError
from deepself.evaluation.metrics import uar
from deepself.networks.base import Network
from deepself.study.training import Training
from deepself.training.batch import Batch
from deepself.training.diagnosis import at_chance
from deepself.training.loop import Best, Surroundings
from deepself.training.losses import Loss, weights_for
from deepself.training.optimisers import make_optimiser
from deepself.training.partitions import Partition
from deepself.training.precision import Precision
from deepself.training.predicting import predict, predict_by_batch_statistics, to_numpy
from deepself.training.sampling import batches, order
from deepself.training.schedules import Schedule, set_lr
from deepself.training.signals import STOPPED

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


@dataclass
class Side:
    """One of the runs.

    Attributes
    ----------
    train, dev
        The two partitions that it may see.
    around
        Its random numbers, augmentation and crops.
    loss
        What it minimises, with its class weights.
    notes
        What a reader of its results should know.
    """

    train: Partition
    dev: Partition
    around: Surroundings
    loss: Loss
    notes: list[str]
    best: Best = field(default_factory=Best)
    history: list[tuple] = field(default_factory=list)
    stopped: str = ""


class SideBySide:
    """Training of several runs at once. All that changes on the way is in `state`.

    Parameters
    ----------
    networks
        One a run, with its first weights, on the device.
    trains, devs
        Partitions of each run: as many batches an epoch in one as in another.
    settings, classes
        How they are trained, and the number of classes.
    arounds
        Surroundings of each run; progress, checkpoints and signals are those of the first.
    """

    def __init__(
        self,
        networks: Sequence[Network],
        trains: Sequence[Partition],
        devs: Sequence[Partition],
        settings: Training,
        classes: int,
        arounds: Sequence[Surroundings],
    ):
        self._settings, self._classes = settings, classes
        self.sides = []
        for train, dev, around in zip(trains, devs, arounds, strict=True):
            weights, said = weights_for(settings, train.targets, classes)
            loss = Loss(settings, weights)
            self.sides.append(Side(train, dev, around, loss, [f"class weights {said}"]))
        self.network = networks[0]
        self._parameters, self._buffers = stack_module_state(list(networks))
        self._optimiser = make_optimiser(
            [{"params": list(self._parameters.values()), "lr": settings.lr}], settings, stacked=1
        )
        steps = len(self._cut(self.sides[0], torch.arange(len(trains[0]))))
        self._schedule = Schedule(settings.schedule, steps, settings.epochs)
        self._precision = Precision(settings, trains[0].targets.device.type)
        self._epoch, self._step, self._began = 1, 0, time.perf_counter()

    @property
    def seconds(self) -> float:
        """Seconds that training has taken, those before it was killed included."""
        return time.perf_counter() - self._began

    @property
    def steps(self) -> int:
        """Steps of the optimiser so far."""
        return self._step

    def run(self) -> None:
        """Train all; a run that its patience has stopped is trained on, and not looked at."""
        first = self.sides[0].around
        self._began = time.perf_counter()
        if first.checkpoints and (state := first.checkpoints.read()):
            self.load(state)
            print(f"goes on from epoch {self._epoch}", flush=True)
        while not all(side.stopped for side in self.sides):
            start = time.perf_counter()
            first.progress.begin_epoch(self._epoch)
            outcomes = self._train_epoch()
            for number, (side, outcome) in enumerate(zip(self.sides, outcomes, strict=True)):
                if not side.stopped:
                    self._look_at_dev(number, side, outcome, time.perf_counter() - start)
            last = [side.history[-1] for side in self.sides]
            losses, dev_losses, scores = (
                sum(row[i] for row in last) / len(last) for i in (1, 3, 4)
            )
            best = sum(side.best.uar for side in self.sides) / len(self.sides)
            first.progress.end_epoch(self._epoch, losses, dev_losses, scores, best)
            self._epoch += 1
            self._save_if_asked(first)

    def _cut(self, side: Side, rows: Tensor) -> tuple[Tensor, ...]:
        return batches(rows, self._settings.batch_size)

    def _train_epoch(self) -> list[tuple[float, float]]:
        """Train for an epoch; training loss and UAR of each run."""
        self.network.train()
        plans, streams = [], []
        for side in self.sides:
            order_of = side.around.generators.order
            drawn = order(self._settings, side.train.targets, self._classes, order_of)
            plan = self._cut(side, side.train.arrange(drawn, order_of))
            plans.append(plan)
            streams.append(side.train.batches(plan))
        totals = [torch.zeros((), device=s.train.targets.device) for s in self.sides]
        predicted = [torch.full_like(s.train.targets, -1) for s in self.sides]
        for place in range(len(plans[0])):
            given = [self._given(s, next(b)) for s, b in zip(self.sides, streams, strict=True)]
            set_lr(self._optimiser, self._schedule.factor(self._step))
            for number, (loss, logits) in enumerate(self._take_step(given, place)):
                rows = plans[number][place].to(loss.device)
                totals[number] += loss * len(rows)
                predicted[number][rows] = logits.argmax(1)
            self._step += 1
            self.sides[0].around.progress.batch(len(given[0]), loss)
        return [
            (float(total) / sum(map(len, plan)), self._uar(side, seen))
            for total, plan, side, seen in zip(totals, plans, self.sides, predicted, strict=True)
        ]

    def _given(self, side: Side, batch: Batch) -> Batch:
        return side.around.augmenter(batch) if side.around.augmenter else batch

    def _uar(self, side: Side, predicted: Tensor) -> float:
        seen = predicted >= 0
        targets = to_numpy(side.train.targets[seen])
        return uar(targets, to_numpy(predicted[seen]), self._classes)

    def _take_step(self, given: Sequence[Batch], place: int) -> list[tuple[Tensor, Tensor]]:
        """One step of all runs: the loss and the logits of each."""
        alike = defaultdict(list)  # only batches of equal shapes can lie in one tensor
        for number, batch in enumerate(given):
            alike[tuple(one.shape for one in batch.items)].append(number)
        found: dict[int, tuple[Tensor, Tensor]] = {}
        for numbers in alike.values():
            stacked = self._forward(numbers, [given[n] for n in numbers])
            for number, logits in zip(numbers, stacked, strict=True):
                total, weight = self.sides[number].loss(logits, given[number].targets)
                found[number] = (total / weight, logits)
        # What patience has stopped may do as it likes.
        losses = torch.stack([found[n][0] for n, side in enumerate(self.sides) if not side.stopped])
        self._require_finite(losses.detach(), place)
        with without_compiler():
            self._optimiser.zero_grad(set_to_none=True)
        losses.sum().backward()  # each run's loss depends on its own weights alone
        with without_compiler():
            self._optimiser.step()
        return [(found[n][0].detach(), found[n][1].detach()) for n in range(len(given))]

    def _forward(self, numbers: list[int], given: list[Batch]) -> Tensor:
        """Logits (runs, rows, classes) of some of the runs."""
        arguments = _stack([batch.arguments for batch in given])
        every = len(numbers) == len(self.sides)
        parameters, buffers = self._parameters, self._buffers
        if not every:
            parameters = {k: v[numbers] for k, v in parameters.items()}
            buffers = {k: v[numbers] for k, v in buffers.items()}
        logits = vmap(self._call, in_dims=(0, 0, _axes(arguments)))(parameters, buffers, arguments)
        if not every:
            for name, values in buffers.items():
                self._buffers[name][numbers] = values
        return logits

    def _call(self, parameters: dict, buffers: dict, arguments: tuple) -> Tensor:
        return functional_call(self.network, (parameters, buffers), arguments)

    def _require_finite(self, losses: Tensor, place: int) -> None:
        running = [side for side in self.sides if not side.stopped]
        for side, loss in zip(running, losses.tolist(), strict=True):
            if not math.isfinite(loss):
                raise UserError(
                    f"{side.around.progress.label}: epoch {self._epoch}, batch {place + 1}: the "
                    f"training loss is {loss}; lower training.lr"
                )

    def weights(self, number: int) -> dict[str, Tensor]:
        """Weights and buffers of a run."""
        both = {**self._parameters, **self._buffers}
        kept = self.network.state_dict()  # without what a network does not store
        return {name: both[name][number].detach().clone() for name in kept}

    def logits(self, number: int, partition: Partition, weights: dict[str, Tensor]) -> Tensor:
        """What a run's network says of a partition with some weights: (rows, classes)."""
        self.network.load_state_dict(weights)
        crops = self.sides[number].around.crops
        return predict(self.network, partition, self._settings.batch_size, crops, self._precision)

    def warnings(self, number: int) -> list[str]:
        """What may be wrong with a run; after training."""
        side = self.sides[number]
        self.network.load_state_dict(self.weights(number))
        said = at_chance(
            side.history,
            side.dev,
            self._classes,
            self._step,
            lambda: predict_by_batch_statistics(
                self.network,
                side.dev,
                self._settings.batch_size,
                side.around.crops,
                self._precision,
            ),
        )
        return [] if said is None else [said]

    def gain(self) -> str:
        """What a step side by side takes, and one after the other; in words, measured."""
        size = min(self._settings.batch_size, *(len(side.train) for side in self.sides))
        drawn = [side.around.generators.state() for side in self.sides]
        given = [
            self._given(side, next(iter(side.train.batches([torch.arange(size)]))))
            for side in self.sides
        ]
        for side, state in zip(self.sides, drawn, strict=True):
            side.around.generators.load(state)
        kept = {name: values.clone() for name, values in self._buffers.items()}
        self.network.train()
        numbers = list(range(len(self.sides)))
        together = _least(lambda: self._forward(numbers, given).sum().backward())
        single = _least(lambda: self._one(given[0]).sum().backward()) * len(given)
        for parameter in self._parameters.values():
            parameter.grad = None
        for name, values in kept.items():
            self._buffers[name].copy_(values)
        return (
            f"{len(given)} runs side by side: {together * 1e3:.1f} ms a step, {single * 1e3:.1f} "
            f"ms one after the other: {single / together:.2f} times as fast"
        )

    def _one(self, batch: Batch) -> Tensor:
        """Logits of the first run alone."""
        parameters = {k: v[0] for k, v in self._parameters.items()}
        buffers = {k: v[0] for k, v in self._buffers.items()}
        return functional_call(self.network, (parameters, buffers), batch.arguments)

    def _look_at_dev(
        self, number: int, side: Side, outcome: tuple[float, float], seconds: float
    ) -> None:
        weights = self.weights(number)
        logits = self.logits(number, side.dev, weights)
        loss = float(cross_entropy(logits, side.dev.targets))
        if not math.isfinite(loss):
            raise UserError(
                f"{side.around.progress.label}: epoch {self._epoch}: the dev loss is {loss}; "
                "lower training.lr"
            )
        score = side.dev.uar(logits, self._classes)
        if side.best.beaten_by(score, loss):
            side.best = side.best.followed_by(self._epoch, score, loss, weights)
        lr = self._optimiser.param_groups[-1]["lr"]
        share = seconds / len(self.sides)
        side.history.append((self._epoch, *outcome, loss, score, lr, share))
        if self._epoch == self._settings.epochs:
            side.stopped = "epochs"
        patience = self._settings.patience
        if patience is not None and self._epoch - side.best.rose >= patience:
            side.stopped = "patience"

    def _save_if_asked(self, first: Surroundings) -> None:
        kept = first.checkpoints
        if kept and (first.signals.save or kept.due()):
            first.signals.save = False
            kept.write(self.state())
        if first.signals.stop:
            first.progress.close("stopped")
            print(f"SIGTERM after epoch {self._epoch - 1}; a checkpoint is kept", flush=True)
            raise SystemExit(STOPPED)

    def state(self) -> dict[str, Any]:
        """All that the runs need to go on exactly, between two epochs."""
        return {
            "parameters": {k: v.detach() for k, v in self._parameters.items()},
            "buffers": self._buffers,
            "optimiser": self._optimiser.state_dict(),
            "generators": [side.around.generators.state() for side in self.sides],
            "best": [vars(side.best) for side in self.sides],
            "history": [side.history for side in self.sides],
            "stopped": [side.stopped for side in self.sides],
            "epoch": self._epoch,
            "step": self._step,
            "seconds": self.seconds,
        }

    @torch.no_grad()
    def load(self, state: dict[str, Any]) -> None:
        """Go back to a state."""
        for own, kept in ((self._parameters, "parameters"), (self._buffers, "buffers")):
            for name, value in own.items():
                value.copy_(state[kept][name])
        self._optimiser.load_state_dict(state["optimiser"])
        for side, generators, best, history, stopped in zip(
            self.sides,
            *(state[name] for name in ("generators", "best", "history", "stopped")),
            strict=True,
        ):
            side.around.generators.load(generators)
            side.best, side.stopped = Best(**best), stopped
            side.history = [tuple(row) for row in history]
        self._epoch, self._step = state["epoch"], state["step"]
        self._began = time.perf_counter() - state["seconds"]


def _axes(arguments: Any) -> Any:
    """Which axis of each argument the runs lie along: none of what is not there."""
    if arguments is None:
        return None
    return 0 if isinstance(arguments, Tensor) else tuple(map(_axes, arguments))


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


def _stack(arguments: Sequence[Any]) -> Any:
    """Arguments of several calls, stacked: tensors, or tuples of them."""
    if isinstance(arguments[0], Tensor):
        return torch.stack(list(arguments))
    if arguments[0] is None:
        return None
    return tuple(_stack(one) for one in zip(*arguments, strict=True))
