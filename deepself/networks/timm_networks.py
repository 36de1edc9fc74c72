"""Any classifier of timm's, PyTorch Image Models."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from copy import deepcopy
from difflib import get_close_matches
from itertools import chain
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from deepself.networks._pictures import (
    PictureNetwork,
    Statistics,
    behead,
    first_channels,
    first_convolution,
)
from deepself.networks._torchvision import import_torchvision
from deepself.networks.base import check_input


class TimmNetwork(PictureNetwork):
    """An architecture for pictures, built by timm [1]_, whose documentation names each one's paper.

    Parameters
    ----------
    input_shape
        ``(channels, height, width)``.
    classes
        Number of classes.
    architecture
        timm's name, as "resnet10t"; with the tag of weights, as "resnet10t.c3_in1k", the statistics
        are those of their training, without it of the first that timm lists.
    input_channels
        How other than three channels are taken: "replicate" repeats one three times, the default
        for one; "kernel" gives the first convolutions as many channels, the default for several.
    imagenet_normalisation
        Whether the network itself subtracts the mean and divides by the standard deviation that
        timm gives for the published weights, for inputs in [0, 1].

    Raises
    ------
    ValueError
        Where timm is not installed or does not know the architecture or tag (with the nearest
        name), where that has no linear classifier, or the input does not fit it.

    References
    ----------
    .. [1] R. Wightman, "PyTorch Image Models", https://github.com/huggingface/pytorch-image-models.
    """

    def __init__(
        self,
        input_shape: tuple[int, ...],
        classes: int,
        *,
        architecture: str,
        input_channels: str | None = None,
        imagenet_normalisation: bool | None = None,
    ) -> None:
        name = f"timm/{architecture}"
        check_input(name, input_shape, classes, (3,))
        channels = first_channels(name, input_shape[0], input_channels)
        timm = _import_timm(name)
        config = _configuration(timm, architecture)
        network = _create(timm, architecture, config, (channels, *input_shape[1:]), classes)
        finals = _words(config.classifier)
        classifier, layers = _take_classifier(network, finals, name)
        super().__init__(
            network,
            classifier,
            name=name,
            channels=channels,
            finals=dict(zip(layers, finals, strict=True)),
            firsts=_words(config.first_conv) or (first_convolution(network),),
            statistics=Statistics(config.mean, config.std) if imagenet_normalisation else None,
        )
        self._headless = config.num_classes == 0  # published without a classifier
        _check_fit(self, name, input_shape, classes, config)

    def load_pretrained(self, state_dict: Mapping[str, Tensor]) -> list[str]:
        """Load weights as :class:`PictureNetwork` does.

        Where timm publishes an architecture without a final layer, that may be absent.
        """
        given = dict(state_dict)
        state = self.classifier.state_dict(prefix="classifier.")
        own = {self._published(key): value for key, value in state.items()}
        if self._headless and not given.keys() & own.keys():
            super().load_pretrained({**given, **own})
            return list(own)
        return super().load_pretrained(given)

    def _renamed(self, state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Apply timm's own conversion: older keys, and positions of another image size."""
        given = dict(state_dict)
        module = sys.modules[type(self.backbone).__module__]
        convert = getattr(module, "checkpoint_filter_fn", None)
        if convert is not None:
            # Where it meets other keys than it expects, the check that follows names them.
            with self._whole() as network, suppress(Exception):
                given = dict(convert(dict(state_dict), network))
        for final in self._finals.values():
            key = f"{final}.weight"
            if key in given and given[key].ndim == 4:  # of a convolution, see _as_linear
                given[key] = given[key].flatten(1)
        return given

    @contextmanager
    def _whole(self) -> Iterator[nn.Module]:
        """Put the final layers back where timm's conversions may look at them."""
        places = {}
        for layer, final in self._finals.items():
            places[final] = behead(self.backbone, final, self.get_submodule(layer))
        try:
            yield self.backbone
        finally:
            for final, place in places.items():
                self.backbone.set_submodule(final, place)


