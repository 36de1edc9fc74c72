"""The part of a study that says how a network is trained."""

import math
from typing import Annotated, Literal

from pydantic import (
    BeforeValidator,
    Field,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    model_validator,
)

from deepself.study.augmentation import AnyAugmentation, RandomCrop
from deepself.study.base import Strict

Optimizer = Literal[
    "adadelta", "adafactor", "adagrad", "adam", "adamax", "adamw", "asgd", "nadam", "radam",
    "rmsprop", "rprop", "sgd",
]  # fmt: skip
"""Torch's optimisers, in lower case, but for those of special steps or gradients."""


class FineTuning(Strict):
    """How pretrained weights are trained on."""

    train: Literal["all", "head", "head_first", "gradual"] = Field(
        "all",
        description=(
            "all: every weight from the start; head: the classifier alone; head_first: the "
            "classifier alone, then all; gradual: one stage more at a time, from the classifier "
            "down."
        ),
    )
    epochs: PositiveInt = Field(
        1, description="head_first: epochs of the classifier alone; gradual: epochs a stage."
    )
    lr_decay: float = Field(
        1.0, gt=0, le=1, description="A stage's learning rate, as a share of that of the next."
    )
    batch_norm: Literal["train", "frozen"] = Field(
        "train", description="frozen: batch normalisations keep their statistics."
    )

    @model_validator(mode="after")
    def _all_is_used(self) -> "FineTuning":
        default = type(self).model_fields["epochs"].default  # a study that is written out names it
        if self.train in ("all", "head") and self.epochs != default:
            raise ValueError(f"epochs is for head_first and gradual; train is {self.train}")
        if self.train == "head" and self.lr_decay < 1:
            raise ValueError("lr_decay is for several stages; train is head")
        return self


class Schedule(Strict):
    """How the learning rate changes while a network is trained."""

    warmup: NonNegativeFloat = Field(
        0.0, description="Epochs, or parts of one, in which it rises evenly from 0 to its value."
    )


class Constant(Schedule):
    """Always the same."""

    type: Literal["constant"]


class Step(Schedule):
    """Multiplied by `factor` every so many epochs."""

    type: Literal["step"]
    every: PositiveInt = Field(10, description="Epochs.")
    factor: float = Field(0.1, gt=0, lt=1)


class Exponential(Schedule):
    """Multiplied by `factor` after each epoch."""

    type: Literal["exponential"]
    factor: float = Field(0.95, gt=0, lt=1)


class Cosine(Schedule):
    """Half a cosine from its value down to a share of it, batch by batch, once or again and again.

    Restarts are those of I. Loshchilov, F. Hutter, "SGDR", ICLR 2017, in cycles of equal lengths.
    """

    type: Literal["cosine"]
    final: float = Field(0.0, ge=0, lt=1, description="Share of it at the end.")
    cycles: PositiveInt = Field(
        1, description="How often it falls, from its value each time; each ends with an epoch."
    )

    def ends(self, epochs: int) -> list[int]:
        """The epochs with which its cycles end, of a training of so many.

        What the warm-up leaves is cut into equal parts, and each cut is moved to the nearest end
        of an epoch (of two, the later): whole cycles differ by one epoch at most.
        """
        each = (epochs - self.warmup) / self.cycles
        return [math.floor(self.warmup + n * each + 0.5) for n in range(1, self.cycles + 1)]


class OneCycle(Schedule):
    """Up from a share of its value, and down to nearly nothing, batch by batch."""

    type: Literal["one_cycle"]
    rise: float = Field(0.3, gt=0, lt=1, description="Share of the training that rises.")
    start: float = Field(0.04, gt=0, le=1, description="Share of it at the start.")
    final: float = Field(4e-6, ge=0, lt=1, description="Share of it at the end.")

    @model_validator(mode="after")
    def _warms_up_itself(self) -> "OneCycle":
        if self.warmup:
            raise ValueError("warmup: one_cycle rises by itself; set rise")
        return self


class Plateau(Schedule):
    """Multiplied by `factor` where the UAR on dev has not risen for some epochs."""

    type: Literal["plateau"]
    patience: PositiveInt = Field(5, description="Epochs.")
    factor: float = Field(0.1, gt=0, lt=1)


AnySchedule = Annotated[
    Constant | Step | Exponential | Cosine | OneCycle | Plateau, Field(discriminator="type")
]


def _in_lower_case(name: object) -> object:
    """As torch writes it, AdamW is meant too."""
    return name.lower() if isinstance(name, str) else name


