"""Optimisers: torch's own, by name, over groups of weights that decay and groups that do not."""

import inspect
from typing import Any

import torch
from torch import nn

from deepself.eager import without_compiler
from deepself.errors import UserError
from deepself.study.training import Training

CLASSES: dict[str, type[torch.optim.Optimizer]] = {
    name.lower(): cls
    for name, cls in vars(torch.optim).items()
    if inspect.isclass(cls) and issubclass(cls, torch.optim.Optimizer)
}
"""Torch's optimisers by their names in lower case."""

RESERVED = {
    "params", "lr", "weight_decay", "maximize", "foreach", "fused", "capturable", "differentiable",
}  # fmt: skip
"""Arguments that are no options: keys of their own, or how torch computes."""

FUSED = ("adam", "adamw", "sgd")
"""Optimisers whose step torch also has as one operator, several times faster on a CPU."""


def make_optimiser(
    groups: list[dict[str, Any]], settings: Training, stacked: int = 0
) -> torch.optim.Optimizer:
    """The optimiser that the settings name.

    Each group is split in two: what has two axes or more, such as matrices and filters, decays;
    what has fewer, biases and the scales of normalisations, does not, unless `decay` is `all`. A
    decayed bias is pulled to 0 for nothing: it cannot overfit much, and a normalisation's scale
    is no size of a function (T. He et al., "Bag of Tricks for Image Classification with
    Convolutional Neural Networks", CVPR 2019, section 3.1).

    Parameters
    ----------
    groups
        Each with its `params` and their learning rate, `lr`.
    settings
        Optimiser, its options, momentum and weight decay.
    stacked
        Axes in front of each parameter's own, along which the weights of several networks lie.

    Returns
    -------
    torch.optim.Optimizer
        Each of its groups has its learning rate as `initial_lr`, too, for schedules.

    Raises
    ------
    UserError
        An option that the optimiser does not have, or a value that it cannot take.
    """
    cls = CLASSES[settings.optimizer]
    arguments: dict[str, Any] = _options(cls, settings)
    if settings.optimizer == "sgd":
        arguments |= {"momentum": settings.momentum, "nesterov": settings.nesterov}
    split = [
        {"params": params, "lr": group["lr"], "initial_lr": group["lr"], "weight_decay": decay}
        for group in groups
        for params, decay in _by_decay(group["params"], settings, 2 + stacked)
    ]
    if "weight_decay" not in inspect.signature(cls).parameters:
        if settings.weight_decay:
            raise UserError(f"training.weight_decay: {cls.__name__} has none; set 0")
        split = [{k: v for k, v in group.items() if k != "weight_decay"} for group in split]
    devices = {p.device.type for group in groups for p in group["params"]}
    # Where fp16 skips its first step, sgd's fused one would go on from momenta it never filled.
    skips = settings.optimizer == "sgd" and settings.precision == "fp16"
    if settings.optimizer in FUSED and devices <= {"cpu", "cuda"} and not skips:
        arguments["fused"] = True
    try:
        with without_compiler():
            return cls(split, lr=settings.lr, **arguments)  # type: ignore[call-arg]
    except ValueError as error:  # a momentum above 1, a smoothing below 0
        raise UserError(f"training.options: {cls.__name__}: {error}") from None


def _by_decay(
    params: list[nn.Parameter], settings: Training, axes: int
) -> list[tuple[list[nn.Parameter], float]]:
    """Parameters with their weight decays: one list, where all have the same."""
    if not settings.weight_decay or settings.decay == "all":
        return [(params, settings.weight_decay)]
    weights = [p for p in params if p.ndim >= axes]
    others = [p for p in params if p.ndim < axes]
    both = ((weights, settings.weight_decay), (others, 0.0))
    return [(params, decay) for params, decay in both if params]


def _options(cls: type[torch.optim.Optimizer], settings: Training) -> dict[str, Any]:
    """The options, each one that the optimiser has and of the type of its default."""
    # RMSprop has a momentum, too; only sgd's is a key of the training.
    reserved = RESERVED | ({"momentum", "nesterov"} if settings.optimizer == "sgd" else set())
    known = {
        name: parameter.default
        for name, parameter in inspect.signature(cls).parameters.items()
        if name not in reserved
    }
    for name, value in settings.options.items():
        if name not in known:
            hint = f"; set training.{name}" if name in Training.model_fields else ""
            raise UserError(
                f"training.options.{name}: {cls.__name__} has no such argument{hint}; "
                f"it takes {', '.join(known)}"
            )
        expected = _form(known[name])
        if _form(value) != expected:
            raise UserError(f"training.options.{name}: {cls.__name__} takes {expected}")
    return dict(settings.options)


def _form(value: object) -> str:
    """The form of an option's value, in words."""
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, tuple):
        return f"a list of {len(value)} numbers"
    return "a number"
