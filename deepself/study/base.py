"""The base of every typed section of a study."""

from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

T = TypeVar("T")


class Strict(BaseModel):
    """A section whose keys are all known, and whose values never change once read."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Cached(Strict):
    """How a feature is kept on disk."""

    dtype: Literal["float32", "float16"] = Field(
        "float32", description="float16 halves the file; models read float32 all the same."
    )
    compression: Literal["none", "lzf", "gzip"] = "none"


def unique(values: list[T]) -> list[T]:
    """Refuse a value that stands twice in a list of a study."""
    for value in values:
        if values.count(value) > 1:
            raise ValueError(f"{value!r} stands there twice; keep one")
    return values
