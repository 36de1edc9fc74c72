"""Features that are made by joining others of the same recordings: early fusion."""

from typing import ClassVar, Literal

from pydantic import Field, field_validator

from deepself.study.base import Cached, unique


class Joined(Cached):
    """Several features of the same recordings as one, so that one model reads all of them.

    Attributes
    ----------
    axes
        What each axis of an item counts; `along` is one of them.
    """

    axes: ClassVar[tuple[str, ...]]

    of: list[str] = Field(
        min_length=2, description="Names of the features, in the order in which they are joined."
    )
    along: str

    @field_validator("of")
    @classmethod
    def _are_different(cls, of: list[str]) -> list[str]:
        return unique(of)

    @property
    def axis(self) -> int:
        """The axis of an item along which features are joined."""
        return self.axes.index(self.along)

    @property
    def time_axis(self) -> int | None:
        """The axis of an item that is time, if any is."""
        return next((i for i, name in enumerate(self.axes) if name in ("samples", "frames")), None)


class JoinedWaveforms(Joined):
    """Waveforms of equal length, their channels under one another: (channels, samples)."""

    axes = ("channels", "samples")

    kind: Literal["joined_waveforms"]
    along: Literal["channels"] = "channels"


class JoinedSpectra(Joined):
    """Spectral images of equally many frames as one: (channels, bins, frames)."""

    axes = ("channels", "bins", "frames")

    kind: Literal["joined_spectra"]
    along: Literal["channels", "bins"] = Field(
        "channels",
        description=(
            "channels: images of equally many bins as channels; bins: the rows of each behind "
            "those of the one before."
        ),
    )


class JoinedPictures(Joined):
    """Pictures as one, `rendered` spectral images among them: (channels, height, width)."""

    axes = ("channels", "height", "width")

    kind: Literal["joined_pictures"]
    along: Literal["channels", "height", "width"] = Field(
        "channels",
        description=(
            "channels: pictures of one size as channels; height: one below the other; width: side "
            "by side."
        ),
    )


class JoinedFilms(Joined):
    """Films of one size and length, as channels: (channels, frames, height, width)."""

    axes = ("channels", "frames", "height", "width")

    kind: Literal["joined_films"]
    along: Literal["channels"] = "channels"


class JoinedVectors(Joined):
    """Features of any kind, flattened and put one behind the other: (values,)."""

    axes = ("values",)

    kind: Literal["joined_vectors"]
    along: Literal["values"] = "values"


AnyJoined = JoinedWaveforms | JoinedSpectra | JoinedPictures | JoinedFilms | JoinedVectors
"""Features that are made from several others."""
