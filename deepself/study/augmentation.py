"""How training items are changed at random, so that a network learns what does not matter."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from deepself.study.base import Strict
from deepself.study.features import FILMS, PICTURES, VECTORS, WAVEFORMS

Share = Annotated[float, Field(gt=0, lt=1)]

WAVE, SPECTRUM, PICTURE, FILM, VECTOR = "wave", "spectrum", "picture", "film", "vector"
"""Sorts of items."""

PLURALS = {
    WAVE: "waves",
    SPECTRUM: "spectra",
    PICTURE: "pictures",
    FILM: "films",
    VECTOR: "vectors",
}
"""What items of each sort are called, in the order in which they are named."""

SORTS = {
    **dict.fromkeys(WAVEFORMS, WAVE),
    **dict.fromkeys(PICTURES, PICTURE),
    **dict.fromkeys(FILMS, FILM),
    **dict.fromkeys(VECTORS, VECTOR),
}
"""Sort of the items of each kind of feature; those that are not named are spectral images."""


def sort_of(kind: str) -> str:
    """Sort of the items of a kind of feature."""
    return SORTS.get(kind, SPECTRUM)


class Augmentation(Strict):
    """A random change of training items.

    Attributes
    ----------
    sorts
        Of which items it is made.
    """

    sorts: ClassVar[frozenset[str]]

    probability: float = Field(1.0, gt=0, le=1, description="Share of the items that it changes.")


def _ordered(low: float, high: float, name: str) -> None:
    if low > high:
        raise ValueError(f"{name}: give the lower value first")


class TimeShift(Augmentation):
    """Move an item along time; what leaves at one end enters at the other."""

    sorts = frozenset({WAVE, SPECTRUM, FILM})

    type: Literal["time_shift"]
    limit: float = Field(0.1, gt=0, le=0.5, description="Farthest, as a share of the length.")


class Gain(Augmentation):
    """Make a wave louder or softer."""

    sorts = frozenset({WAVE})

    type: Literal["gain"]
    decibels: tuple[float, float] = (-6.0, 6.0)

    @model_validator(mode="after")
    def _in_order(self) -> "Gain":
        _ordered(*self.decibels, "decibels")
        return self


class Noise(Augmentation):
    """Add white noise at a signal-to-noise ratio, of each item and channel."""

    sorts = frozenset({WAVE})

    type: Literal["noise"]
    snr: tuple[float, float] = Field((10.0, 30.0), description="dB; drawn evenly between both.")

    @model_validator(mode="after")
    def _in_order(self) -> "Noise":
        _ordered(*self.snr, "snr")
        return self


class TimeMask(Augmentation):
    """Hide a stretch of time (SpecAugment): set it to 0, or to an unnormalised item's mean."""

    sorts = frozenset({WAVE, SPECTRUM, FILM})

    type: Literal["time_mask"]
    masks: PositiveInt = 1
    size: Share = Field(0.2, description="Longest, as a share of the length.")


class FrequencyMask(Augmentation):
    """Hide a band of bins (SpecAugment): set it to 0, or to an unnormalised item's mean."""

    sorts = frozenset({SPECTRUM})

    type: Literal["frequency_mask"]
    masks: PositiveInt = 1
    size: Share = Field(0.2, description="Widest, as a share of the bins.")


class RandomCrop(Augmentation):
    """Keep a part at random: along time, of pictures along height and width.

    Predictions are made of the part in the middle, or of `crops` parts.
    """

    sorts = frozenset({WAVE, SPECTRUM, PICTURE, FILM})

    type: Literal["random_crop"]
    probability: Literal[1] = 1
    size: Share = Field(0.8, description="Of the length, or of height and width.")


class MixUp(Augmentation):
    """Mix items, and their labels, with others of the batch."""

    sorts = frozenset({WAVE, SPECTRUM, PICTURE, FILM, VECTOR})

    type: Literal["mix_up"]
    alpha: PositiveFloat = Field(0.2, description="Of the Beta distribution of the share.")


class CutMix(Augmentation):
    """Put a part of another item of the batch in place: a stretch of time, of pictures a box."""

    sorts = frozenset({WAVE, SPECTRUM, PICTURE, FILM})

    type: Literal["cut_mix"]
    alpha: PositiveFloat = Field(1.0, description="Of the Beta distribution of the share.")


class ChannelDropout(Augmentation):
    """Hide whole channels, as where a sensor has lost contact; one at least is kept.

    They are set to 0, or to an unnormalised item's mean.
    """

    sorts = frozenset({WAVE, SPECTRUM, FILM})

    type: Literal["channel_dropout"]
    share: Share = Field(0.2, description="Probability of each channel.")


class Flip(Augmentation):
    """Mirror a picture."""

    sorts = frozenset({PICTURE, FILM})

    type: Literal["flip"]
    probability: float = Field(0.5, gt=0, le=1, description="Share of the items that it changes.")
    direction: Literal["horizontal", "vertical"] = "horizontal"


class Affine(Augmentation):
    """Turn, move, scale and shear a picture; what comes in from outside is its nearest edge."""

    sorts = frozenset({PICTURE})

    type: Literal["affine"]
    degrees: float = Field(10.0, ge=0, le=180)
    translate: float = Field(0.1, ge=0, lt=1, description="Farthest, as a share of each side.")
    scale: tuple[PositiveFloat, PositiveFloat] = (0.9, 1.1)
    shear: NonNegativeFloat = Field(0.0, lt=90, description="Degrees.")

    @model_validator(mode="after")
    def _in_order(self) -> "Affine":
        _ordered(*self.scale, "scale")
        return self


class RandAugment(Augmentation):
    """Operations drawn from torchvision's RandAugment."""

    sorts = frozenset({PICTURE})

    type: Literal["rand_augment"]
    operations: PositiveInt = Field(2, description="How many, one after the other.")
    magnitude: int = Field(9, ge=0, le=30, description="Of 30.")


AnyAugmentation = Annotated[
    TimeShift
    | Gain
    | Noise
    | TimeMask
    | FrequencyMask
    | RandomCrop
    | MixUp
    | CutMix
    | ChannelDropout
    | Flip
    | Affine
    | RandAugment,
    Field(discriminator="type"),
]
