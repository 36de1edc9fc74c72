"""A run of a network: built, trained, and asked for its predictions."""

import time
from pathlib import Path

import numpy as np
import torch
from torch import nn

from deepself.errors import UserError
from deepself.networks import build
from deepself.store.published import weights_file
from deepself.store.weights import read_weights
from deepself.study.models import AnyNetwork, Training
from deepself.training.data import Normaliser, Part
from deepself.training.loop import HISTORY, Tensors, predict, to_numpy, train_network
from deepself.training.outcome import Outcome


def run_network(
    network: nn.Module,
    settings: Training,
    parts: dict[str, Part],
    classes: int,
    normaliser: Normaliser,
    order: torch.Generator,
    device: str,
) -> Outcome:
    """Train a network on a fold and predict dev and test with its best epoch."""
    network = network.to(device)
    tensors = {name: _to_device(part, device) for name, part in parts.items()}
    start = time.perf_counter()
    trained = train_network(network, tensors["train"], tensors["dev"], settings, classes, order)
    after = time.perf_counter()
    probabilities = {
        name: _probabilities(network, tensors[name], settings.batch_size)
        for name in ("dev", "test")
    }
    state = {f"network.{k}": to_numpy(v).copy() for k, v in network.state_dict().items()}
    return Outcome(
        probabilities=probabilities,
        best={"epoch": trained.epoch},
        columns=HISTORY,
        history=trained.history,
        parameters=sum(p.numel() for p in network.parameters()),
        weights=state | normaliser.arrays(),
        seconds={"train": after - start, "predict": time.perf_counter() - after},
    )


def make_network(
    spec: AnyNetwork, shape: tuple[int, ...], classes: int, results: Path
) -> nn.Module:
    """Build a network, sized for its feature, with pretrained weights where it has any.

    Raises
    ------
    UserError
        The network does not fit the feature, or the weights do not fit the network.
    """
    weights: str | None = getattr(spec, "weights", None)
    try:
        settings = spec.model_dump(exclude={"type", "weights"})
        network = build(spec.type, shape, classes, **settings)
        if weights is not None:
            path = weights_file(results, spec.type, weights)
            network.load_pretrained(read_weights(path))  # type: ignore[operator]
    except ValueError as error:
        raise UserError(f"network: {error}") from None
    return network


def _to_device(part: Part, device: str) -> Tensors:
    lengths = None if part.lengths is None else torch.from_numpy(part.lengths).to(device)
    return Tensors(
        torch.from_numpy(part.items).to(device),
        torch.from_numpy(part.targets).to(device),
        lengths,
        None if part.starts is None else part,
    )


def _probabilities(network: nn.Module, part: Tensors, batch_size: int) -> np.ndarray:
    """Softmax, once, in float64."""
    return to_numpy(predict(network, part, batch_size).double().softmax(1))
