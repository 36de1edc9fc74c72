"""Spectral images as pictures."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

GREY = "grey"
LAYOUTS = ("average", "stack", "rgb")

_ENTRIES = 256


def render(
    image: Tensor,
    *,
    value_range: tuple[float, float] | None,
    colormap: str,
    height: int,
    width: int,
    layout: str,
) -> Tensor:
    """Draw spectral images as pictures, the lowest frequency at the bottom.

    Parameters
    ----------
    image : Tensor, shape (batch, channels, bins, frames)
        Row 0 is the lowest frequency.
    value_range : tuple of float or None
        Values drawn as darkest and brightest; others are clipped. None: the least and greatest
        value of each item, once its channels are laid out; an item of one value is all dark.
    colormap : str
        ``"grey"``, or the name of one of matplotlib's colour maps.
    height, width : int
        Of the pictures, in pixels. Values, not colours, are interpolated (bilinearly, and
        averaged where the picture is smaller).
    layout : {"average", "stack", "rgb"}
        The mean of the channels; the channels one above the other, the first at the top; or two
        or three channels as red, green and blue, without a colour map.

    Returns
    -------
    Tensor, shape (batch, 1, height, width) if grey, else (batch, 3, height, width)
        float32, within [0, 1].

    Raises
    ------
    ValueError
        If the image has other than four axes or none of a kind, a size is below 1, the range
        does not ascend, the layout or the colour map is unknown, or ``"rgb"`` is asked of other
        than two or three channels.
    """
    if image.ndim != 4 or 0 in image.shape[1:]:
        raise ValueError(
            f"image has shape {tuple(image.shape)}; "
            f"it must be (batch, channels, bins, frames), none but batch of them 0"
        )
    if height < 1 or width < 1:
        raise ValueError(f"height ({height}) and width ({width}) must be at least 1")
    table = None if layout == "rgb" or colormap == GREY else _table(colormap)
    laid_out = _lay_out(image.detach().float(), layout).flip(-2)
    shades = _resize(_to_unit(laid_out, value_range), height, width).clamp(0.0, 1.0)
    if layout == "rgb":
        # Two channels leave blue at 0.
        return torch.nn.functional.pad(shades, (0, 0, 0, 0, 0, 3 - shades.shape[1]))
    if table is None:
        return shades
    entries = (shades * _ENTRIES).long().clamp_(max=_ENTRIES - 1).squeeze(1)
    return table.to(image.device)[entries].movedim(-1, 1).contiguous()


def _lay_out(image: Tensor, layout: str) -> Tensor:
    """Lay out channels in one image (batch, 1 or 2 or 3, rows, frames), row 0 at the bottom."""
    channels = image.shape[1]
    if layout == "average":
        return image.mean(dim=1, keepdim=True)
    if layout == "stack":
        # Row 0 is at the bottom, and so must the last channel be.
        return image.flip(1).flatten(1, 2).unsqueeze(1)
    if layout == "rgb":
        if channels not in (2, 3):
            raise ValueError(
                f"layout 'rgb' draws 2 or 3 channels, not {channels}: use 'average' or 'stack'"
            )
        return image
    raise ValueError(f"layout {layout!r} is not one of {', '.join(LAYOUTS)}")


def _to_unit(image: Tensor, value_range: tuple[float, float] | None) -> Tensor:
    if value_range is None:
        low = image.amin(dim=(1, 2, 3), keepdim=True)
        extent = image.amax(dim=(1, 2, 3), keepdim=True) - low
        return (image - low) / extent.masked_fill(extent == 0, 1.0)
    darkest, brightest = value_range
    if not darkest < brightest:
        raise ValueError(f"value_range must ascend, not go from {darkest:g} to {brightest:g}")
    return ((image - darkest) / (brightest - darkest)).clamp_(0.0, 1.0)


def _resize(image: Tensor, height: int, width: int) -> Tensor:
    if width == 1 < height:
        # PyTorch (2.13, for one) repeats the first row of pictures that are one pixel wide.
        return _resize(image.mT, width, height).mT
    return torch.nn.functional.interpolate(image, (height, width), mode="bilinear", antialias=True)


@lru_cache(maxsize=8)
def _table(colormap: str) -> Tensor:
    """Return the colours of a map, shape ``(256, 3)``."""
    import difflib

    import matplotlib
    import numpy as np

    known = [GREY, *matplotlib.colormaps]
    if colormap not in known:
        nearest = difflib.get_close_matches(colormap, known, n=1, cutoff=0.0)[0]
        raise ValueError(f"{colormap!r} is not a colour map; the nearest is {nearest!r}")
    colours = matplotlib.colormaps[colormap](np.linspace(0.0, 1.0, _ENTRIES))
    return torch.from_numpy(colours[:, :3].astype("float32"))
