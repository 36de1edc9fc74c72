"""Which networks there are, by the name a study writes.

To add one: write its module, add a line to :data:`NETWORKS`, and add a case to
``tests/networks/test_networks.py`` (a registered name without a case fails there).
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from difflib import get_close_matches
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from deepself.networks.base import Network

# Strings, not classes: a job that trains a small CNN must not pay for torchvision's import.
NETWORKS: dict[str, str] = {
    "dense": "deepself.networks.dense:Dense",
    "cnn1d": "deepself.networks.cnn:CNN1d",
    "cnn2d": "deepself.networks.cnn:CNN2d",
    "rnn": "deepself.networks.rnn:RNN",
    "cnn_rnn": "deepself.networks.cnn_rnn:CNNRNN",
    "resnet18": "deepself.networks.resnet:ResNet18",
    "mn04_as": "deepself.networks.mobilenet_audioset:MobileNetAudioSet",
}


def available() -> list[str]:
    """Names that :func:`build` takes, in alphabetical order."""
    return sorted(NETWORKS)


def build(type: str, input_shape: tuple[int, ...], classes: int, **settings: Any) -> Network:
    """Build a network with freshly drawn weights.

    The weights come from torch's global generator alone, so the caller seeds it just before.

    Parameters
    ----------
    type
        One of :func:`available`.
    input_shape
        Shape of one item, without the batch axis: ``(channels, samples)``,
        ``(channels, bins, frames)``, ``(channels, height, width)`` or ``(features,)``.
    classes
        Number of classes, at least two.
    settings
        The architecture's own keyword arguments.

    Returns
    -------
    Network
        An ``nn.Module`` with ``forward(x, lengths=None)``, ``embed(x, lengths=None)`` and
        ``embedding_size``.

    Raises
    ------
    ValueError
        For an unknown type or setting (with the nearest known name), and for a shape or a setting
        that the architecture refuses.
    """
    if type not in NETWORKS:
        raise ValueError(f"unknown network type {type!r}{_nearest(type, available())}")
    module, _, name = NETWORKS[type].partition(":")
    architecture = getattr(import_module(module), name)
    known = [
        parameter.name
        for parameter in inspect.signature(architecture).parameters.values()
        if parameter.kind is parameter.KEYWORD_ONLY
    ]
    for setting in settings:
        if setting not in known:
            raise ValueError(f"{type} has no setting {setting!r}{_nearest(setting, known)}")
    return architecture(tuple(input_shape), classes, **settings)


def _nearest(name: str, known: Iterable[str]) -> str:
    """End an error's line: the nearest name where one is near, and all of them."""
    known = list(known)
    close = get_close_matches(str(name), known, n=1)
    guess = f": did you mean {close[0]!r}?" if close else ":"
    return f"{guess} (known: {', '.join(known) or 'none'})"