class Vote(nn.Module):
    """The mean of several final layers, each over its own part of the embedding.

    A distilled transformer has one for the class token and one for the distillation token.
    """

    def __init__(self, layers: Sequence[nn.Linear]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.sizes = [layer.in_features for layer in layers]

    def forward(self, x: Tensor) -> Tensor:
        """``(batch, embedding_size)`` to logits ``(batch, classes)``."""
        parts = x.split(self.sizes, dim=1)
        votes = [layer(part) for layer, part in zip(self.layers, parts, strict=True)]
        return torch.stack(votes).mean(dim=0)


class Slot(nn.Module):
    """Stands where one of several final layers was, so that their mean is the whole embedding.

    timm averages what its final layers give. Each of these gives what its layer would have read, in
    its own place among zeros, times the number of layers: the mean is then all of it side by side.
    """

    def __init__(self, place: int, sizes: Sequence[int]) -> None:
        super().__init__()
        self.count = len(sizes)
        self.margins = (sum(sizes[:place]), sum(sizes[place + 1 :]))

    def forward(self, x: Tensor) -> Tensor:
        """``(batch, its size)`` to ``(batch, all sizes)``."""
        return nn.functional.pad(x * self.count, self.margins)


def _import_timm(name: str) -> ModuleType:
    """Import timm, after the torchvision that it imports.

    Raises
    ------
    ValueError
        Where timm is not installed.
    """
    if "timm" not in sys.modules and importlib.util.find_spec("timm") is None:
        raise ValueError(f"{name} needs timm, which is not installed: pip install timm")
    import_torchvision()
    return importlib.import_module("timm")


def _configuration(timm: ModuleType, architecture: str) -> Any:
    """What timm knows of the published weights of an architecture, with or without a tag."""
    name, dot, _ = architecture.partition(".")
    architectures = timm.list_models()
    if name not in architectures:
        close = get_close_matches(name, architectures, n=1)
        guess = f": did you mean {close[0]!r}?" if close else ""
        raise ValueError(f"timm {timm.__version__} has no architecture {name!r}{guess}")
    tags = timm.list_pretrained(f"{name}.*")
    if dot and architecture not in tags:
        known = ", ".join(tag.partition(".")[2] for tag in tags)
        raise ValueError(
            f"timm {timm.__version__} has no weights {architecture!r} (known: {known})"
        )
    config = timm.models.get_pretrained_cfg(architecture)
    if config is None or not config.classifier:
        raise ValueError(f"timm/{architecture} has no classifier")
    return config


def _create(
    timm: ModuleType, architecture: str, config: Any, shape: tuple[int, ...], classes: int
) -> nn.Module:
    """Build timm's network for images of one size."""
    size = {"img_size": shape[1:]} if config.fixed_input_size else {}
    try:
        return timm.create_model(
            architecture, pretrained=False, num_classes=classes, in_chans=shape[0], **size
        )
    except Exception as error:
        raise ValueError(_misfit(f"timm/{architecture}", shape, config, error)) from None


def _take_classifier(
    network: nn.Module, finals: Sequence[str], name: str
) -> tuple[nn.Module, list[str]]:
    """Take the final layers off; return them as one, and their names in a :class:`PictureNetwork`.

    Raises
    ------
    ValueError
        Where there is none, it is no linear layer, or there are several that are not averaged.
    """
    if len(finals) > 2 or "aux_head" in finals:
        raise ValueError(f"{name} weighs several classifiers ({', '.join(finals)}): use another")
    parts = dict(network.named_modules())
    found = [_as_linear(parts.get(final)) for final in finals]
    layers = [layer for layer in found if layer is not None]
    if len(layers) < len(found):
        raise ValueError(f"{name} has no linear classifier")
    sizes = [layer.in_features for layer in layers]
    for place, final in enumerate(finals):
        behead(network, final, Slot(place, sizes) if len(layers) > 1 else None)
    if len(layers) == 1:
        return layers[0], ["classifier"]
    return Vote(layers), [f"classifier.layers.{place}" for place in range(len(layers))]


def _as_linear(layer: nn.Module | None) -> nn.Linear | None:
    """Give a final layer as a linear one, also where it is a convolution over pooled maps of 1x1.

    None for anything else.
    """
    if isinstance(layer, nn.Conv2d) and layer.kernel_size == (1, 1):
        linear = nn.Linear(layer.in_channels, layer.out_channels, bias=layer.bias is not None)
        linear.weight = nn.Parameter(layer.weight.detach().flatten(1))
        if layer.bias is not None:
            linear.bias = nn.Parameter(layer.bias.detach())
        return linear
    return layer if isinstance(layer, nn.Linear) else None


def _check_fit(
    network: nn.Module, name: str, shape: tuple[int, ...], classes: int, config: Any
) -> None:
    """Refuse images that the network cannot take, saying which would fit."""
    paper = _on_paper(network)
    found = _outcome(paper, shape)
    if found == (2, classes):
        return
    own = config.input_size[1:]

    def fits(rows: int, columns: int) -> bool:
        return _outcome(paper, (shape[0], rows, columns)) == (2, classes)

    fixed = config.fixed_input_size  # made for this shape: it takes no other
    if shape[1:] == own or not (fixed or fits(*own)):
        raise ValueError(f"{name} gives no logits of images {(shape[0], *own)}: {_line(found)}")
    if not fixed:
        smallest = bisect_left(range(1, min(own)), True, key=lambda side: fits(side, side)) + 1
        above = [smallest + more for more in (1, 2, 4, 8, 16, 31)]
        # Where only multiples of some number fit, there is no such bound.
        if min(shape[1:]) < smallest and all(fits(side, side) for side in above):
            raise ValueError(
                f"{name} takes images of at least {smallest} rows and columns, not {shape}"
            )
    raise ValueError(_misfit(name, shape, config, found))


def _on_paper(network: nn.Module) -> nn.Module:
    """Copy a network without its numbers, so that passing it images gives shapes at no cost."""
    memo: dict[int, Any] = {}
    for tensor in chain(network.parameters(), network.buffers()):
        empty = torch.empty_like(tensor, device="meta")
        parameter = isinstance(tensor, nn.Parameter)
        memo[id(tensor)] = nn.Parameter(empty, requires_grad=False) if parameter else empty
    return deepcopy(network, memo).eval()


def _outcome(paper: nn.Module, shape: tuple[int, ...]) -> Any:
    """Pass two images through a network on paper: the shape of what it gives, or its complaint."""
    try:
        with torch.no_grad():
            given = paper(torch.empty((2, *shape), device="meta"))
    except Exception as error:
        return error
    return tuple(given.shape) if isinstance(given, Tensor) else type(given).__name__


def _misfit(name: str, shape: tuple[int, ...], config: Any, found: Any) -> str:
    """Say that images of a shape do not fit, for which the network was published, and why."""
    own = (shape[0], *config.input_size[1:])
    return f"{name} takes images such as {own}, but not {shape}: {_line(found)}"


def _line(found: Any) -> str:
    """The first line of an error, or what there is instead of one."""
    return next(iter(str(found).splitlines()), type(found).__name__)


def _words(names: str | Sequence[str] | None) -> tuple[str, ...]:
    """One name, several or none, as timm writes them."""
    return () if names is None else (names,) if isinstance(names, str) else tuple(names)
