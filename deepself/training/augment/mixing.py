"""Items, and their labels, that are mixed with others of the batch.

`mix_up` is that of H. Zhang et al., "mixup: Beyond Empirical Risk Minimization", ICLR 2018;
`cut_mix` that of S. Yun et al., "CutMix: Regularization Strategy to Train Strong Classifiers with
Localizable Features", ICCV 2019. Each item draws a share λ of its own; since λ and 1 - λ are
alike distributed, λ is that of the partner here.
"""

from dataclasses import replace

import torch
from torch import Generator, Tensor
from torch.nn.functional import one_hot

from deepself.study.augmentation import PICTURE, CutMix, MixUp
from deepself.training.augment.draws import chosen, symmetric_beta, whole
from deepself.training.augment.items import Items
from deepself.training.batch import Batch


def mix_up(
    settings: MixUp, batch: Batch, inputs: list[Items], classes: int, generator: Generator
) -> Batch:
    """Items that are a share 1 - λ of themselves and λ of their partners; labels alike.

    All inputs have the same partners and shares. Of true lengths, the longer one holds.
    """
    partners = _partners(len(batch), settings.probability, generator)
    share = symmetric_beta(len(batch), settings.alpha, generator)
    # An item that is its own partner comes out of `lerp` as it was.
    return replace(
        batch,
        items=tuple(
            torch.lerp(one.values, one.values[partners], one.each(share)) for one in inputs
        ),
        targets=_mixed(batch.targets, partners, share, classes),
        lengths=tuple(
            None if one.true is None else torch.maximum(one.true, one.true[partners])
            for one in inputs
        ),
    )


def cut_mix(
    settings: CutMix, batch: Batch, inputs: list[Items], classes: int, generator: Generator
) -> Batch:
    """Items with a part of their partners in place; labels by the share that it covers.

    The part is a stretch of time within both true lengths; of pictures, a box. It has a share of
    λ before it is cut at the edges, as its middle may lie anywhere.
    """
    (items,) = inputs
    partners = _partners(len(batch), settings.probability, generator)
    share = symmetric_beta(len(batch), settings.alpha, generator)
    axes = (2, 3) if items.sort == PICTURE else (items.axis,)
    mask = torch.ones((), dtype=torch.bool, device=generator.device)
    covered = torch.ones_like(share)
    for axis in axes:
        own, common = _lengths(items, axis, partners)
        start, end = part(common, share ** (1 / len(axes)), generator)
        place = torch.arange(items.values.shape[axis], device=generator.device)
        inside = (place >= start[:, None]) & (place < end[:, None])
        mask = mask & items.along(inside, axis)
        covered = covered * (end - start) / own
    return replace(
        batch,
        items=(torch.where(mask, items.values[partners], items.values),),
        targets=_mixed(batch.targets, partners, covered, classes),
    )


def part(lengths: Tensor, share: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
    """First place, and that behind the last, of a part of each length: int64 (rows,) each.

    It is a share (rows,) of the length, around any place, and cut at the edges.
    """
    width = (lengths * share).round().long()
    start = whole(lengths - 1, generator) - width // 2
    end = torch.minimum(start + width, lengths)
    return start.clamp_min(0), end


def _lengths(items: Items, axis: int, partners: Tensor) -> tuple[Tensor, Tensor]:
    """Lengths along an axis: each item's own, and what it has in common with its partner."""
    if axis == items.axis:
        own = items.lengths
        return own, torch.minimum(own, own[partners])
    own = torch.full((len(items),), items.values.shape[axis], device=items.values.device)
    return own, own


def _partners(rows: int, probability: float, generator: Generator) -> Tensor:
    """Which item each is mixed with: int64 (rows,); itself where it is not to be changed."""
    drawn = torch.randperm(rows, device=generator.device, generator=generator)
    if probability == 1:
        return drawn
    own = torch.arange(rows, device=generator.device)
    return torch.where(chosen(rows, probability, generator), drawn, own)


def _mixed(targets: Tensor, partners: Tensor, share: Tensor, classes: int) -> Tensor:
    """Shares of the classes: float32 (rows, classes)."""
    shares = (one_hot(targets, classes) if targets.ndim == 1 else targets).to(torch.float32)
    return torch.lerp(shares, shares[partners], share.to(torch.float32)[:, None])
