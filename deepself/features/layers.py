"""Vectors from inside a network: what one of its layers gives, pooled."""

import threading
from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any

from torch import Tensor, nn

from deepself.networks.base import Network

INSIDE = "backbone."
"""Where the networks of others keep their architecture; a layer may be named without it."""

CHANNELS_LAST = (nn.Linear, nn.MultiheadAttention, nn.RNNBase)
"""Layers that give (batch, steps or positions, channels)."""

CHANNELS_FIRST = (
    *(nn.Conv1d, nn.Conv2d, nn.BatchNorm1d, nn.BatchNorm2d),
    *(nn.MaxPool1d, nn.MaxPool2d, nn.AvgPool1d, nn.AvgPool2d),
)
"""Layers that give (batch, channels, ...)."""


class Layer:
    """One layer of a network, whose activations become vectors.

    Activations (batch, channels, ...) are pooled over all positions, sequences (batch, tokens,
    channels) over the tokens; (batch, channels) stay as they are. Of a layer that is passed several
    times, the last counts. Several threads may ask at once.

    Parameters
    ----------
    network
        The network, in evaluation mode.
    name
        Path of the layer in the network, as `layer3` or `features.6`.
    pool
        `mean` or `max`.
    fresh
        Number of classes for which the network's last layer was drawn: it has learnt nothing.

    Raises
    ------
    ValueError
        The network has no such layer (with the nearest names), or that has learnt nothing.
    """

    def __init__(self, network: Network, name: str, pool: str, fresh: int):
        self._network, self._name, self._pool = network, name, pool
        parts = dict(network.named_modules())
        path = next((path for path in (name, f"{INSIDE}{name}") if path and path in parts), None)
        if path is None:
            raise ValueError(f"no layer {name!r}{_nearest(name, list(parts))}")
        for last in _drawn(network, fresh):
            if last == path or last.startswith(f"{path}."):
                raise ValueError(f"{name} is the layer of the classes, which has learnt nothing")
        self._path, self._parts = path, parts
        self._seen = threading.local()
        parts[path].register_forward_hook(self._note)

    def __call__(self, items: Tensor) -> Tensor:
        """Vectors (batch, channels) of items (batch, ...).

        Raises
        ------
        ValueError
            The layer is not passed, or gives nothing that has a row an item.
        """
        self._seen.vectors = None
        self._seen.items = items
        self._network(items)
        vectors: Tensor | None = self._seen.vectors
        if vectors is None:
            raise ValueError(f"layer {self._name} is not passed; choose another")
        return vectors

    def _note(self, _module: nn.Module, _inputs: Any, given: Any) -> None:
        """Pool what the layer gives at once: a later layer may work in its place."""
        given = given[0] if isinstance(given, tuple | list) else given
        items: Tensor = self._seen.items
        if not isinstance(given, Tensor) or given.ndim < 2 or given.shape[0] != items.shape[0]:
            raise ValueError(
                f"layer {self._name} gives no activations of each item; choose another"
            )
        axis = self._channel_axis(given.ndim, items.ndim)
        positions = [other for other in range(1, given.ndim) if other != axis]
        if not positions:
            self._seen.vectors = given.clone()
        elif self._pool == "max":
            self._seen.vectors = given.amax(dim=positions)
        else:
            self._seen.vectors = given.mean(dim=positions)

    def _channel_axis(self, axes: int, item_axes: int) -> int:
        """Which axis of the layer's activations counts the channels.

        It is the first after the batch, but the last of what CHANNELS_LAST give, of sequences from
        pictures (as in vision transformers), and of maps where timm says so of a network. What
        works element by element gives what the layer before it gives.
        """
        if axes == 2:
            return 1
        paths = list(self._parts)
        before = (self._parts[path] for path in reversed(paths[: paths.index(self._path) + 1]))
        part = next((part for part in before if not _is_elementwise(part)), None)
        if isinstance(part, CHANNELS_LAST) or _is_last_norm(part):
            return axes - 1
        if isinstance(part, CHANNELS_FIRST):
            return 1
        if axes == 4:
            backbone = getattr(self._network, "backbone", None)
            return 3 if getattr(backbone, "output_fmt", "") == "NHWC" else 1
        return 2 if axes == 3 and item_axes == 4 else 1


def _is_elementwise(part: nn.Module) -> bool:
    """Whether a layer is an activation or dropout, of torch's or timm's."""
    home = type(part).__module__
    kind = home.endswith((".activation", ".dropout")) or home.startswith("timm.layers.activations")
    return kind and not isinstance(part, nn.MultiheadAttention)


def _is_last_norm(part: nn.Module | None) -> bool:
    """Whether a layer normalises the last axis; torchvision's and timm's 2d forms turn the axes."""
    return isinstance(part, nn.LayerNorm) and not type(part).__name__.endswith("2d")


def _drawn(network: Network, classes: int) -> Iterator[str]:
    """Paths of the layers that give a score a class."""
    for name, part in network.classifier.named_modules(prefix="classifier"):
        if isinstance(part, nn.Linear) and part.out_features == classes:
            yield name


def _nearest(name: str, parts: list[str]) -> str:
    """End an error's line with the nearest names, or those of the network's parts."""
    names = list(dict.fromkeys(part.removeprefix(INSIDE) for part in parts if part))
    near = get_close_matches(name, names, n=3, cutoff=0.5)
    if near:
        return f", did you mean {' or '.join(near)}?"
    return f"; its parts are {', '.join(part for part in names if '.' not in part)}"
