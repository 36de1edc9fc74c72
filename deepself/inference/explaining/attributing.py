"""What the values of items do for a class, by three methods, for any run."""

import torch
from torch import Tensor

from deepself.errors import UserError
from deepself.inference.explaining.asking import Attributed, Effort, Given
from deepself.inference.explaining.grad_cam import grad_cam
from deepself.inference.explaining.integrated import integrated
from deepself.inference.explaining.occlusion import occluded
from deepself.inference.running import Items, LoadedRun
from deepself.networks.layers import silence, within
from deepself.study.augmentation import FILM, PICTURE, SPECTRUM, WAVE, sort_of

METHODS = ("integrated_gradients", "grad_cam", "occlusion")

USUAL = Effort()

NOTHING = {PICTURE: "black", FILM: "black", WAVE: "silence"}
"""What 0 is of items that are not normalised."""


def attribute(
    run: LoadedRun,
    items: list[Items],
    target: int,
    method: str,
    apart: list[bool],
    effort: Effort = USUAL,
) -> Attributed:
    """Attribute a run's answer to what it reads.

    Parameters
    ----------
    run
        A network, whose logit is attributed, or a classifier, whose probability is.
    items
        Rows of each of its inputs.
    target
        Number of the class.
    method
        One of `METHODS`.
    apart
        Of each input: whether occlusion may hide its channels one by one.
    effort
        How much may be computed.

    Raises
    ------
    UserError
        The method is none for such a run; the message names those that are.
    """
    _refuse(run, method)
    batch = run.normalised(items)
    given = Given([one for one, _ in batch], [lengths for _, lengths in batch])
    if method == "grad_cam":
        return grad_cam(run, given, target)
    found = [_baseline(run, place, given) for place in range(len(given.items))]
    baselines, words = [one for one, _ in found], [said for _, said in found]
    if method == "occlusion":
        return occluded(run, given, target, baselines, words, apart, effort)
    return integrated(run, given, target, baselines, words, effort)


def _refuse(run: LoadedRun, method: str) -> None:
    if method not in METHODS:
        raise UserError(f"method: {', '.join(METHODS)}, not {method!r}")
    if run.network is None and method != "occlusion":
        raise UserError(
            f"method {method}: {run.spec.model} is a classifier ({run.spec.method.type}), which "
            "has no gradients; use occlusion"
        )


def _baseline(run: LoadedRun, place: int, given: Given) -> tuple[Tensor, str]:
    """What stands for nothing in an input: (rows, *shape), and in words."""
    one = list(run.spec.inputs.values())[place]
    items, lengths = given.items[place], given.lengths[place]
    zero = torch.zeros_like(items)
    if one.normalise == "item":
        return zero, "the mean of the item itself"
    if one.normalise != "none":
        return zero, "the mean of the training recordings"
    if sort_of(one.kind) != SPECTRUM or one.kind == "mfcc":
        meaning = NOTHING.get(sort_of(one.kind))
        return zero, f"0, which is {meaning}" if meaning else "0"
    # Of decibels that are read as they are, 0 is loud: the quietest place is what says nothing.
    inside = items if lengths is None else items.masked_fill(~within(items, lengths), torch.inf)
    low = inside.flatten(1).amin(1).view(-1, *(1,) * (items.ndim - 1)).expand_as(items)
    low = low.contiguous() if lengths is None else silence(low, lengths)
    return low, "the lowest value of the item itself"
