"""The part of a study that says how a model's ranges become values."""

from math import prod
from typing import Any, Literal

from pydantic import Field, PositiveInt, model_validator

from deepself.study.base import Strict
from deepself.study.ranges import Choice, Space


class Search(Strict):
    """How the ranges below a model's network and training become values."""

    method: Literal["grid", "random", "tpe"] = Field(
        description=(
            "grid: all combinations of choices, in a random order; random: drawn from the ranges; "
            "tpe: tree-structured Parzen estimator, which learns from earlier trials."
        )
    )
    trials: PositiveInt | None = Field(
        None, description="How many, in each fold; of a grid at most so many, by default all."
    )
    choose: Literal["nested", "once"] = Field(
        "nested",
        description=(
            "nested: each fold takes the values that are best on its own dev partition; once: all "
            "folds take those that are best in the mean over their dev partitions."
        ),
    )
    prune: bool = Field(
        False,
        description="Stop trials that are worse than the median of earlier ones at the same epoch.",
    )
    parallel: PositiveInt = Field(
        4, description="Trials of a round, which know of earlier rounds' results alone."
    )

    @model_validator(mode="after")
    def _has_an_end(self) -> "Search":
        if self.trials is None and self.method != "grid":
            raise ValueError(f"trials is missing: say how many for {self.method}")
        return self

    @property
    def looks_back(self) -> bool:
        """Whether a trial depends on the results of others."""
        return self.method == "tpe" or self.prune

    def earlier(self, trial: int) -> range:
        """Trials whose results a trial looks at: those of earlier rounds, if any."""
        return range(trial // self.parallel * self.parallel if self.looks_back else 0)

    @property
    def shaping(self) -> dict[str, Any]:
        """What shapes a trial; with more trials, those that there are stay as they are."""
        unused = {"trials"}
        if self.method != "tpe":
            unused.add("choose")
        if not self.looks_back:
            unused.add("parallel")
        return self.model_dump(exclude=unused)


def count(search: Search, space: Space) -> int:
    """How many trials a search has."""
    if search.method != "grid":
        assert search.trials is not None
        return search.trials
    combinations = prod(len(one.choice) for one in space.values() if isinstance(one, Choice))
    return min(combinations, search.trials or combinations)
