"""Operations drawn from torchvision's RandAugment."""

import torch
from torch import Generator, Tensor

from deepself.networks._torchvision import import_torchvision
from deepself.study.augmentation import RandAugment
from deepself.training.augment.items import Items

MAGNITUDES = 31
"""Magnitudes go from 0 to 30."""


def rand_augment(settings: RandAugment, items: Items, generator: Generator) -> Tensor:
    """Pictures, each changed by operations of its own, as what they were before normalisation.

    Notes
    -----
    E. D. Cubuk et al., "RandAugment: Practical Automated Data Augmentation with a Reduced Search
    Space", NeurIPS 2020.
    """
    import_torchvision()
    from torchvision.transforms import v2

    operations = v2.RandAugment(settings.operations, settings.magnitude, MAGNITUDES)
    pictures = items.values
    if items.mean is not None and items.deviation is not None:
        pictures = pictures * items.deviation + items.mean
    pictures = pictures.clamp(0, 1)
    seeds = torch.randint(2**62, (len(items),), device=generator.device, generator=generator)
    # torchvision draws from torch's own generator of the CPU, one policy a call.
    with torch.random.fork_rng(devices=[]):
        changed = []
        for picture, seed in zip(pictures, seeds.tolist(), strict=True):
            torch.default_generator.manual_seed(seed)
            changed.append(operations(picture))
    pictures = torch.stack(changed).clamp(0, 1)
    if items.mean is not None and items.deviation is not None:
        pictures = (pictures - items.mean) / items.deviation
    return pictures
