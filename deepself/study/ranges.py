"""Ranges: what stands in a model's settings in place of a value, to be searched."""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any, ClassVar

from pydantic import Field, field_validator, model_validator

from deepself.study.base import Strict, unique

Number = int | float
Place = tuple[str | int, ...]
"""Keys below a range at which a value of it stands."""

NEAR = 0.8
"""How like a range's name a misspelt one is."""


class Choice(Strict):
    """One of several values, whatever they are."""

    choice: list[Any] = Field(min_length=2)

    @field_validator("choice")
    @classmethod
    def _are_different(cls, values: list[Any]) -> list[Any]:
        if any(True for value in values for _ in ranges_in(value)):
            raise ValueError("a range cannot hold another; write it once for each")
        return unique(values)

    @property
    def probes(self) -> list[tuple[Any, Place]]:
        """Values that a setting must allow, and where each stands."""
        return [(value, ("choice", i)) for i, value in enumerate(self.choice)]


class Interval(Strict):
    """All numbers between two, both included; whole ones where both are whole."""

    key: ClassVar[str]

    @property
    def ends(self) -> tuple[Number, Number]:
        """The lowest and the highest value."""
        low, high = getattr(self, self.key)
        return low, high

    @property
    def whole(self) -> bool:
        """Whether only whole numbers are meant."""
        return all(isinstance(end, int) for end in self.ends)

    @property
    def probes(self) -> list[tuple[Any, Place]]:
        """Values that a setting must allow, and where each stands."""
        low, high = self.ends
        ends: list[tuple[Any, Place]] = [(low, (self.key, 0)), (high, (self.key, 1))]
        # A number in between shows whether the setting is a whole one.
        return ends if self.whole else [*ends, (low + 0.381966 * (high - low), (self.key,))]

    @model_validator(mode="after")
    def _in_order(self) -> "Interval":
        low, high = self.ends
        if low >= high:
            raise ValueError(f"{self.key}: give the lower value first")
        return self


class Uniform(Interval):
    """Evenly between two numbers."""

    key = "uniform"

    uniform: tuple[Number, Number]


class LogUniform(Interval):
    """Evenly in the logarithm: each power of ten as often as the next."""

    key = "log_uniform"

    log_uniform: tuple[Number, Number]

    @model_validator(mode="after")
    def _has_logarithms(self) -> "LogUniform":
        if self.ends[0] <= 0:
            raise ValueError("log_uniform: values must lie above 0")
        return self


Range = Choice | Uniform | LogUniform
Space = dict[str, Range]
"""The ranges of a model, by their dotted path below it."""

KINDS: dict[str, type[Range]] = {
    "choice": Choice,
    "uniform": Uniform,
    "log_uniform": LogUniform,
}


def ranges_in(value: Any, place: Place = ()) -> Iterator[tuple[Place, Mapping[str, Any]]]:
    """Every range in a value, misspelt ones too, with its place; not those in ranges."""
    if isinstance(value, Mapping):
        if len(value) == 1:
            [(key, inside)] = value.items()
            if isinstance(inside, list) and get_close_matches(str(key), KINDS, cutoff=NEAR):
                yield place, value
                return
        for key, child in value.items():
            yield from ranges_in(child, (*place, key))
    elif isinstance(value, list):
        for i, child in enumerate(value):
            yield from ranges_in(child, (*place, i))
