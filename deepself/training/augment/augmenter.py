"""All augmentations of a model, one after the other."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Generator, Tensor

from deepself.study.augmentation import (
    Affine,
    AnyAugmentation,
    Augmentation,
    ChannelDropout,
    CutMix,
    Flip,
    FrequencyMask,
    Gain,
    MixUp,
    Noise,
    RandAugment,
    RandomCrop,
    TimeMask,
    TimeShift,
    sort_of,
)
from deepself.training.augment.crops import random_crop
from deepself.training.augment.draws import chosen
from deepself.training.augment.items import Items
from deepself.training.augment.masks import channel_dropout, frequency_mask, time_mask
from deepself.training.augment.mixing import cut_mix, mix_up
from deepself.training.augment.pictures import affine, flip
from deepself.training.augment.rand_augment import rand_augment
from deepself.training.augment.shifts import time_shift
from deepself.training.augment.waves import gain, noise
from deepself.training.batch import Batch

CHANGES: dict[type[Augmentation], Callable[..., Tensor]] = {
    TimeShift: time_shift,
    Gain: gain,
    Noise: noise,
    TimeMask: time_mask,
    FrequencyMask: frequency_mask,
    ChannelDropout: channel_dropout,
    Flip: flip,
    Affine: affine,
    RandAugment: rand_augment,
}
"""What gives the changed values of one input's items."""

MIXINGS: dict[type[Augmentation], Callable[..., Batch]] = {MixUp: mix_up, CutMix: cut_mix}
"""What changes a batch as a whole, with its targets."""


class Augmenter:
    """Random changes of a batch of training items; false where there are none.

    Each item of each input draws for itself whether and how it is changed; an input of a sort
    that a change is not for stays as it is. All random numbers come from the generator, and
    nothing else is kept from one batch to the next.

    Parameters
    ----------
    settings
        The changes, in their order.
    kinds
        Kind of the feature of each input.
    classes
        Number of classes.
    statistics
        Mean and deviation by which each input's items were normalised, broadcastable to one
        item; None where they were not, or each by its own.
    generator
        On the device of the batches.
    """

    def __init__(
        self,
        settings: Sequence[AnyAugmentation],
        kinds: Sequence[str],
        classes: int,
        statistics: Sequence[tuple[np.ndarray | None, np.ndarray | None]],
        generator: Generator,
    ):
        self._settings, self._classes, self._generator = list(settings), classes, generator
        self._sorts = [sort_of(kind) for kind in kinds]
        self._statistics = [
            (_tensor(mean, generator), _tensor(deviation, generator))
            for mean, deviation in statistics
        ]

    def __bool__(self) -> bool:
        return bool(self._settings)

    @torch.no_grad()
    def __call__(self, batch: Batch) -> Batch:
        """The batch, changed; the given one stays as it is.

        Parameters
        ----------
        batch
            Normalised items, on the generator's device.
        """
        for settings in self._settings:
            inputs = self._inputs(batch)
            if type(settings) in MIXINGS:
                mix = MIXINGS[type(settings)]
                batch = mix(settings, batch, inputs, self._classes, self._generator)
            else:
                changed = [self._changed(settings, one) for one in inputs]
                batch = replace(
                    batch,
                    items=tuple(one.values for one in changed),
                    lengths=tuple(one.true for one in changed),
                )
        return batch

    def _inputs(self, batch: Batch) -> list[Items]:
        parts = zip(batch.items, batch.lengths, self._sorts, self._statistics, strict=True)
        return [Items(values, true, sort, *statistics) for values, true, sort, statistics in parts]

    def _changed(self, settings: AnyAugmentation, items: Items) -> Items:
        if items.sort not in settings.sorts:
            return items
        if isinstance(settings, RandomCrop):
            return random_crop(settings, items, self._generator)
        values = CHANGES[type(settings)](settings, items, self._generator)
        if settings.probability < 1:
            which = chosen(len(items), settings.probability, self._generator)
            values = torch.where(items.along(which[:, None], 1), values, items.values)
        return replace(items, values=values)


def _tensor(values: np.ndarray | None, generator: Generator) -> Tensor | None:
    if values is None:
        return None
    return torch.from_numpy(np.asarray(values, dtype=np.float32)).to(generator.device)
