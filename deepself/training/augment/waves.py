"""Changes of what a wave sounds like: gain and noise."""

import torch
from torch import Generator, Tensor

from deepself.study.augmentation import Gain, Noise
from deepself.training.augment.draws import uniform
from deepself.training.augment.items import Items


def gain(settings: Gain, items: Items, generator: Generator) -> Tensor:
    """Waves, each by a factor of its own."""
    decibels = uniform(len(items), *settings.decibels, generator)
    return items.values * items.each(10 ** (decibels / 20))


def noise(settings: Noise, items: Items, generator: Generator) -> Tensor:
    """Waves with white noise, each at a signal-to-noise ratio of its own."""
    decibels = uniform(len(items), *settings.snr, generator)
    white = torch.randn(
        items.values.shape,
        dtype=items.values.dtype,
        device=generator.device,
        generator=generator,
    )
    deviation = torch.sqrt(power(items)) * items.each(10 ** (-decibels / 20))
    return items.values + items.silenced(white * deviation)


def power(items: Items) -> Tensor:
    """Mean square of each wave and channel, without its mean: (rows, channels, 1).

    What fills a wave up is no part of it.
    """
    count = items.each(items.lengths)
    mean = items.values.sum(-1, keepdim=True) / count
    return items.silenced(items.values - mean).square().sum(-1, keepdim=True) / count
