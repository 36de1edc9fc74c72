"""A run from its features to its predictions; nothing is written but checkpoints."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from deepself.errors import UserError
from deepself.networks.base import Network
from deepself.study.models import Classifier
from deepself.training.augment import Augmenter, Crops
from deepself.training.checkpoints import Checkpoints, Generators
from deepself.training.data import Normaliser, Part, load_fold
from deepself.training.homes import Fold, open_fold
from deepself.training.job import Job
from deepself.training.network import make_network, run_network
from deepself.training.outcome import Outcome
from deepself.training.progress import Progress
from deepself.training.seeding import generator, seed_everything
from deepself.training.signals import Signals
from deepself.training.surroundings import Surroundings, Watch


@dataclass(frozen=True)
class Fitted:
    """What came of a run, before anything is written.

    Attributes
    ----------
    outcome
        Predictions, history, weights.
    parts
        Ids, labels and windows of each partition.
    shapes
        Shape of an item, by input.
    home
        Where the items were: on the `device`, in `memory`, or in their `file`.
    load
        Seconds until they were there.
    """

    outcome: Outcome
    parts: dict[str, Part]
    shapes: dict[str, tuple[int, ...]]
    home: str
    load: float


def fit(
    job: Job,
    device: str,
    predicted: Sequence[str],
    checkpoints: Checkpoints | None = None,
    noted: Signals | None = None,
    watch: Watch | None = None,
    among: int = 1,
) -> Fitted:
    """Train one run and predict some partitions; nothing is written but its checkpoints.

    Parameters
    ----------
    job
        The run.
    device
        `cpu`, or a GPU such as `cuda:0`.
    predicted
        Names of partitions.
    checkpoints, noted, watch
        Where to go on, what the cluster says, who may end it early; for networks.
    among
        Runs that share this machine's memory at the same time in this job.

    Raises
    ------
    UserError
        The model does not fit the feature, or cannot be trained on it.
    """
    start = time.perf_counter()
    if isinstance(job.method, Classifier):
        parts, normaliser = _load(job)
        loaded = time.perf_counter() - start
        shapes = {"": parts["train"].items.shape[1:]}
        with named(job, shapes):
            # scikit-learn costs seconds to import; networks do without it.
            from deepself.training.classifiers import run_classifier

            seed = job.run.seed
            outcome = run_classifier(job.method, parts, len(job.classes), normaliser, seed)
        return Fitted(outcome, parts, shapes, "memory", loaded)
    prepared = prepare(job, device, among)
    around = prepared.around
    around.checkpoints, around.watch = checkpoints, watch
    around.signals = noted or Signals()
    around.progress.labelled = checkpoints is not None and checkpoints.keep
    with prepared.fold as fold, named(job, fold.shapes), _progress_closed(around):
        outcome = run_network(
            prepared.network,
            job.training,
            fold.partitions,
            len(job.classes),
            around,
            predicted,
        )
    return fitted(prepared, outcome)


@dataclass(frozen=True)
class Prepared:
    """A run of a network before its first step.

    Attributes
    ----------
    fold, network, around
        The items, the network with its first weights, and all else that training is told.
    load
        Seconds until they were there.
    """

    fold: Fold
    network: Network
    around: Surroundings
    load: float


def prepare(job: Job, device: str, among: int = 1) -> Prepared:
    """Read a run's items, and build its network."""
    start = time.perf_counter()
    if device != "cpu":
        torch.cuda.reset_peak_memory_stats(device)
    order = seed_everything(job.run.seed, job.run.fold)  # before the first weights are drawn
    fold = open_fold(job.inputs, job.folds, job.run.fold, job.classes, device, among=among)
    loaded = time.perf_counter() - start
    with named(job, fold.shapes):
        around = _surroundings(job, fold, order, device)
        cropped = {
            name: around.crops.shape(shape, job.inputs[name].kind)
            for name, shape in fold.shapes.items()
        }
        weights = {name: source.weights for name, source in job.inputs.items()}
        assert not isinstance(job.method, Classifier)
        network = make_network(job.method, cropped, len(job.classes), weights)
    return Prepared(fold, network.to(device), around, loaded)


def fitted(prepared: Prepared, outcome: Outcome) -> Fitted:
    """What came of a run of a network, with what its items were normalised by."""
    fold = prepared.fold
    for name, normaliser in fold.normalisers.items():
        learnt = normaliser.arrays(f"normaliser.{name}." if name else "normaliser.")
        for weights in (outcome.weights, *(one.weights for one in outcome.snapshots)):
            weights.update(learnt)
    return Fitted(outcome, fold.parts, fold.shapes, fold.home, prepared.load)


@contextmanager
def _progress_closed(around: Surroundings) -> Iterator[None]:
    """Tell those who watch how it ended."""
    try:
        yield
    except BaseException as error:
        around.progress.close("stopped" if isinstance(error, SystemExit) else "failed")
        raise
    around.progress.close("finished")


def _surroundings(job: Job, fold: Fold, order: torch.Generator, device: str) -> Surroundings:
    """Random numbers, progress and augmentation of a run of a network."""
    settings = job.training
    augmentation = generator(job.run.seed, job.run.fold, "augmentation", device)
    kinds = [source.kind for source in job.inputs.values()]
    statistics = [(n.mean, n.deviation) for n in fold.normalisers.values()]
    return Surroundings(
        generators=Generators(order, augmentation),
        progress=Progress(
            f"{job.run.model} fold {job.run.fold} seed {job.run.seed}",
            settings.epochs,
            len(fold.partitions["train"]),
            job.folder,
        ),
        augmenter=Augmenter(
            settings.augmentation, kinds, len(job.classes), statistics, augmentation
        ),
        crops=Crops.of(settings, kinds),
    )


def _load(job: Job) -> tuple[dict[str, Part], Normaliser]:
    """The partitions of a classifier's feature, normalised by what the training one teaches."""
    source = job.inputs[""]
    parts = load_fold(source.file, job.folds, job.run.fold, job.classes)
    normaliser = Normaliser.fit(parts["train"], source.normalise)
    for part in parts.values():
        normaliser.apply(part)
    return parts, normaliser


@contextmanager
def named(job: Job, shapes: Mapping[str, tuple[int, ...]]) -> Iterator[None]:
    """Name the model and what it reads in what goes wrong."""
    try:
        yield
    except UserError as error:
        read = ", ".join(f"{i.feature} {shapes[name]}" for name, i in job.inputs.items())
        raise UserError(f"{job.label} (feature {read}): {error}") from None
