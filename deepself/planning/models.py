"""What it takes to train one run of each model, by its network and its items on paper."""

from collections.abc import Mapping
from math import ceil, prod

from deepself.features.shapes import Shape
from deepself.networks.summary import summarise
from deepself.planning.cost import Cost
from deepself.planning.counts import PARTITIONS, Counts
from deepself.planning.features import FeaturePlan
from deepself.planning.units import Units, units
from deepself.planning.work import Work
from deepself.study.models import Classifier, Model
from deepself.study.schema import Study
from deepself.training.fits import cropped, network_on_paper
from deepself.training.homes import SHARES

FLOAT = 4
"""Bytes of a number."""

DOUBLES = 4
"""Copies of its items that a classifier takes: scikit-learn's are of twice the size."""

MOST_ITEMS = 2**34
"""Bytes of items for which memory is asked; more are read from their files in each epoch."""

PREDICTED = (40, 21)
"""Bytes of a row of predictions: of its id and label, and of each probability."""


def plan_models(
    study: Study, counted: Counts, features: Mapping[str, FeaturePlan], classes: int
) -> dict[str, Cost | None]:
    """What a run of each model takes; None where the shape of a feature is not known yet.

    A model that is searched is taken with the first value of each of its ranges.
    """
    found: dict[str, Cost | None] = {}
    for name, model in study.models.items():
        shapes = {b: features[part.feature or ""].shape for b, part in model.inputs.items()}
        known = {branch: shape for branch, shape in shapes.items() if shape is not None}
        windows = max(features[feature].windows for feature in model.features)
        items = {part: counted.items(part, windows) for part in PARTITIONS}
        if len(known) < len(shapes):
            found[name] = None
        elif model.classifier is not None:
            found[name] = _classifier(model.classifier, known[""], items, classes)
        else:
            found[name] = _network(study, name, known, items, classes)
    return found


def _network(
    study: Study, name: str, shapes: dict[str, Shape], items: dict[str, float], classes: int
) -> Cost:
    model, unit = study.models[name], units()
    training = model.training
    network = network_on_paper(study, name, shapes, classes)
    work = Work.of(summarise(network, list(cropped(study, name, shapes).values())))
    seconds = unit.start + _training_seconds(model, unit, work, items)
    if training.budget is not None:
        seconds = min(seconds, 60 * training.budget)
    length = sum(prod(shape) for shape in shapes.values())
    snapshots = getattr(training.schedule, "cycles", 1) if training.snapshots else 0
    batch = training.micro_batch or training.batch_size
    return Cost(
        seconds,
        unit.process
        + _items_memory(FLOAT * length * sum(items.values()))
        + unit.training_bytes(work, batch),
        (1 + snapshots) * (work.weights + _predictions(items, classes)),
    )


def _training_seconds(model: Model, unit: Units, work: Work, items: dict[str, float]) -> float:
    """All epochs, each with its look at dev, and the predictions; none is stopped early."""
    training = model.training
    size = training.batch_size
    parts = training.micro_batch or size
    step = unit.step_seconds(work, parts) * (size / parts)
    passed = unit.forward_seconds(work, size) * training.crops / size
    epoch = ceil(items["train"] / size) * step + items["dev"] * passed
    return training.epochs * epoch + (items["dev"] + items["test"]) * passed


def _classifier(spec: Classifier, shape: Shape, items: dict[str, float], classes: int) -> Cost:
    length, unit = prod(shape), units()
    choices = prod(len(v) for v in spec.model_dump().values() if isinstance(v, list))
    kind = spec.model_dump()["type"]
    everything = FLOAT * length * sum(items.values())
    return Cost(
        unit.start + choices * unit.fit_seconds(kind, items["train"], length),
        unit.process + (1 + DOUBLES) * everything,
        FLOAT * length * classes + _predictions(items, classes),
    )


def _items_memory(items: float) -> float:
    """With which items stay in memory: they may take a share of what a job has."""
    return items / SHARES["memory"] if items <= MOST_ITEMS else 0.0


def _predictions(items: dict[str, float], classes: int) -> float:
    row = PREDICTED[0] + PREDICTED[1] * classes
    return (items["dev"] + items["test"]) * row
