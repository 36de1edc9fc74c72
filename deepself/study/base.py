"""The base of every typed section of a study."""

from pydantic import BaseModel, ConfigDict


class Strict(BaseModel):
    """A section whose keys are all known, and whose values never change once read."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=False)
