"""A run of a network: built, trained, and asked for its predictions."""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from torch import Tensor

from deepself.errors import UserError
from deepself.networks import build
from deepself.networks.base import Network
from deepself.networks.branches import Branched
from deepself.networks.starting import start_from
from deepself.store.published import built_as
from deepself.store.weights import read_weights
from deepself.study.networks import AnyNetwork, Branches, SingleNetwork
from deepself.study.training import Training
from deepself.training.course import HISTORY
from deepself.training.diagnosis import at_chance
from deepself.training.loop import Loop
from deepself.training.outcome import Outcome, Snapshot
from deepself.training.partitions import Partition
from deepself.training.predicting import to_numpy
from deepself.training.surroundings import Surroundings

Shape = tuple[int, ...]


def run_network(
    network: Network,
    settings: Training,
    partitions: Mapping[str, Partition],
    classes: int,
    around: Surroundings,
    predicted: Sequence[str],
) -> Outcome:
    """Train a network on a fold, and predict partitions with the weights of its best epoch.

    The weights of its snapshots, where it keeps some, predict them too.
    """
    loop = Loop(
        network.to(partitions["train"].targets.device),
        partitions["train"],
        partitions["dev"],
        settings,
        classes,
        around,
    )
    loop.run()
    trained, energy, course = loop.seconds, loop.energy, loop.course
    dev = partitions["dev"]
    warning = at_chance(
        course.history, dev, classes, loop.steps, lambda: loop.logits_by_batch_statistics(dev)
    )
    held = {name: partitions[name] for name in predicted}
    start = time.perf_counter()
    snapshots = []
    for epoch, weights in course.snapshots.items():
        network.load_state_dict(weights)
        snapshots.append(Snapshot(epoch, probabilities(loop.logits, held), named(weights)))
    loop.keep_best()
    return Outcome(
        probabilities=probabilities(loop.logits, held),
        best={"epoch": course.best.epoch},
        columns=HISTORY,
        history=course.history,
        parameters=sum(p.numel() for p in network.parameters()),
        seconds={"train": trained, "predict": time.perf_counter() - start},
        weights=named(network.state_dict()),
        stopped=course.stopped,
        notes=loop.notes,
        warnings=[] if warning is None else [warning],
        part=loop.part,
        snapshots=snapshots,
        energy=energy,
    )


def probabilities(
    logits: Callable[[Partition], Tensor], held: Mapping[str, Partition]
) -> dict[str, np.ndarray]:
    """Probabilities of each partition: the softmax, once, in float64."""
    return {name: to_numpy(logits(one).double().softmax(1)) for name, one in held.items()}


def named(weights: Mapping[str, Tensor]) -> dict[str, np.ndarray]:
    """A network's weights by the names that a run's file gives them; copies."""
    return {f"network.{name}": to_numpy(value).copy() for name, value in weights.items()}


def make_network(
    spec: AnyNetwork,
    shapes: Mapping[str, Shape],
    classes: int,
    weights: Mapping[str, Path | None],
) -> Network:
    """Build a network, sized for its features, with pretrained weights where it has any.

    Parameters
    ----------
    spec
        Its settings.
    shapes
        Shape of an item, by branch; a network of one feature has one, under "".
    classes
        Number of classes.
    weights
        The file that each starts from, or None for random weights; by branch.

    Raises
    ------
    UserError
        The network does not fit the feature, or the weights do not fit the network.
    """
    try:
        if not isinstance(spec, Branches):
            return _single(spec, shapes[""], classes, weights[""], of_run=False)
        networks = {}
        for name, branch in spec.branches.items():
            own, shape, start = branch.network, shapes[name], weights[name]
            of_run = branch.initialise is not None
            try:
                networks[name] = _single(own, shape, classes, start, of_run)
            except (ValueError, UserError) as error:
                raise UserError(f"branches.{name}: {error}") from None
        settings = spec.model_dump(exclude={"type", "branches"})
        return Branched(networks, classes, **settings)
    except (ValueError, UserError) as error:
        raise UserError(f"network: {error}") from None
    except RuntimeError as error:
        if "allocate" not in str(error):
            raise
        raise UserError("network: its weights do not fit this machine's memory") from None


def _single(
    spec: SingleNetwork, shape: Shape, classes: int, weights: Path | None, of_run: bool
) -> Network:
    settings = spec.model_dump(exclude={"type", "weights"})
    weights_name: str | None = getattr(spec, "weights", None)
    network = build(built_as(spec.type, weights_name), shape, classes, **settings)
    if weights is not None:
        if of_run and not weights.exists():
            raise UserError(f"{weights}: is not there yet; train that model on this fold first")
        try:
            start_from(network, read_weights(weights, of_run))
        except ValueError as error:
            raise UserError(f"{weights}: {error}") from None
    return network
