"""What is hidden from the network: stretches of time, bands of bins, whole channels.

Masks of time and frequency are those of D. S. Park et al., "SpecAugment: A Simple Data
Augmentation Method for Automatic Speech Recognition", Interspeech 2019: a width is drawn evenly
from 0 to the widest, then its place evenly among all where it fits.
"""

import torch
from torch import Generator, Tensor

from deepself.study.augmentation import ChannelDropout, FrequencyMask, TimeMask
from deepself.training.augment.draws import whole
from deepself.training.augment.items import Items, at_most

BINS = 2
"""Axis of the bins of spectra (rows, channels, bins, frames)."""


def time_mask(settings: TimeMask, items: Items, generator: Generator) -> Tensor:
    """Items with stretches of time hidden, in all channels alike."""
    steps = items.values.shape[items.axis]
    mask = stretches(settings.masks, settings.size, items.lengths, steps, generator)
    return items.without(items.along(mask, items.axis))


def frequency_mask(settings: FrequencyMask, items: Items, generator: Generator) -> Tensor:
    """Spectra with bands of bins hidden, in all channels alike."""
    bins = items.values.shape[BINS]
    lengths = torch.full((len(items),), bins, device=items.values.device)
    mask = stretches(settings.masks, settings.size, lengths, bins, generator)
    return items.without(items.along(mask, BINS))


def stretches(count: int, size: float, lengths: Tensor, steps: int, generator: Generator) -> Tensor:
    """Masks (rows, steps) of so many stretches, each of at most a share of its item's length."""
    place = torch.arange(steps, device=lengths.device)
    mask = torch.zeros(len(lengths), steps, dtype=torch.bool, device=lengths.device)
    for _ in range(count):
        widths = whole(at_most(lengths, size), generator)
        starts = whole(lengths - widths, generator)
        mask |= (place >= starts[:, None]) & (place < (starts + widths)[:, None])
    return mask


def channel_dropout(settings: ChannelDropout, items: Items, generator: Generator) -> Tensor:
    """Items with channels hidden, each by chance of its own; one at least is kept."""
    shape = items.values.shape[:2]
    drawn = torch.rand(shape, device=generator.device, generator=generator)
    # Only where all are dropped does the largest draw belong to a dropped channel.
    channel = torch.arange(shape[1], device=generator.device)
    dropped = (drawn < settings.share) & (channel != drawn.argmax(1, keepdim=True))
    return items.without(items.along(dropped, 1))
