"""The training loop: batches in, the weights of the best epoch on dev out."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from deepself.eager import without_compiler
from deepself.errors import UserError
from deepself.evaluation.metrics import uar
from deepself.networks.base import Network
from deepself.study.training import Training
from deepself.training.augment import Augmenter, Crops
from deepself.training.averaging import Averaging
from deepself.training.batch import Batch
from deepself.training.checkpoints import Checkpoints, Generators
from deepself.training.fine_tuning import Thawing
from deepself.training.finite import Finite, NotFiniteError
from deepself.training.losses import Loss, weights_for
from deepself.training.optimisers import make_optimiser
from deepself.training.partitions import Partition
from deepself.training.precision import Precision, compiled
from deepself.training.predicting import predict, predict_by_batch_statistics, to_numpy
from deepself.training.progress import Progress
from deepself.training.sampling import batches, order
from deepself.training.schedules import Schedule, set_lr
from deepself.training.signals import STOPPED, Signals
from deepself.training.step import Stepper, is_of_memory, rehearse

HISTORY = ("epoch", "train_loss", "train_uar", "dev_loss", "dev_uar", "lr", "seconds")
"""Columns of a network's history."""

Watch = Callable[[Sequence[tuple]], str | None]
"""Given the history after each epoch: why to stop now, or None."""


@dataclass
class Best:
    """The best epoch so far: highest UAR on dev; of equals, lowest dev loss, then the earliest.

    Attributes
    ----------
    epoch, uar, loss, weights
        The epoch, its UAR and loss on dev, and its weights.
    rose
        The last epoch in which the UAR was higher than ever before: patience counts from it.
    """

    epoch: int = 0
    uar: float = -1.0
    loss: float = math.inf
    weights: dict[str, Tensor] = field(default_factory=dict)
    rose: int = 0

    def beaten_by(self, uar: float, loss: float) -> bool:
        """Whether an epoch is better."""
        return (uar, -loss) > (self.uar, -self.loss)

    def followed_by(
        self, epoch: int, uar: float, loss: float, weights: dict[str, Tensor]
    ) -> "Best":
        """The best, now that there is a better one."""
        return Best(epoch, uar, loss, weights, epoch if uar > self.uar else self.rose)


@dataclass
class Pass:
    """An epoch on its way: its order, and of each batch its loss and its items' classes.

    Attributes
    ----------
    rows
        The order of the training items.
    losses, predicted
        Of the batches that are done: the loss, and the class of each item (rows,).
    seconds
        What they took.
    """

    rows: Tensor
    losses: list[Tensor] = field(default_factory=list)
    predicted: list[Tensor] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def done(self) -> int:
        """How many batches are done."""
        return len(self.losses)


@dataclass
class Surroundings:
    """What a training is told besides its data and settings.

    Attributes
    ----------
    generators
        Where random numbers come from.
    progress
        Who is told how it goes.
    augmenter, crops
        Random changes of training items; parts that are predicted.
    checkpoints
        Where to go on after being killed; None: nowhere.
    signals
        What the cluster says.
    watch
        Asked after each epoch whether to go on.
    """

    generators: Generators
    progress: Progress
    augmenter: Augmenter | None = None
    crops: Crops = field(default_factory=lambda: Crops(None, 1, ()))
    checkpoints: Checkpoints | None = None
    signals: Signals = field(default_factory=Signals)
    watch: Watch | None = None


