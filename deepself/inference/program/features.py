"""Features that are cut from recordings or made from other features, as modules."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from deepself import signal
from deepself.networks.base import Network
from deepself.study.features import Rendered, Window
from deepself.study.joined import AnyJoined, JoinedVectors

Shape = tuple[int, ...]


class Windows(nn.Module):
    """Windows (batch, windows, channels, samples) of signals of one length (batch, channels, ...).

    Parameters
    ----------
    window
        As in the study.
    sample_rate
        In Hz.
    samples
        Length of the signals.

    Attributes
    ----------
    count
        How many windows there are.
    """

    def __init__(self, window: Window, sample_rate: float, samples: int):
        super().__init__()
        self._length = round(window.seconds * sample_rate)
        self._hop = max(1, round(self._length * (1 - window.overlap)))
        starts = list(range(0, samples - self._length + 1, self._hop))
        self._missing = 0
        if window.rest == "zero" and (not starts or starts[-1] + self._length < samples):
            starts.append(starts[-1] + self._hop if starts else 0)
            self._missing = max(0, starts[-1] + self._length - samples)
        self.count = len(starts)
        self._starts = starts

    def forward(self, waves: Tensor) -> Tensor:
        """Give (batch, windows, channels, samples of a window) of (batch, channels, samples)."""
        waves = functional.pad(waves, (0, self._missing))
        return torch.stack([waves[..., s : s + self._length] for s in self._starts], dim=1)


class Picture(nn.Module):
    """Spectral images of one size as pictures, in grey, or with their channels as colours.

    What `deepself.signal.render` does but for its colour maps. Interpolation is linear in the
    values and does rows and columns one after the other: two matrices say all of it.

    Parameters
    ----------
    spec
        The feature.
    shape
        Of the images.
    """

    down: Tensor
    across: Tensor

    def __init__(self, spec: Rendered, shape: Shape):
        super().__init__()
        self._range, self._layout = spec.range, spec.layout
        channels, bins, frames = shape
        rows = channels * bins if spec.layout == "stack" else bins
        self.register_buffer("down", _interpolation(rows, spec.height))
        self.register_buffer("across", _interpolation(frames, spec.width).T.contiguous())

    def forward(self, image: Tensor) -> Tensor:
        """Give (rows, 1 or 3, height, width) of (rows, channels, bins, frames)."""
        if self._layout == "average":
            image = image.mean(dim=1, keepdim=True)
        elif self._layout == "stack":
            image = image.flip(1).flatten(1, 2).unsqueeze(1)
        shades = (self.down @ self._to_unit(image.flip(-2)) @ self.across).clamp(0.0, 1.0)
        if self._layout == "rgb":
            shades = functional.pad(shades, (0, 0, 0, 0, 0, 3 - shades.shape[1]))
        return shades

    def _to_unit(self, image: Tensor) -> Tensor:
        if self._range != "item":
            darkest, brightest = self._range
            return ((image - darkest) / (brightest - darkest)).clamp(0.0, 1.0)
        low = image.amin(dim=(1, 2, 3), keepdim=True)
        extent = image.amax(dim=(1, 2, 3), keepdim=True) - low
        return (image - low) / torch.where(extent == 0, torch.ones_like(extent), extent)


def _interpolation(size: int, wanted: int) -> Tensor:
    """Weights (wanted, size) by which torch interpolates an axis, averaging where it shrinks."""
    # Two columns: torch (2.13, for one) repeats the first row of pictures one pixel wide.
    unit = torch.eye(size)[:, None, :, None].expand(-1, 1, -1, 2)
    resized = functional.interpolate(unit, (wanted, 2), mode="bilinear", antialias=True)
    return resized[:, 0, :, 0].T.contiguous()


class Vectors(nn.Module):
    """An embedding: what a network makes of items.

    Parameters
    ----------
    network
        In evaluation mode; kept here so that its weights are the program's.
    embed
        What passes items through it.
    """

    def __init__(self, network: Network, embed: Callable[[Tensor], Tensor]):
        super().__init__()
        self.network, self._embed = network, embed

    def forward(self, items: Tensor) -> Tensor:
        """Give (rows, values) of items (rows, ...)."""
        return self._embed(items)


class Summary(nn.Module):
    """Statistics over time of the rows of items."""

    def __init__(self, wanted: Sequence[str]):
        super().__init__()
        self._wanted = tuple(wanted)

    def forward(self, items: Tensor) -> Tensor:
        """Give (rows, values) of items (rows, ..., steps)."""
        return signal.statistics(items, self._wanted)


class Together(nn.Module):
    """Items of several features as one, each cut to the steps that all have.

    Parameters
    ----------
    spec
        The joined feature.
    shape
        Of its items.
    windowed
        Whether each source has an axis of windows behind that of the batch; if any has, so has
        what is made, and one without speaks for all windows.
    """

    def __init__(self, spec: AnyJoined, shape: Shape, windowed: Sequence[bool]):
        super().__init__()
        self._spec, self._shape, self._windowed = spec, shape, tuple(windowed)

    def forward(self, *sources: Tensor) -> Tensor:
        """Give (batch, [windows,] *shape) of such of each source."""
        lead = 1 + any(self._windowed)
        parts = [self._cut(one, own) for one, own in zip(sources, self._windowed, strict=True)]
        if lead == 2:
            whole = next(p for p, own in zip(parts, self._windowed, strict=True) if own)
            parts = [
                p if own else p[:, None].expand(-1, whole.shape[1], *p.shape[1:])
                for p, own in zip(parts, self._windowed, strict=True)
            ]
        return torch.cat(parts, dim=lead + self._spec.axis)

    def _cut(self, items: Tensor, windowed: bool) -> Tensor:
        if isinstance(self._spec, JoinedVectors):
            return items.flatten(1 + windowed)
        time = self._spec.time_axis
        if time is None:
            return items
        return items.narrow(1 + windowed + time, 0, self._shape[time])


class Rows(nn.Module):
    """What is done to each row alone, with the axes of batch and windows as one meanwhile."""

    def __init__(self, made: nn.Module):
        super().__init__()
        self.made = made

    def forward(self, items: Tensor) -> Tensor:
        """Give (batch, windows, ...) of items (batch, windows, ...)."""
        found = self.made(items.flatten(0, 1))
        return found.unflatten(0, (-1, items.shape[1]))


class Kept(nn.Module):
    """Values as a feature's file would give them back: rounded to its type."""

    def __init__(self, dtype: str):
        super().__init__()
        self._dtype = getattr(torch, dtype)

    def forward(self, items: Tensor) -> Tensor:
        """Give items of the same shape, float32."""
        return items.to(self._dtype).float()