class Training(Strict):
    """How a network is trained."""

    epochs: PositiveInt = 30
    batch_size: PositiveInt = Field(32, description="Items of a step of the optimiser.")
    micro_batch: PositiveInt | None = Field(
        None, description="Items at a time, whose gradients are added up; default: the batch."
    )
    optimizer: Annotated[Optimizer, BeforeValidator(_in_lower_case)] = Field(
        "adam", description="One of torch.optim's, in lower case."
    )
    lr: PositiveFloat = Field(1e-3, description="Learning rate.")
    momentum: float = Field(0.9, ge=0, lt=1, description="For sgd.")
    nesterov: bool = Field(False, description="For sgd.")
    weight_decay: NonNegativeFloat = 0.0
    decay: Literal["weights", "all"] = Field(
        "weights", description="weights: biases and normalisations do not decay."
    )
    options: dict[str, bool | float | tuple[float, ...]] = Field(
        {}, description="Further arguments of torch's optimiser, such as betas."
    )
    schedule: AnySchedule = Constant(type="constant")
    clip_norm: PositiveFloat | None = Field(
        None, description="Longest norm of the gradient of all weights."
    )
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    focal: NonNegativeFloat | None = Field(
        None, description="Focal loss, with this exponent gamma, in place of cross-entropy."
    )
    class_weights: Literal["auto", "balanced", "none"] = Field(
        "auto",
        description=(
            "balanced: inverse to the class's share of the training partition; auto: balanced, "
            "but none where the largest class has at most a tenth more items than the smallest, "
            "and none where sampling is balanced."
        ),
    )
    sampling: Literal["shuffled", "balanced"] = Field(
        "shuffled",
        description=(
            "balanced: an epoch draws as many items as there are, each class equally often, items "
            "of small classes again and again."
        ),
    )
    averaging: float | None = Field(
        None, gt=0, lt=1, description="Predict with a moving average of the weights, of this decay."
    )
    snapshots: bool = Field(
        False,
        description=(
            "Keep the weights that each cycle of a cosine schedule ends with, and predict with "
            "them, too."
        ),
    )
    augmentation: list[AnyAugmentation] = Field(
        [], description="Random changes of the training items, in this order."
    )
    crops: PositiveInt = Field(
        1, description="Parts whose probabilities are averaged, where random_crop trains."
    )
    patience: PositiveInt | None = Field(
        None, description="Stop when the UAR on dev has not risen for so many epochs."
    )
    budget: PositiveFloat | None = Field(None, description="Stop after so many minutes.")
    precision: Literal["float32", "bf16", "fp16"] = Field(
        "float32", description="bf16, fp16: automatic mixed precision."
    )
    channels_last: bool = Field(False, description="Layout of pictures in memory.")
    compile: bool = Field(False, description="By torch.compile; what it gains is measured.")
    fine_tuning: FineTuning | None = Field(None, description="For pretrained weights.")

    @model_validator(mode="after")
    def _reaches_all(self) -> "Training":
        tuning = self.fine_tuning
        if tuning is not None and tuning.train == "head_first" and tuning.epochs >= self.epochs:
            raise ValueError(
                f"fine_tuning.epochs ({tuning.epochs}) of the head alone leave none of "
                f"epochs ({self.epochs}) for the rest"
            )
        return self

    @model_validator(mode="after")
    def _all_is_used(self) -> "Training":
        for name in ("momentum", "nesterov"):  # a study that is written out names its defaults
            default = type(self).model_fields[name].default
            if getattr(self, name) != default and self.optimizer != "sgd":
                raise ValueError(f"{name} is for sgd; optimizer is {self.optimizer}")
        if self.nesterov and not self.momentum:
            raise ValueError("nesterov needs a momentum")
        if self.schedule.warmup >= self.epochs:
            raise ValueError(
                f"schedule.warmup ({self.schedule.warmup:g}) takes all epochs ({self.epochs})"
            )
        cycles = self.schedule.cycles if isinstance(self.schedule, Cosine) else 1
        if cycles > 1 and cycles > self.epochs - self.schedule.warmup:
            raise ValueError(
                f"schedule.cycles ({cycles}) need an epoch each, after the warm-up "
                f"({self.schedule.warmup:g}); epochs are {self.epochs}"
            )
        if self.snapshots and cycles == 1:
            raise ValueError(
                "snapshots are kept where cycles end: set schedule to a cosine of two or more"
            )
        if self.micro_batch is not None and self.micro_batch > self.batch_size:
            raise ValueError(
                f"micro_batch ({self.micro_batch}) is more than batch_size ({self.batch_size})"
            )
        crops = [a for a in self.augmentation if isinstance(a, RandomCrop)]
        if self.crops > 1 and not crops:
            raise ValueError("crops needs a random_crop in augmentation")
        if len(crops) > 1:
            raise ValueError("augmentation has two random_crop; keep one")
        if self.sampling == "balanced" and self.class_weights == "balanced":
            raise ValueError("balanced sampling and balanced class_weights correct twice; keep one")
        return self

    @property
    def snapshot_epochs(self) -> list[int]:
        """The epochs after which weights are kept beside those of the best; mostly none."""
        if self.snapshots and isinstance(self.schedule, Cosine):
            return self.schedule.ends(self.epochs)
        return []
