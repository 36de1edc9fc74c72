"""Which maps of a network Grad-CAM looks at, and how they lie over the item."""

from collections.abc import Callable
from math import prod
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from deepself.networks.base import Network
from deepself.networks.conv_stack import ConvStack
from deepself.networks.panns import PANN

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
MODES = {1: "linear", 2: "bilinear", 3: "trilinear"}
"""Of interpolation, by the number of axes."""


class Seen(NamedTuple):
    """What a module gave for one item: its maps' shape without the batch, () if it gave no maps."""

    module: nn.Module
    shape: tuple[int, ...]
    vectors: int


def last_maps(network: Network, run: Callable[[], Any], sizes: tuple[int, ...]) -> nn.Module | None:
    """The module that gives a network's last convolutional maps; None if there is none.

    Of our own convolutional stacks, it is the last activation. Of others, it is the module that
    ends last, after a convolution, with maps of more than one position which lie over the item;
    networks that turn their maps into tokens (transformers) have none, as their convolutions are
    only their beginning.

    Parameters
    ----------
    network
        The network, or one branch of it.
    run
        Passes one item through it.
    sizes
        Of the item, without its channels: (samples,), (bins, frames) or (frames, height, width).
    """
    stacks = [module for module in network.modules() if isinstance(module, ConvStack)]
    if stacks:
        return stacks[-1].blocks[-1].activation  # type: ignore[return-value]
    seen = _seen(network, run)
    # Some modules convolve by the weights of theirs, which are never called.
    convolutions = [
        i
        for i, one in enumerate(seen)
        if any(isinstance(part, CONVOLUTIONS) for part in (one.module, *one.module.children()))
    ]
    if not convolutions:
        return None
    calls = [one.module for one in seen]
    fitting = [
        i
        for i, one in enumerate(seen)
        if i >= convolutions[0] and _fits(network, one, sizes) and calls.count(one.module) == 1
    ]
    if not fitting or any(one.vectors > 1 for one in seen[fitting[-1] + 1 :]):
        return None
    return seen[fitting[-1]].module


def spread(maps: Tensor, network: Network, shape: tuple[int, ...]) -> Tensor:
    """Bring what maps say of their positions to the size of an item.

    Parameters
    ----------
    maps
        Shape (rows, 1, *positions).
    network
        Whose maps they are.
    shape
        Of an item, the channels first.

    Returns
    -------
    Tensor
        Shape (rows, *shape): the same for all channels.
    """
    if isinstance(network, PANN):  # its maps have frames first
        maps = maps.transpose(2, 3)
    sizes = shape[1:]
    if maps.ndim - 2 != len(sizes):  # of signals, in networks whose maps have an idle axis
        maps = maps.flatten(2)
    large = interpolate(maps, size=sizes, mode=MODES[len(sizes)], align_corners=False)
    return large.expand(-1, *shape)


def _fits(network: Network, one: Seen, sizes: tuple[int, ...]) -> bool:
    """Whether maps have several positions, which lie over an item's as a map over its land."""
    positions = one.shape[1:]
    if len(one.shape) < 2 or prod(positions) < 2 or "Pool" in type(one.module).__name__:
        return False
    if len(sizes) == 1:
        return sum(size > 1 for size in positions) == 1
    if len(positions) != len(sizes):
        return False
    if isinstance(network, PANN):
        positions = positions[::-1]
    # Axes shrink alike; what has channels behind its positions does not look so.
    scales = [whole / part for whole, part in zip(sizes, positions, strict=True)]
    return all(part <= whole for whole, part in zip(sizes, positions, strict=True)) and all(
        abs(whole / max(scales) - part) <= 2 or abs(whole / min(scales) - part) <= 2
        for whole, part in zip(sizes, positions, strict=True)
    )


def _seen(network: nn.Module, run: Callable[[], Any]) -> list[Seen]:
    """What each module gave, in the order in which they ended."""
    found: list[Seen] = []

    def note(module: nn.Module, _inputs: Any, output: Any) -> None:
        if isinstance(output, Tensor):
            shape = tuple(output.shape[1:]) if output.ndim > 2 else ()
            found.append(Seen(module, shape, _vectors(module, output)))

    hooks = [module.register_forward_hook(note) for module in network.modules()]
    try:
        with torch.no_grad():
            run()
    finally:
        for hook in hooks:
            hook.remove()
    return found


def _vectors(module: nn.Module, output: Tensor) -> int:
    """How many vectors, or tokens, of an item a linear layer or a normalisation of such gave."""
    if isinstance(module, nn.Linear):
        return output[0].numel() // module.out_features
    if isinstance(module, nn.LayerNorm):
        return output[0].numel() // prod(module.normalized_shape)
    return 0
