"""Occlusion: by how much an answer falls when a part of an item is hidden."""

import numpy as np
import torch
from torch import Tensor

from deepself.inference.explaining.asking import (
    Attributed,
    Effort,
    Given,
    answered,
    numbers,
    silent,
)
from deepself.inference.explaining.patches import in_words, patches
from deepself.inference.running import LoadedRun
from deepself.study.augmentation import sort_of


def occluded(
    run: LoadedRun,
    given: Given,
    target: int,
    baselines: list[Tensor],
    words: list[str],
    apart: list[bool],
    effort: Effort,
) -> Attributed:
    """How the answer falls when a part of an item is hidden; where parts overlap, the mean.

    M. D. Zeiler, R. Fergus, "Visualizing and Understanding Convolutional Networks", ECCV 2014.
    """
    from captum.attr import Occlusion

    passes = effort.passes // (len(given) * len(given.items))
    sorts = [sort_of(one.kind) for one in run.spec.inputs.values()]
    chosen = [
        patches(sort, tuple(one.shape[1:]), passes, separately)
        for sort, one, separately in zip(sorts, given.items, apart, strict=True)
    ]
    occlusion, found = Occlusion(answered(run)), []
    for rows in given.parts():
        own = given.rows(rows)
        with torch.no_grad():
            values = occlusion.attribute(
                tuple(own.items),
                sliding_window_shapes=tuple(window for window, _ in chosen),
                strides=tuple(stride for _, stride in chosen),
                baselines=tuple(one[rows] for one in baselines),
                target=target,
                additional_forward_args=tuple(own.lengths),
                perturbations_per_eval=max(1, given.at_once // len(own)),
            )
        found.append([numbers(one) for one in values])
    values = [
        silent(np.concatenate(one), lengths)
        for one, lengths in zip(zip(*found, strict=True), given.lengths, strict=True)
    ]
    hidden = [
        in_words(sort, window, one.shape[1])
        for sort, (window, _), one in zip(sorts, chosen, given.items, strict=True)
    ]
    return Attributed(values, words, f"hides {' and '.join(hidden)} at a time")
