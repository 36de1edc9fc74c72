"""Whether weights are those of a network, found out before memory is taken for it."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from torch import Tensor

from deepself.networks.base import Network
from deepself.networks.summary import on_paper

SMALL = 256
"""A setting up to which nothing is asked."""


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
    most = max(
        [SMALL, *(n for shape in shapes.values() for n in shape)]
        + [n for value in state.values() for n in value.shape]
    )
    for place, number in _numbers(settings, ""):
        if number > most:
            raise ValueError(f"{place} {number} is larger than any weights and items here")
    wanted = {name: tuple(value.shape) for name, value in on_paper(make).state_dict().items()}
    odd = [name for name in wanted if name not in state] + [n for n in state if n not in wanted]
    if odd:
        raise ValueError(f"{odd[0]} is missing or unknown")
    for name, shape in wanted.items():
        if tuple(state[name].shape) != shape:
            raise ValueError(f"{name} has shape {tuple(state[name].shape)}, not {shape}")


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
