"""Whether weights are those of a network, found out before memory is taken for it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from deepself.errors import UserError
from deepself.networks.base import Network
from deepself.networks.summary import on_paper
from deepself.store.weights import read_weights

SMALL = 256
"""A setting up to which nothing is asked."""

FRESH = 2**24
"""Numbers of a layer of classes, which published weights may lack."""


def require_fit(
    settings: Mapping[str, Any],
    shapes: Mapping[str, tuple[int, ...]],
    state: Mapping[str, Tensor],
    make: Callable[[], Network],
) -> None:
    """Refuse settings that ask for a network of other weights than there are.

    Parameters
    ----------
    settings
        Of the network.
    shapes
        Shape of an item of each of its inputs.
    state
        Its weights by their names in it.
    make
        Builds it.

    Raises
    ------
    ValueError
        A number of the settings is larger than all that there is, or weights lack or are of
        another shape.
    UserError
        It cannot be built.
    """
    _require_known_sizes(settings, list(shapes.values()), state)
    wanted = {name: tuple(value.shape) for name, value in on_paper(make).state_dict().items()}
    odd = [name for name in wanted if name not in state] + [n for n in state if n not in wanted]
    if odd:
        raise ValueError(f"{odd[0]} is missing or unknown")
    for name, shape in wanted.items():
        if tuple(state[name].shape) != shape:
            raise ValueError(f"{name} has shape {tuple(state[name].shape)}, not {shape}")


def fitting_weights(
    settings: Mapping[str, Any],
    shape: tuple[int, ...],
    weights: Path,
    make: Callable[[tuple[int, ...]], Network],
) -> dict[str, Tensor]:
    """Read the weights of an embedding's network, and refuse settings that ask for more.

    Parameters
    ----------
    settings
        Of the network.
    shape
        Of an item.
    weights
        A file, which may lack the layer of classes.
    make
        Builds it for items of a shape.

    Raises
    ------
    UserError
        The message names the file.
    """
    try:
        state = read_weights(weights)
        _require_known_sizes(settings, [shape], state)
        wanted = on_paper(lambda: make(shape)).state_dict()
    except (ValueError, RuntimeError) as error:
        raise UserError(f"{weights}: {str(error).splitlines()[0]}") from None
    lacking = [value for name, value in wanted.items() if name not in state]
    if sum(value.numel() for value in lacking) > FRESH:
        raise UserError(f"{weights}: not the weights of this network")
    return state


def _require_known_sizes(
    settings: Mapping[str, Any], shapes: Sequence[tuple[int, ...]], state: Mapping[str, Tensor]
) -> None:
    """Refuse a number that is larger than all that there is."""
    most = max(
        [SMALL, *(n for shape in shapes for n in shape)]
        + [n for value in state.values() for n in value.shape]
    )
    for place, number in _numbers(settings, ""):
        if number > most:
            raise ValueError(f"{place} {number} is larger than any weights and items here")


def _numbers(value: Any, place: str) -> Iterator[tuple[str, int]]:
    """Whole numbers in settings, and where they stand."""
    if isinstance(value, Mapping):
        for key, own in value.items():
            yield from _numbers(own, f"{place}.{key}".lstrip("."))
    elif isinstance(value, list | tuple):
        for number, own in enumerate(value):
            yield from _numbers(own, f"{place}.{number}")
    elif isinstance(value, int) and not isinstance(value, bool):
        yield place, value
