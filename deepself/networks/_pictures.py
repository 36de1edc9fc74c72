"""What the networks trained on pictures share: channels, normalisation and published weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import sqrt
from typing import NamedTuple

import torch
from torch import Tensor, nn

from deepself.networks._pretrained import PretrainedNetwork

COLOURS = 3


class Statistics(NamedTuple):
    """Mean and standard deviation of red, green and blue in [0, 1], as in training."""

    mean: tuple[float, ...]
    std: tuple[float, ...]


class PictureNetwork(PretrainedNetwork):
    """An architecture made for pictures of three colours, for any number of channels.

    Parameters
    ----------
    backbone
        The architecture, without its final layer.
    classifier
        The final layer.
    name
        What an error calls the network.
    channels
        Channels that the first convolution reads; an input of one channel is repeated.
    finals
        The final layer's name in published weights, by its name here.
    firsts
        Names of the backbone's first convolutions.
    statistics
        What the network subtracts from its input and divides it by; None for nothing.
    """

    mean: Tensor | None
    std: Tensor | None

    def __init__(
        self,
        backbone: nn.Module,
        classifier: nn.Module,
        *,
        name: str,
        channels: int,
        finals: Mapping[str, str],
        firsts: Sequence[str],
        statistics: Statistics | None,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.classifier = classifier
        self._name, self._channels = name, channels
        self._finals, self._firsts = dict(finals), tuple(firsts)
        self.final = tuple(finals.values())
        layers = [layer for layer in classifier.modules() if isinstance(layer, nn.Linear)]
        self.embedding_size = sum(layer.in_features for layer in layers)
        for which in ("mean", "std"):
            constants = None
            if statistics is not None:
                constants = _for_channels(getattr(statistics, which), channels).view(-1, 1, 1)
            self.register_buffer(which, constants, persistent=False)  # in no state dict

    def embed(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Give what the final layer reads of pictures ``(batch, channels, height, width)``.

        Returns
        -------
        Tensor
            ``(batch, embedding_size)``; ``lengths`` plays no part.
        """
        x = x.expand(-1, self._channels, -1, -1)
        if self.mean is not None and self.std is not None:
            x = (x - self.mean) / self.std
        return self.backbone(x)

    def _given(self, state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Rename, and bring a first convolution over three colours to the network's channels."""
        given = self._renamed(state_dict)
        own = dict(self.backbone.named_parameters())
        for key in (f"{first}.weight" for first in self._firsts):
            if key in given and key in own and _differ_in_colours(given[key], own[key]):
                given[key] = adapt_kernel(given[key], own[key].shape[1])
        return given

    def _renamed(self, state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Bring older or other layouts of the published weights to the architecture's own."""
        return dict(state_dict)

    def _published(self, key: str) -> str:
        """Give the published name of one of this network's keys."""
        if key.startswith("backbone."):
            return key.removeprefix("backbone.")
        layer, _, parameter = key.rpartition(".")
        return f"{self._finals[layer]}.{parameter}"


def first_channels(name: str, channels: int, input_channels: str | None) -> int:
    """Tell over how many channels a network's first convolution goes.

    Parameters
    ----------
    name
        What an error calls the network.
    channels
        Channels of its input.
    input_channels
        "replicate": one channel is repeated three times. "kernel": the first convolution has as
        many channels as the input. None is the first for one channel, the second for several.

    Raises
    ------
    ValueError
        For another word, and where several channels are to be replicated.
    """
    if input_channels not in (None, "replicate", "kernel"):
        raise ValueError(f"{name}: input_channels is replicate or kernel, not {input_channels!r}")
    if channels == COLOURS:
        return COLOURS
    if channels == 1:
        return 1 if input_channels == "kernel" else COLOURS
    if input_channels == "replicate":
        raise ValueError(
            f"{name}: input_channels: replicate is for one channel, not {channels}; use kernel"
        )
    return channels


def first_convolution(network: nn.Module) -> str:
    """Name the first convolution of a network, in the order of its parts."""
    return next(name for name, part in network.named_modules() if isinstance(part, nn.Conv2d))


def widen(convolution: nn.Conv2d, channels: int) -> None:
    """Draw a convolution over three channels anew, over another number of them.

    Its deviation is that of the weights it had, scaled so that what the layer gives keeps its size.
    """
    drawn = convolution.weight
    if drawn.shape[1] != channels:
        fresh = torch.empty(drawn.shape[0], channels, *drawn.shape[2:]).normal_()
        scale = drawn.detach().std() * sqrt(drawn.shape[1] / channels)
        convolution.weight = nn.Parameter(fresh * scale)
        convolution.in_channels = channels


def adapt_kernel(kernel: Tensor, channels: int) -> Tensor:
    """Bring a kernel over three colours to another number of channels.

    Parameters
    ----------
    kernel
        ``(out_channels, 3, height, width)``.
    channels
        One: the sum over the colours, which gives of a grey picture what the kernel gives of its
        three equal colours. Others: the colours in turn, scaled so that the sum over channels
        keeps its size.

    Returns
    -------
    Tensor
        ``(out_channels, channels, height, width)``.
    """
    if channels == 1:
        return kernel.sum(dim=1, keepdim=True)
    turns = torch.arange(channels, device=kernel.device) % COLOURS
    return kernel[:, turns] * (COLOURS / channels)


def behead(network: nn.Module, final: str, instead: nn.Module | None = None) -> nn.Module:
    """Take the final layer off a network, put ``instead`` (or nothing) there, and return it."""
    layer = network.get_submodule(final)
    network.set_submodule(final, nn.Identity() if instead is None else instead)
    return layer


def _differ_in_colours(given: Tensor, own: Tensor) -> bool:
    """Whether a kernel is over three colours and another, else alike, over other channels."""
    if given.ndim != 4 or own.ndim != 4 or own.shape[1] == COLOURS:
        return False
    return given.shape[1] == COLOURS and given.shape[2:] == own.shape[2:]


def _for_channels(constants: Sequence[float], channels: int) -> Tensor:
    """Average the constants of three colours for one channel; take them in turn for several."""
    if channels == 1:
        return torch.tensor([sum(constants) / len(constants)])
    return torch.tensor([constants[channel % len(constants)] for channel in range(channels)])
