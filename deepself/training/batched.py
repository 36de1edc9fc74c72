"""Runs of one small network trained side by side.

Random numbers are each run's own; of the rest, only the last digits differ from runs alone.
"""

import math
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from deepself.eager import without_compiler
from deepself.errors import UserError
from deepself.networks.base import Network
from deepself.study.training import Training
from deepself.training.batch import Batch
from deepself.training.course import Course, Pass
from deepself.training.diagnosis import at_chance
from deepself.training.energy import Energy
from deepself.training.losses import Loss, weights_for
from deepself.training.optimisers import make_optimiser
from deepself.training.partitions import Partition
from deepself.training.precision import Precision
from deepself.training.predicting import predict, predict_by_batch_statistics
from deepself.training.sampling import batches, order
from deepself.training.schedules import Schedule, set_lr
from deepself.training.signals import STOPPED
from deepself.training.stacked import Stacked
from deepself.training.surroundings import Surroundings


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
    course
        How it goes.
    """

    train: Partition
    dev: Partition
    around: Surroundings
    loss: Loss
    notes: list[str]
    course: Course = field(default_factory=Course)

    def given(self, batch: Batch) -> Batch:
        """What its network is given: changed at random, where that is asked for."""
        return self.around.augmenter(batch) if self.around.augmenter else batch


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
        self._stacked = Stacked(networks)
        self._optimiser = make_optimiser(
            [{"params": list(self._stacked.parameters.values()), "lr": settings.lr}],
            settings,
            stacked=1,
        )
        steps = len(batches(torch.arange(len(trains[0])), settings.batch_size))
        self._schedule = Schedule(settings.schedule, steps, settings.epochs)
        self._precision = Precision(settings, trains[0].targets.device.type)
        self._snapshots = frozenset(settings.snapshot_epochs)
        self._energy = Energy(trains[0].targets.device)
        self._epoch, self._step, self._began = 1, 0, time.perf_counter()

    @property
    def seconds(self) -> float:
        """Seconds that training has taken, those before it was killed included."""
        return time.perf_counter() - self._began

    @property
    def energy(self) -> float | None:
        """Joules that the GPU has taken, as long; None where they are not known."""
        return self._energy.joules

    @without_compiler()
    def run(self) -> None:
        """Train all; a run that its patience has stopped is trained on, and not looked at."""
        self._began = time.perf_counter()
        self._energy.begin()
        self._resume()
        first = self.sides[0].around
        while not all(side.course.stopped for side in self.sides):
            start = time.perf_counter()
            first.progress.begin_epoch(self._epoch)
            passes = self._train_epoch()
            for number, (side, done) in enumerate(zip(self.sides, passes, strict=True)):
                if not side.course.stopped:
                    self._end_epoch(number, side, done, time.perf_counter() - start)
            self._tell()
            self._epoch += 1
            self._save_if_asked(first)

    def _train_epoch(self) -> list[Pass]:
        """Train for an epoch."""
        self._stacked.network.train()
        passes, streams = [], []
        for side in self.sides:
            own = side.around.generators.order
            drawn = order(self._settings, side.train.targets, self._classes, own)
            passes.append(Pass(side.train.arrange(drawn, own)))
            plan = batches(passes[-1].rows, self._settings.batch_size)
            streams.append(side.train.batches(plan))
        for place, read in enumerate(zip(*streams, strict=True), 1):
            given = [side.given(batch) for side, batch in zip(self.sides, read, strict=True)]
            set_lr(self._optimiser, self._schedule.factor(self._step))
            for done, (loss, logits) in zip(passes, self._take_step(given, place), strict=True):
                done.add(loss, logits)
            self._step += 1
            self.sides[0].around.progress.batch(len(given[0]), passes[0].losses[-1])
        return passes

    def _take_step(self, given: Sequence[Batch], place: int) -> list[tuple[Tensor, Tensor]]:
        """One step of all runs: the loss and the logits of each."""
        alike = defaultdict(list)  # only batches of equal shapes can lie in one tensor
        for number, batch in enumerate(given):
            alike[tuple(one.shape for one in batch.items)].append(number)
        found: dict[int, tuple[Tensor, Tensor]] = {}
        for numbers in alike.values():
            stacked = self._stacked(numbers, [given[n] for n in numbers])
            for number, logits in zip(numbers, stacked, strict=True):
                loss = self.sides[number].loss.mean(logits, given[number].targets)
                found[number] = loss, logits
        # What patience has stopped may do as it likes.
        running = [n for n, side in enumerate(self.sides) if not side.course.stopped]
        losses = torch.stack([found[n][0] for n in running])
        for number, loss in zip(running, losses.tolist(), strict=True):
            if not math.isfinite(loss):
                raise UserError(
                    f"{self.sides[number].around.progress.label}: epoch {self._epoch}, batch "
                    f"{place}: the training loss is {loss}; lower training.lr"
                )
        self._optimiser.zero_grad(set_to_none=True)
        losses.sum().backward()  # each run's loss depends on its own weights alone
        self._optimiser.step()
        return [(found[n][0].detach(), found[n][1].detach()) for n in range(len(given))]

    def _end_epoch(self, number: int, side: Side, done: Pass, seconds: float) -> None:
        """Look at a run's dev, keep its best weights, and decide whether to go on with it."""
        course, weights = side.course, self._stacked.weights(number)
        trained = done.outcome(side.train.targets, self._classes)
        logits = self.logits(number, side.dev, weights)
        try:
            seen = course.look(self._epoch, logits, side.dev, self._classes, lambda: weights)
        except UserError as error:
            raise UserError(f"{side.around.progress.label}: {error}") from None
        if self._epoch in self._snapshots:
            course.keep(self._epoch, weights)
        lr = self._optimiser.param_groups[-1]["lr"]
        course.history.append((self._epoch, *trained, *seen, lr, seconds / len(self.sides)))
        course.stopped = course.ended(self._settings)

    def _tell(self) -> None:
        """Show the means over the runs."""
        last = [side.course.history[-1] for side in self.sides]
        losses, dev_losses, scores = (sum(row[i] for row in last) / len(last) for i in (1, 3, 4))
        best = sum(side.course.best.uar for side in self.sides) / len(self.sides)
        self.sides[0].around.progress.end_epoch(self._epoch, losses, dev_losses, scores, best)

    def logits(self, number: int, partition: Partition, weights: dict[str, Tensor]) -> Tensor:
        """What a run's network says of a partition with some weights: (rows, classes)."""
        network, crops = self._stacked.network, self.sides[number].around.crops
        network.load_state_dict(weights)
        return predict(network, partition, self._settings.batch_size, crops, self._precision)

    def warnings(self, number: int) -> list[str]:
        """What may be wrong with a run; after training."""
        side, network = self.sides[number], self._stacked.network
        network.load_state_dict(self._stacked.weights(number))
        said = at_chance(
            side.course.history,
            side.dev,
            self._classes,
            self._step,
            lambda: predict_by_batch_statistics(
                network, side.dev, self._settings.batch_size, side.around.crops, self._precision
            ),
        )
        return [] if said is None else [said]

    def gain(self) -> str:
        """What a step side by side takes, and one after the other; in words, measured."""
        size = min(self._settings.batch_size, *(len(side.train) for side in self.sides))
        given = []
        for side in self.sides:
            drawn = side.around.generators.state()
            given.append(side.given(next(iter(side.train.batches([torch.arange(size)])))))
            side.around.generators.load(drawn)
        return self._stacked.gain(given)

    def _resume(self) -> None:
        kept = self.sides[0].around.checkpoints
        if kept and (state := kept.read()):
            self.load(state)
            print(f"goes on from epoch {self._epoch}", flush=True)

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
            **self._stacked.state(),
            "optimiser": self._optimiser.state_dict(),
            "generators": [side.around.generators.state() for side in self.sides],
            "courses": [side.course.state() for side in self.sides],
            "epoch": self._epoch,
            "step": self._step,
            "seconds": self.seconds,
            "energy": self.energy,
        }

    def load(self, state: dict[str, Any]) -> None:
        """Go back to a state."""
        self._stacked.load(state)
        self._optimiser.load_state_dict(state["optimiser"])
        kept = zip(self.sides, state["generators"], state["courses"], strict=True)
        for side, generators, course in kept:
            side.around.generators.load(generators)
            side.course.load(course, side.train.targets.device)
        self._epoch, self._step = state["epoch"], state["step"]
        self._began = time.perf_counter() - state["seconds"]
        self._energy.begin(state["energy"])
