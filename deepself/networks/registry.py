"""Which networks there are, by the name a study writes.

To add one: write its module, add a line to :data:`NETWORKS` and its settings to
``deepself/study/networks.py``, and add a case to ``tests/networks/cases_*.py`` (a registered name
without either fails in ``tests/networks/test_networks.py``).
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from deepself.networks.base import Network


class Entry(NamedTuple):
    """Where an architecture is defined, and which of its settings its name has fixed."""

    target: str
    preset: Mapping[str, Any] = MappingProxyType({})


def _family(target: str, setting: str, values: Mapping[str, Any]) -> dict[str, Entry]:
    return {name: Entry(target, {setting: value}) for name, value in values.items()}


TORCHVISION = (
    "alexnet",
    "convnext_base",
    "convnext_large",
    "convnext_small",
    "convnext_tiny",
    "densenet121",
    "densenet161",
    "densenet169",
    "densenet201",
    "efficientnet_b0",
    "efficientnet_b1",
    "efficientnet_b2",
    "efficientnet_b3",
    "efficientnet_b4",
    "efficientnet_b5",
    "efficientnet_b6",
    "efficientnet_b7",
    "efficientnet_v2_l",
    "efficientnet_v2_m",
    "efficientnet_v2_s",
    "googlenet",
    "mobilenet_v2",
    "mobilenet_v3_large",
    "mobilenet_v3_small",
    "resnet101",
    "resnet152",
    "resnet18",
    "resnet34",
    "resnet50",
    "resnext101_32x8d",
    "resnext101_64x4d",
    "resnext50_32x4d",
    "vgg11",
    "vgg11_bn",
    "vgg13",
    "vgg13_bn",
    "vgg16",
    "vgg16_bn",
    "vgg19",
    "vgg19_bn",
    "vit_b_16",
    "vit_b_32",
    "vit_l_16",
    "vit_l_32",
    "wide_resnet101_2",
    "wide_resnet50_2",
)
"""Architectures that torchvision builds, under its own names."""

OTHER_NAMES = {"mobilenet_v3": "mobilenet_v3_large", "resnext101_32x8d_wsl": "resnext101_32x8d"}
"""Further names of torchvision's architectures."""

TIMM = Entry("deepself.networks.timm_networks:TimmNetwork")

# Strings, not classes: a job that trains a small CNN must not pay for torchvision's import.
NETWORKS: dict[str, Entry] = {
    "dense": Entry("deepself.networks.dense:Dense"),
    "cnn1d": Entry("deepself.networks.cnn:CNN1d"),
    "cnn2d": Entry("deepself.networks.cnn:CNN2d"),
    "cnn3d": Entry("deepself.networks.cnn:CNN3d"),
    "rnn": Entry("deepself.networks.rnn:RNN"),
    "cnn_rnn": Entry("deepself.networks.cnn_rnn:CNNRNN"),
    "rnn_autoencoder": Entry("deepself.networks.rnn_autoencoder:RNNAutoencoder"),
    **_family(
        "deepself.networks.torchvision_networks:TorchvisionNetwork",
        "architecture",
        {**{name: name for name in TORCHVISION}, **OTHER_NAMES},
    ),
    "efficientnet_lite0": Entry("deepself.networks.efficientnet_lite:EfficientNetLite0"),
    **_family(
        "deepself.networks.mobilenet_audioset:MobileNetAudioSet",
        "width",
        {f"mn{tenths:02}_as": tenths / 10 for tenths in (4, 5, 10, 20, 30, 40)},
    ),
    **_family("deepself.networks.panns:PANN", "layers", {f"cnn{n}": n for n in (6, 10, 14)}),
    "piczak": Entry("deepself.networks.piczak:Piczak"),
    **_family("deepself.networks.soundnet:SoundNet", "layers", {f"soundnet{n}": n for n in (5, 8)}),
    **_family(
        "deepself.networks.end2you:End2You",
        "front",
        {name: name for name in ("emo16", "emo18", "zhao19")},
    ),
    **_family(
        "deepself.networks.eeg:EEGNetwork",
        "architecture",
        {name: name for name in ("eegnet", "deep4", "shallow_fbcsp")},
    ),
}


def available() -> list[str]:
    """Names that :func:`build` takes, in alphabetical order, but for timm's."""
    return sorted(NETWORKS)


def build(type: str, input_shape: tuple[int, ...], classes: int, **settings: Any) -> Network:
    """Build a network with freshly drawn weights.

    The weights come from torch's global generator alone, so the caller seeds it just before.

    Parameters
    ----------
    type
        One of :func:`available`, or ``timm/`` and the name of one of timm's architectures.
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
    entry = _entry(type)
    module, _, name = entry.target.partition(":")
    architecture = getattr(import_module(module), name)
    known = [
        parameter.name
        for parameter in inspect.signature(architecture).parameters.values()
        if parameter.kind is parameter.KEYWORD_ONLY and parameter.name not in entry.preset
    ]
    for setting in settings:
        if setting not in known:
            raise ValueError(f"{type} has no setting {setting!r}{_nearest(setting, known)}")
    return architecture(tuple(input_shape), classes, **entry.preset, **settings)


def _entry(type: str) -> Entry:
    family, slash, name = type.partition("/")
    if family == "timm" and slash:
        return TIMM._replace(preset={"architecture": name})
    if type not in NETWORKS:
        raise ValueError(f"unknown network type {type!r}{_nearest(type, available())}")
    return NETWORKS[type]


def _nearest(name: str, known: Iterable[str]) -> str:
    """End an error's line: the nearest name where one is near, and all of them."""
    known = list(known)
    close = get_close_matches(str(name), known, n=1)
    guess = f": did you mean {close[0]!r}?" if close else ":"
    return f"{guess} (known: {', '.join(known) or 'none'})"
