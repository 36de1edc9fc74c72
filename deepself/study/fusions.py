"""The part of a study that says how the predictions of several models become one: late fusion."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    field_validator,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from deepself.study.base import Strict, unique

Over = Literal["seeds", "folds", "snapshots"]

Patterns = Annotated[list[str], Field(min_length=1)]


class Best(Strict):
    """The best members on dev."""

    best: PositiveInt = Field(description="How many, by UAR on dev of the same fold and seed.")
    of: Patterns = Field(["*"], description="Names of models; * and ? match as in file names.")
    per: Literal["study", "modality"] = Field(
        "study", description="modality: so many of each modality, or of each set of them."
    )


class Method(Strict):
    """How probabilities are combined; what it learns, it learns on dev."""

    type: str

    def __str__(self) -> str:
        return self.type


class Mean(Method):
    """Mean of the probabilities."""

    type: Literal["mean"]


class WeightedMean(Method):
    """Weighted mean of the probabilities."""

    type: Literal["weighted_mean"]
    weights: Literal["learnt"] | dict[str, NonNegativeFloat] | list[NonNegativeFloat] = Field(
        "learnt",
        description=(
            "By member, or in the order of members that are named one by one; learnt: those with "
            "the lowest log loss on dev."
        ),
    )

    @field_validator("weights")
    @classmethod
    def _weigh_something(
        cls, weights: str | dict[str, float] | list[float]
    ) -> str | dict[str, float] | list[float]:
        values = weights.values() if isinstance(weights, dict) else weights
        if not isinstance(weights, str) and not any(values):
            raise ValueError("all weights are 0; give one more than 0")
        return weights


class GeometricMean(Method):
    """Geometric mean of the probabilities, brought to a sum of 1: the logarithmic opinion pool."""

    type: Literal["geometric_mean"]


class Maximum(Method):
    """Highest probability of each class, brought to a sum of 1."""

    type: Literal["maximum"]


class MajorityVote(Method):
    """Share of the members that decide for a class; the mean of the probabilities settles ties."""

    type: Literal["majority_vote"]


class Borda(Method):
    """Mean rank of each class, brought to a sum of 1; ties as in a majority vote."""

    type: Literal["borda"]


class Stacking(Method):
    """Logistic regression on the logarithms of the probabilities, fitted on dev."""

    type: Literal["stacking"]
    complexity: Annotated[list[PositiveFloat], Field(min_length=1)] = Field(
        [1e-4, 1e-3, 1e-2, 1e-1, 1.0],
        description="Values of C to choose from, by UAR over parts of dev that are left out.",
    )


class Greedy(Method):
    """Mean of members picked one after the other, again and again, each for the highest dev UAR."""

    type: Literal["greedy"]
    rounds: PositiveInt = Field(50, description="Picks after the initial ones, at most.")
    initial: NonNegativeInt = Field(
        1, description="Picks to start with: so many of the best on dev."
    )


_Object = Annotated[
    Mean | WeightedMean | GeometricMean | Maximum | MajorityVote | Borda | Stacking | Greedy,
    Field(discriminator="type"),
]

METHODS = tuple(
    get_args(method.model_fields["type"].annotation)[0] for method in Method.__subclasses__()
)
"""Names of all methods."""


class _ByName:
    """A method may be given by its name alone."""

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_before_validator_function(_as_section, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        # The object first: explanations of mistakes follow the first kind of value.
        return {"anyOf": [handler(schema), {"type": "string", "enum": list(METHODS)}]}


def _as_section(given: Any) -> Any:
    return {"type": given} if isinstance(given, str) else given


AnyMethod = Annotated[_Object, _ByName()]


class Fusion(Strict):
    """A named combination of models.

    What it combines are its candidates: the runs of its members on one fold with one seed, or on
    all folds, with all seeds, at all snapshots, where `over` says so.
    """

    members: Best | Patterns = Field(
        ["*"],
        description=(
            "Names of models, * and ? match as in file names; or the best of them, as "
            "{best: 3, of: ['*'], per: study}."
        ),
    )
    method: AnyMethod = Field(
        Mean(type="mean"), description="A method's name, or its settings with the name as type."
    )
    temperatures: bool = Field(
        False,
        description="Divide each member's logarithms by a temperature learnt on dev beforehand.",
    )
    over: list[Over] = Field(
        [],
        description=(
            "What else is pooled: the runs of all seeds, of all folds (which must share one test "
            "partition), the snapshots of each run."
        ),
    )

    @field_validator("over")
    @classmethod
    def _are_different(cls, over: list[Over]) -> list[Over]:
        return unique(over)

    @model_validator(mode="after")
    def _a_list_of_weights_has_its_order(self) -> "Fusion":
        weights = getattr(self.method, "weights", None)
        if isinstance(weights, list):
            if isinstance(self.members, Best) or any(set("*?[") & set(m) for m in self.members):
                raise ValueError(
                    "a list of weights needs members named one by one; write {member: weight}"
                )
            if len(weights) != len(self.members):
                raise ValueError(f"{len(weights)} weights for {len(self.members)} members")
        return self

    @property
    def patterns(self) -> list[str]:
        """What the names of its members match."""
        return self.members.of if isinstance(self.members, Best) else self.members

    @property
    def weights(self) -> dict[str, float] | None:
        """Weight of each member, where the study gives them."""
        given = getattr(self.method, "weights", "learnt")
        if isinstance(given, list):
            return dict(zip(self.patterns, given, strict=True))
        return None if isinstance(given, str) else given

    def placed(self, seeds: Sequence[int]) -> list[int]:
        """Seeds under which it has results: where it pools them all, the study's first."""
        return list(seeds[:1] if "seeds" in self.over else seeds)

    def pooled_seeds(self, seed: int, seeds: Sequence[int]) -> list[int]:
        """Seeds whose runs it combines for one of the seeds that it has results for."""
        return list(seeds) if "seeds" in self.over else [seed]

    def pooled_folds(self, fold: str, folds: Sequence[str]) -> list[str]:
        """Folds whose runs it combines for one fold."""
        return list(folds) if "folds" in self.over else [fold]
