"""Grad-CAM: which places of a network's last convolutional maps speak for a class."""

import numpy as np
import torch
from torch import Tensor, nn

from deepself.errors import UserError
from deepself.inference.explaining.asking import (
    Attributed,
    Given,
    Logits,
    gradients,
    numbers,
    silent,
)
from deepself.inference.explaining.maps import last_maps, spread
from deepself.inference.running import LoadedRun
from deepself.networks.base import Network
from deepself.networks.branches import Branched
from deepself.study.networks import Branches
from deepself.training.batch import Batch


def grad_cam(run: LoadedRun, given: Given, target: int) -> Attributed:
    """The last convolutional maps, each weighted by what its mean does for the logit.

    R. R. Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based
    Localization", ICCV 2017; negative values are kept, as they speak against the class.
    """
    logits = Logits(run)
    whole = logits.network
    networks = whole.branches() if isinstance(whole, Branched) else [whole]
    probe = given.rows(slice(0, 1))
    part = logits.parts(*probe.items, *probe.lengths)[0]
    layers = []
    for network, one, (name, own) in zip(
        networks, part.items, run.spec.inputs.items(), strict=True
    ):
        layer = last_maps(network, lambda: logits.of_part(part), tuple(one.shape[2:]))
        if layer is None:
            which = f"branch {name} of {run.spec.model}" if name else run.spec.model
            of_type = _type(run, name)
            raise UserError(
                f"method grad_cam: {which} ({of_type}) has no convolutional maps that lie over "
                f"{own.feature}; use integrated_gradients or occlusion"
            )
        layers.append(layer)
    found: list[list[np.ndarray]] = []
    positions: list[str] = []
    for rows in given.parts():
        own_rows = given.rows(rows)
        maps = [
            _map(run, logits, own_rows, target, place, network, layer)
            for place, (network, layer) in enumerate(zip(networks, layers, strict=True))
        ]
        found.append([one for one, _ in maps])
        positions = [" × ".join(map(str, size)) for _, size in maps]
    values = [
        silent(np.concatenate(one), lengths)
        for one, lengths in zip(zip(*found, strict=True), given.lengths, strict=True)
    ]
    about = f"maps of {' and '.join(positions)} positions"
    return Attributed(values, [""] * len(values), about)


def _map(
    run: LoadedRun,
    logits: Logits,
    given: Given,
    target: int,
    place: int,
    network: Network,
    layer: nn.Module,
) -> tuple[np.ndarray, tuple[int, ...]]:
    """What the maps over one input say, brought to its size: the mean over an item's parts."""
    from captum.attr import LayerGradCam

    whole = given.items[place]
    order = torch.arange(whole[0].numel(), device=whole.device).view(1, *whole.shape[1:])
    numbered = [*given.items]
    numbered[place] = order.expand(whole.shape)
    where = logits.parts(*numbered, *given.lengths)
    total = torch.zeros(len(whole), whole[0].numel(), device=whole.device)
    count = torch.zeros_like(total)
    size: tuple[int, ...] = ()
    for part, its in zip(logits.parts(*given.items, *given.lengths), where, strict=True):

        def answer(*items: Tensor, part: Batch = part) -> Tensor:
            return logits.of_part(Batch(items, part.targets, part.lengths))

        with gradients(run):
            maps = LayerGradCam(answer, layer).attribute(part.items, target)
        maps = maps.detach()
        size = tuple(maps.shape[2:])
        large = spread(maps, network, tuple(part.items[place].shape[1:])).flatten(1)
        index = its.items[place].flatten(1)
        total.scatter_add_(1, index, large)
        count.scatter_add_(1, index, torch.ones_like(large))
    return numbers((total / count.clamp_min(1)).view(whole.shape)), size


def _type(run: LoadedRun, branch: str) -> str:
    settings = run.spec.network
    named = settings.branches[branch].network if isinstance(settings, Branches) else settings
    assert named is not None
    return named.type
