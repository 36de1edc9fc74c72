"""The training loop: batches in, the weights of the best epoch on dev out."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor

from deepself.eager import without_compiler
from deepself.errors import UserError
from deepself.networks.base import Network, Unsupervised
from deepself.study.training import Training
from deepself.training.averaging import Averaging
from deepself.training.batch import Batch
from deepself.training.course import Course, Pass
from deepself.training.energy import Energy
from deepself.training.fine_tuning import Thawing
from deepself.training.finite import Finite, NotFiniteError
from deepself.training.losses import Loss, OwnLoss, weights_for
from deepself.training.optimisers import make_optimiser
from deepself.training.partitions import Partition
from deepself.training.precision import Precision, compiled
from deepself.training.predicting import embeddings, predict, predict_by_batch_statistics
from deepself.training.sampling import batches, order
from deepself.training.schedules import Schedule, set_lr
from deepself.training.signals import STOPPED
from deepself.training.step import Stepper, is_of_memory, rehearse
from deepself.training.surroundings import Surroundings


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
    course
        How it goes, or went: its history, its best epoch, why it ended.
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
        loss, forward, said = _objective(network, settings, train, classes)
        self.notes = [said]
        optimiser = make_optimiser(self._thawing.groups(settings.lr), settings)
        self._stepper = Stepper(
            network=network,
            forward=forward,
            optimiser=optimiser,
            loss=loss,
            precision=precision,
            settings=settings,
            generators=around.generators,
            finite=Finite(network, lazily=train.targets.is_cuda),
            part=settings.micro_batch,
        )
        self.course = Course()
        self._snapshots = frozenset(settings.snapshot_epochs)
        self._energy = Energy(train.targets.device)
        self._epoch, self._step = 1, 0
        self._began = self._epoch_began = time.perf_counter()
        self._pass: Pass | None = None

    @property
    def seconds(self) -> float:
        """Seconds that training has taken, those before it was killed included."""
        return time.perf_counter() - self._began

    @property
    def energy(self) -> float | None:
        """Joules that the GPU has taken, as long; None where they are not known."""
        return self._energy.joules

    @property
    def steps(self) -> int:
        """Steps of the optimiser so far."""
        return self._step

    @property
    def part(self) -> int:
        """Items at a time: fewer than the batch where its gradients are added up."""
        return min(self._stepper.part or self._settings.batch_size, self._settings.batch_size)

    @without_compiler()
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
        self._energy.begin()
        self._resume()
        self._prepare()
        while not self.course.stopped:
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
        self.network.load_state_dict(self.course.best.weights)

    def logits(self, partition: Partition) -> Tensor:
        """What the network says of a partition: (rows, classes)."""
        return self._asked(predict, partition)

    def _asked(self, ask: Callable[..., Tensor], partition: Partition) -> Tensor:
        """What the network gives of a partition, so many items at a time as the memory holds."""
        around, precision = self._around, self._stepper.precision
        while True:
            try:
                return ask(self.network, partition, self.part, around.crops, precision)
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
        if self.course.stopped:
            return
        self._thawing.start(self._epoch)
        rows = torch.arange(min(len(self._train), self.part))
        if self._settings.compile or self._train.targets.is_cuda:
            kept = self._around.generators.state()
            batch = self._given(next(iter(self._train.batches([rows]))))
            self._around.generators.load(kept)
            if self._settings.compile and not isinstance(self.network, Unsupervised):
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
            now.add(loss, logits)
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
        now, epoch, course = self._pass, self._epoch, self.course
        assert now is not None
        loss, score = now.outcome(self._train.targets, self._classes)
        with self._averaging.swapped() if self._averaging else nullcontext():
            self._fit_head()
            dev_loss, dev_uar = course.look(
                epoch, self.logits(self._dev), self._dev, self._classes, self._weights
            )
            if epoch in self._snapshots:
                course.keep(epoch, self.network.state_dict())
        lr = self._stepper.optimiser.param_groups[-1]["lr"]
        seconds = time.perf_counter() - self._epoch_began
        course.history.append((epoch, loss, score, dev_loss, dev_uar, lr, seconds))
        self._schedule.epoch_ends(dev_uar)
        self._around.progress.end_epoch(epoch, loss, dev_loss, dev_uar, course.best.uar)
        self._epoch, self._pass = epoch + 1, None
        course.stopped = course.ended(self._settings) or self._why_to_stop(seconds)

    def _fit_head(self) -> None:
        """Fit the classifier of a network that learns without labels."""
        if not isinstance(self.network, Unsupervised):
            return
        # Not above: it brings the classifiers, which jobs of all other networks do without.
        from deepself.training.linear_head import fit_head

        train, dev = (self._asked(embeddings, one) for one in (self._train, self._dev))
        fit_head(self.network, (train, dev), self._train, self._dev, self._classes)

    def _weights(self) -> dict[str, Tensor]:
        return {key: value.clone() for key, value in self.network.state_dict().items()}

    def _why_to_stop(self, seconds: float) -> str:
        """Why to stop before an epoch that takes as long as the last; empty to go on."""
        budget, watch = self._settings.budget, self._around.watch
        if budget is not None and self.seconds + seconds > budget * 60:
            return "budget"
        return (watch and watch(self.course.history)) or ""

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
            self._around.progress.say(f"SIGTERM in epoch {self._epoch}; {kept}")
            raise SystemExit(STOPPED)

    def _save(self) -> None:
        if self._around.checkpoints is not None:
            self._around.checkpoints.write(self.state())

    def state(self) -> dict[str, Any]:
        """All that a run needs to go on exactly."""
        now = self._pass
        if now is not None:
            now.seconds = time.perf_counter() - self._epoch_began
        return {
            "network": self.network.state_dict(),
            "optimiser": self._stepper.optimiser.state_dict(),
            "scaler": self._stepper.precision.scaler.state_dict(),
            "schedule": self._schedule.state(),
            "averaging": None if self._averaging is None else self._averaging.state(),
            "generators": self._around.generators.state(),
            "course": self.course.state(),
            "epoch": self._epoch,
            "step": self._step,
            "seconds": self.seconds,
            "energy": self.energy,
            "part": self._stepper.part,
            "streamed": self._train.home == "file",
            "pass": None if now is None else now.state(),
        }

    def load(self, state: dict[str, Any]) -> None:
        """Go back to a state."""
        self.network.load_state_dict(state["network"])
        self._stepper.optimiser.load_state_dict(state["optimiser"])
        self._stepper.precision.scaler.load_state_dict(state["scaler"])
        self._schedule.load_state(state["schedule"])
        if self._averaging is not None:
            self._averaging.load_state(state["averaging"])
        self._around.generators.load(state["generators"])
        device = self._train.targets.device
        self.course.load(state["course"], device)
        self._epoch, self._step = state["epoch"], state["step"]
        self._began = time.perf_counter() - state["seconds"]
        self._energy.begin(state["energy"])
        self._stepper.part = state["part"]
        if state["pass"] is not None:
            self._pass = Pass.of(state["pass"], device)

    def _resume(self) -> None:
        state = self._around.checkpoints and self._around.checkpoints.read()
        say = self._around.progress.say
        if state and state["streamed"] != (self._train.home == "file"):
            say("items are read from another place than before, in another order; starting anew")
        elif state:
            self.load(state)
            done = self._pass.done if self._pass else 0
            say(f"goes on from epoch {self._epoch}, batch {done + 1}")


def _objective(
    network: Network, settings: Training, train: Partition, classes: int
) -> tuple[Loss | OwnLoss, Callable[..., Any], str]:
    """What is minimised, what is called for it, and what a reader should know, in words."""
    if isinstance(network, Unsupervised):
        said = "learnt without labels; a linear classifier was fitted to the embedding"
        return OwnLoss(), network.learn, said
    weights, said = weights_for(settings, train.targets, classes)
    return Loss(settings, weights), network, f"class weights {said}"
