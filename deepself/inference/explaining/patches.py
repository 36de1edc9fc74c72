"""Which parts of an item occlusion hides, one after the other."""

import math

from deepself.study.augmentation import FILM, PICTURE, SPECTRUM, VECTOR, WAVE

Sizes = tuple[int, ...]

PLACES: dict[str, Sizes] = {WAVE: (64,), SPECTRUM: (12, 20), FILM: (4, 8, 8)}
"""Places along each axis behind the channels where patches begin, if there are passes enough."""

COUNTED = {
    WAVE: ("samples",),
    SPECTRUM: ("rows", "frames"),
    PICTURE: ("rows", "columns"),
    FILM: ("frames", "rows", "columns"),
}
"""What the axes behind the channels count."""

EACH_CHANNEL = 8
"""Places that each channel must be left with if channels are hidden one by one."""

FEWEST = 12
"""Passes a row that there are at least."""


def patches(sort: str, shape: Sizes, passes: int, apart: bool) -> tuple[Sizes, Sizes]:
    """Size of the patches of an item, and the distance of their places, along each of its axes.

    They are time segments of waves, patches of time and frequency of spectra, squares of pictures,
    and cuboids of films, which overlap by half; of vectors, single values or as few neighbours as
    the passes allow.

    Parameters
    ----------
    sort
        Of the item.
    shape
        Its shape, the channels first but for vectors.
    passes
        About how many places there may be.
    apart
        Whether channels of waves and spectra are hidden one by one where the passes suffice, as
        they are of different sensors; else all at once.
    """
    passes = max(passes, FEWEST)
    if sort == VECTOR or len(shape) == 1:
        size = -(-math.prod(shape) // passes)
        return (*(1,) * (len(shape) - 1), size), (*(1,) * (len(shape) - 1), size)
    channels, *sizes = shape
    apart = apart and sort in (WAVE, SPECTRUM) and channels * EACH_CHANNEL <= passes
    free = passes // channels if apart else passes
    strides = _square(sizes, free) if sort == PICTURE else _strides(PLACES[sort], sizes, free)
    windows = [min(size, 2 * stride) for size, stride in zip(sizes, strides, strict=True)]
    across = 1 if apart else channels
    return (across, *windows), (across, *strides)


def in_words(sort: str, window: Sizes, channels: int) -> str:
    """A part that is hidden, for the reader."""
    if sort == VECTOR or len(window) == 1:
        count = math.prod(window)
        return f"{count} value{'s' * (count > 1)}"
    sizes = " × ".join(f"{n} {name}" for n, name in zip(window[1:], COUNTED[sort], strict=True))
    return sizes if window[0] == channels else f"{sizes} of one channel"


def _strides(wanted: Sizes, sizes: list[int], passes: int) -> list[int]:
    places = [min(place, size) for place, size in zip(wanted, sizes, strict=True)]
    shrink = min(1.0, (passes / math.prod(places)) ** (1 / len(places)))
    return [
        max(1, math.ceil(size / max(1, round(place * shrink))))
        for place, size in zip(places, sizes, strict=True)
    ]


def _square(sizes: list[int], passes: int) -> list[int]:
    side = max(1, math.ceil(math.sqrt(math.prod(sizes) / passes)))
    return [min(side, size) for size in sizes]
