"""Changes of where things lie in a picture: flips and affine maps."""

import torch
from torch import Generator, Tensor
from torch.nn.functional import affine_grid, grid_sample

from deepself.study.augmentation import Affine, Flip
from deepself.training.augment.draws import uniform
from deepself.training.augment.items import Items


def flip(settings: Flip, items: Items, generator: Generator) -> Tensor:
    """Mirrored pictures, or films."""
    return items.values.flip(-1 if settings.direction == "horizontal" else -2)


def affine(settings: Affine, items: Items, generator: Generator) -> Tensor:
    """Pictures that are turned, moved, scaled and sheared, each by its own draws."""
    rows = len(items)
    angle = uniform(rows, -settings.degrees, settings.degrees, generator)
    right = uniform(rows, -settings.translate, settings.translate, generator)
    down = uniform(rows, -settings.translate, settings.translate, generator)
    scale = uniform(rows, *settings.scale, generator)
    shear = uniform(rows, -settings.shear, settings.shear, generator)
    return moved(items.values, angle, torch.stack((right, down), 1), scale, shear)


def moved(values: Tensor, angle: Tensor, shift: Tensor, scale: Tensor, shear: Tensor) -> Tensor:
    """Pictures under affine maps about their middle, bilinear; outside lies the nearest edge.

    Parameters
    ----------
    values
        (rows, channels, height, width).
    angle, shear
        Degrees (rows,), as torchvision's: clockwise, and along the width.
    shift
        To the right and down, as shares of width and height: (rows, 2).
    scale
        Factors (rows,).
    """
    # A pixel p of the result is that at (rotation · shear · scale)⁻¹ (p - shift) of the picture.
    # `affine_grid` counts each axis from -1 to 1, whatever its length.
    angle, slope = torch.deg2rad(angle), -torch.tan(torch.deg2rad(shear))
    cosine, sine = torch.cos(angle), torch.sin(angle)
    height, width = values.shape[-2:]
    across = torch.stack((cosine + slope * sine, sine - slope * cosine), 1)
    down = torch.stack((-sine, cosine), 1)
    inverse = torch.stack((across, down), 1) / scale[:, None, None]
    sides = torch.tensor([width, height], dtype=inverse.dtype, device=inverse.device)
    inverse = inverse * sides / sides[:, None]
    theta = torch.cat((inverse, -(inverse @ (2 * shift)[:, :, None])), 2).to(values.dtype)
    grid = affine_grid(theta, list(values.shape), align_corners=False)
    return grid_sample(values, grid, padding_mode="border", align_corners=False)