class Loop:
    """Training of one network on one fold. All that changes on the way is in `state`.

    Parameters
    ----------
    network
        Gives logits (rows, classes); on its device; its weights are changed in place.
    train, dev
        The two partitions it may see.
    settings
        How it is trained.
    classes
        Number of classes.
    around
        Random numbers, progress, checkpoints.

    Attributes
    ----------
    best, history
        The best epoch, and a row of `HISTORY` for every epoch.
    stopped
        Why it ended: `epochs`, `patience`, `budget`, or what `watch` said.
    notes
        What a reader of the results should know, in words.
    """

    def __init__(
        self,
        network: Network,
        train: Partition,
        dev: Partition,
        settings: Training,
        classes: int,
        around: Surroundings,
    ):
        self.network, self._train, self._dev = network, train, dev
        self._settings, self._classes, self._around = settings, classes, around
        precision = Precision(settings, train.targets.device.type)
        precision.lay_out(network)
        self._thawing = Thawing(network, settings.fine_tuning)
        steps = len(batches(torch.arange(len(train)), settings.batch_size))
        self._schedule = Schedule(settings.schedule, steps, settings.epochs)
        self._averaging = None
        if settings.averaging is not None:
            self._averaging = Averaging(network, settings.averaging)
        weights, said = weights_for(settings, train.targets, classes)
        self.notes = [f"class weights {said}"]
        optimiser = make_optimiser(self._thawing.groups(settings.lr), settings)
        self._stepper = Stepper(
            network=network,
            forward=network,
            optimiser=optimiser,
            loss=Loss(settings, weights),
            precision=precision,
            settings=settings,
            generators=around.generators,
            finite=Finite(network, lazily=train.targets.is_cuda),
            part=settings.micro_batch,
        )
        self.best, self.stopped = Best(), ""
        self.history: list[tuple] = []
        self._epoch, self._step = 1, 0
        self._began = self._epoch_began = time.perf_counter()
        self._pass: Pass | None = None

    @property
    def seconds(self) -> float:
        """Seconds that training has taken, those before it was killed included."""
        return time.perf_counter() - self._began

    @property
    def steps(self) -> int:
        """Steps of the optimiser so far."""
        return self._step

    @property
    def part(self) -> int:
        """Items at a time: fewer than the batch where its gradients are added up."""
        return min(self._stepper.part or self._settings.batch_size, self._settings.batch_size)

    def run(self) -> None:
        """Train; the network then holds the weights of the last epoch.

        Raises
        ------
        UserError
            The loss is not finite, or a single item does not fit into memory.
        SystemExit
            SIGTERM came; a checkpoint has been written.
        """
        self._began = time.perf_counter()
        self._resume()
        self._prepare()
        while not self.stopped:
            self._epoch_began = time.perf_counter() - (self._pass.seconds if self._pass else 0)
            self._thawing.start(self._epoch)
            done = 0 if self._pass is None else self._pass.done * self._settings.batch_size
            self._around.progress.begin_epoch(self._epoch, done)
            with self._finite_losses():
                self._train_epoch()
                self._stepper.finite.check()
            self._end_epoch()
            self._save_if_asked()
        if self._around.checkpoints is not None and self._around.checkpoints.wants(self.seconds):
            self._save()

    def keep_best(self) -> None:
        """Put the weights of the best epoch into the network."""
        self.network.load_state_dict(self.best.weights)

    def logits(self, partition: Partition) -> Tensor:
        """What the network says of a partition: (rows, classes)."""
        around, precision = self._around, self._stepper.precision
        while True:
            try:
                return predict(self.network, partition, self.part, around.crops, precision)
            except RuntimeError as error:
                if not is_of_memory(error):
                    raise
                self._stepper.smaller(error, self.part)

    def logits_by_batch_statistics(self, partition: Partition) -> Tensor | None:
        """The same with each batch's own statistics; None without batch normalisation."""
        return predict_by_batch_statistics(
            self.network,
            partition,
            self.part,
            self._around.crops,
            self._stepper.precision,
        )

    def _prepare(self) -> None:
        """Compile, and rehearse a step, if there is anything left to train."""
        if self.stopped:
            return
        self._thawing.start(self._epoch)
        rows = torch.arange(min(len(self._train), self.part))
        if self._settings.compile or self._train.targets.is_cuda:
            kept = self._around.generators.state()
            batch = self._given(next(iter(self._train.batches([rows]))))
            self._around.generators.load(kept)
            if self._settings.compile:
                forward, said = compiled(self.network, batch, self._stepper.precision)
                self._stepper.forward = forward
                self.notes.append(said)
                print(said, flush=True)
            rehearse(self.network, self._stepper.forward, batch, self._stepper.precision)

    def _train_epoch(self) -> None:
        """Train for one epoch, from where it stands; the network is in training mode."""
        if self._pass is None:
            drawn = order(
                self._settings, self._train.targets, self._classes, self._around.generators.order
            )
            self._pass = Pass(self._train.arrange(drawn, self._around.generators.order))
        now = self._pass
        left = batches(now.rows, self._settings.batch_size)[now.done :]
        for batch in self._train.batches(left):
            set_lr(self._stepper.optimiser, self._schedule.factor(self._step))
            loss, logits = self._take_step(self._given(batch))
            if self._averaging is not None:
                self._averaging.update()
            now.losses.append(loss)
            now.predicted.append(logits.argmax(1))
            self._step += 1
            self._around.progress.batch(len(batch), loss)
            self._save_if_asked()

    def _given(self, batch: Batch) -> Batch:
        """What the network is given: changed at random, and laid out as asked."""
        if self._around.augmenter:
            batch = self._around.augmenter(batch)
        return self._stepper.precision.laid_out(batch)

    def _take_step(self, batch: Batch) -> tuple[Tensor, Tensor]:
        assert self._pass is not None
        return self._stepper.step(batch, self._pass.done + 1)

    @contextmanager
    def _finite_losses(self) -> Iterator[None]:
        """Say where a loss was not finite."""
        try:
            yield
        except NotFiniteError as error:
            place = f"epoch {self._epoch}, batch {error.batch}"
            largest = f"; the largest gradient before was that of {error.layer}"
            raise UserError(
                f"{place}: the training loss is {error.loss}{largest if error.layer else ''}; "
                "lower training.lr, or set training.clip_norm"
            ) from None

    def _end_epoch(self) -> None:
        """Look at dev, keep the best weights, and decide whether to go on."""
        now, epoch = self._pass, self._epoch
        assert now is not None
        sizes = torch.tensor([len(classes) for classes in now.predicted], dtype=torch.float64)
        train_loss = float((torch.stack(now.losses).cpu() * sizes).sum() / sizes.sum())
        targets = to_numpy(self._train.targets)[to_numpy(now.rows)]
        train_uar = uar(targets, to_numpy(torch.cat(now.predicted)), self._classes)
        with self._averaging.swapped() if self._averaging else nullcontext():
            dev_loss, dev_uar = self._look_at_dev()
        for name, loss in (("training", train_loss), ("dev", dev_loss)):
            if not math.isfinite(loss):
                raise UserError(f"epoch {epoch}: the {name} loss is {loss}; lower training.lr")
        lr = self._stepper.optimiser.param_groups[-1]["lr"]
        seconds = time.perf_counter() - self._epoch_began
        self.history.append((epoch, train_loss, train_uar, dev_loss, dev_uar, lr, seconds))
        self._schedule.epoch_ends(dev_uar)
        self._around.progress.end_epoch(epoch, train_loss, dev_loss, dev_uar, self.best.uar)
        self._epoch, self._pass = epoch + 1, None
        self.stopped = self._why_to_stop(seconds)

    def _why_to_stop(self, seconds: float) -> str:
        settings, epoch = self._settings, self._epoch - 1
        if epoch == settings.epochs:
            return "epochs"
        if settings.patience is not None and epoch - self.best.rose >= settings.patience:
            return "patience"
        if settings.budget is not None and self.seconds + seconds > settings.budget * 60:
            return "budget"
        return (self._around.watch and self._around.watch(self.history)) or ""

    def _look_at_dev(self) -> tuple[float, float]:
        """Loss and UAR on dev; the weights are kept if they are the best so far."""
        logits = self.logits(self._dev)
        loss = float(cross_entropy(logits, self._dev.targets))
        score = self._dev.uar(logits, self._classes)
        if math.isfinite(loss) and self.best.beaten_by(score, loss):
            kept = {key: value.clone() for key, value in self.network.state_dict().items()}
            self.best = self.best.followed_by(self._epoch, score, loss, kept)
        return loss, score

    def _due(self) -> bool:
        return self._around.checkpoints is not None and self._around.checkpoints.due()

    def _save_if_asked(self) -> None:
        """Write a checkpoint when it is time, or was asked for; end if SIGTERM came."""
        signals = self._around.signals
        if signals.save or self._due():
            signals.save = False
            self._stepper.finite.check()  # what follows a loss that is not finite is not worth it
            self._save()
        if signals.stop:
            self._around.progress.close("stopped")
            kept = "a checkpoint is kept: start it again, and it goes on from here"
            print(f"SIGTERM in epoch {self._epoch}; {kept}", flush=True)
            raise SystemExit(STOPPED)

    def _save(self) -> None:
        if self._around.checkpoints is not None:
            self._around.checkpoints.write(self.state())

    def state(self) -> dict[str, Any]:
        """All that a run needs to go on exactly."""
        now = self._pass
        if now is not None:
            now.seconds = time.perf_counter() - self._epoch_began
        with without_compiler():
            optimiser = self._stepper.optimiser.state_dict()
        return {
            "network": self.network.state_dict(),
            "optimiser": optimiser,
            "scaler": self._stepper.precision.scaler.state_dict(),
            "schedule": self._schedule.state(),
            "averaging": None if self._averaging is None else self._averaging.state(),
            "generators": self._around.generators.state(),
            "best": vars(self.best),
            "history": self.history,
            "stopped": self.stopped,
            "epoch": self._epoch,
            "step": self._step,
            "seconds": self.seconds,
            "part": self._stepper.part,
            "streamed": self._train.home == "file",
            "pass": None if now is None else vars(now),
        }

    def load(self, state: dict[str, Any]) -> None:
        """Go back to a state."""
        self.network.load_state_dict(state["network"])
        with without_compiler():
            self._stepper.optimiser.load_state_dict(state["optimiser"])
        self._stepper.precision.scaler.load_state_dict(state["scaler"])
        self._schedule.load_state(state["schedule"])
        if self._averaging is not None:
            self._averaging.load_state(state["averaging"])
        self._around.generators.load(state["generators"])
        device = self._train.targets.device
        best = state["best"]
        self.best = Best(**{**best, "weights": _moved(best["weights"], device)})
        self.history = [tuple(row) for row in state["history"]]
        self.stopped, self._epoch = state["stopped"], state["epoch"]
        self._step, self._began = state["step"], time.perf_counter() - state["seconds"]
        self._stepper.part = state["part"]
        if state["pass"] is not None:
            kept = state["pass"]
            for name in ("losses", "predicted"):
                kept[name] = [value.to(device) for value in kept[name]]
            self._pass = Pass(**kept)

    def _resume(self) -> None:
        state = self._around.checkpoints and self._around.checkpoints.read()
        if state and state["streamed"] != (self._train.home == "file"):
            print("items are read from another place than before, in another order; starting anew")
        elif state:
            self.load(state)
            done = self._pass.done if self._pass else 0
            print(f"goes on from epoch {self._epoch}, batch {done + 1}", flush=True)


def _moved(weights: dict[str, Tensor], device: torch.device) -> dict[str, Tensor]:
    return {key: value.to(device) for key, value in weights.items()}
