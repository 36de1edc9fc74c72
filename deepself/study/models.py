"""The part of a study that says which models are trained."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    Field,
    ModelWrapValidatorHandler,
    PositiveFloat,
    PositiveInt,
    PrivateAttr,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from deepself.study.base import Strict
from deepself.study.filling import Values, filled, require_match, validated
from deepself.study.networks import AnyNetwork, Branch, Branches, Normalise
from deepself.study.ranges import Space
from deepself.study.search import Search, count
from deepself.study.training import Training

T = TypeVar("T")
Candidates = Annotated[list[T], Field(min_length=1)]


class Classifier(Strict):
    """A classical classifier; what it lists to choose from is chosen on dev."""


class LinearSVM(Classifier):
    """Linear support vector machine."""

    type: Literal["linear_svm"]
    complexity: Candidates[PositiveFloat] = Field(
        [1e-4, 1e-3, 1e-2, 1e-1, 1.0], description="Values of C to choose from."
    )


class RBFSVM(Classifier):
    """Support vector machine with a Gaussian kernel exp(-gamma |x - y|²)."""

    type: Literal["rbf_svm"]
    complexity: Candidates[PositiveFloat] = Field(
        [0.1, 1.0, 10.0, 100.0], description="Values of C to choose from."
    )
    gamma: Candidates[PositiveFloat] = Field(
        [0.1, 1.0], description="Multiples of 1 / (length × variance of the vectors)."
    )


class LogisticRegression(Classifier):
    """Multinomial logistic regression with an L2 penalty."""

    type: Literal["logistic_regression"]
    complexity: Candidates[PositiveFloat] = Field(
        [1e-3, 1e-2, 1e-1, 1.0, 10.0], description="Values of C to choose from."
    )


class RandomForest(Classifier):
    """Random forest."""

    type: Literal["random_forest"]
    trees: PositiveInt = 300
    leaf: Candidates[PositiveInt] = Field(
        [1, 2, 5], description="Least items of a leaf, to choose from."
    )


class NearestNeighbours(Classifier):
    """The classes of the nearest training items, by Euclidean distance."""

    type: Literal["nearest_neighbours"]
    neighbours: Candidates[PositiveInt] = Field(
        [1, 3, 5, 9, 15], description="Numbers of neighbours to choose from."
    )


AnyClassifier = Annotated[
    LinearSVM | RBFSVM | LogisticRegression | RandomForest | NearestNeighbours,
    Field(discriminator="type"),
]


class Model(Strict):
    """A feature, what classifies it, and how that is trained.

    Where the study writes ranges, the settings hold their first values, and `space` the ranges;
    dumped, the ranges stand in their places again.
    """

    feature: str | None = Field(
        None, description="Name of a feature of this study; none for branches, which have theirs."
    )
    network: AnyNetwork | None = None
    classifier: AnyClassifier | None = Field(None, description="In place of a network.")
    normalise: Normalise | None = Field(
        None,
        description=(
            "Mean 0 and deviation 1 of each item's channels, or by channel or frequency bin, "
            "learnt on the training partition; default: channel, but none where pretrained "
            "weights expect raw input."
        ),
    )
    training: Training = Training()
    folds: Literal["apart", "together", "batched"] = Field(
        "apart",
        description=(
            "apart: a job a fold and seed; together: one job trains all, one after the other, "
            "which saves start-ups; batched: side by side, their weights stacked."
        ),
    )
    search: Search | None = Field(
        None, description="How ranges below network and training become values."
    )

    _space: Space = PrivateAttr(default_factory=dict)

    @model_validator(mode="after")
    def _one_of_two(self) -> "Model":
        if (self.network is None) == (self.classifier is None):
            raise ValueError("give either network or classifier")
        if self.classifier is not None and "training" in self.model_fields_set:
            raise ValueError("training belongs to networks; a classifier has none")
        if self.classifier is not None and self.folds == "batched":
            raise ValueError("batched folds are for networks; choose together")
        branched = isinstance(self.network, Branches)
        if branched and (self.feature is not None or self.normalise is not None):
            raise ValueError("feature and normalise belong to each branch")
        if not branched and self.feature is None:
            raise ValueError("feature is missing; add it")
        if self.search is not None and self.folds != "apart":
            raise ValueError("search needs folds: apart")
        return self

    # After the others: what it calls to validate a model without ranges calls them.
    @model_validator(mode="wrap")
    @classmethod
    def _with_ranges(cls, raw: Any, validate: "ModelWrapValidatorHandler[Model]") -> "Model":
        if not isinstance(raw, Mapping):
            return validate(raw)
        model, space = validated(raw, validate)
        require_match(model.search, space)
        model._space = space
        return model

    @model_serializer(mode="wrap")
    def _ranges_in_place(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        ranges = {path: one.model_dump(mode="json") for path, one in self._space.items()}
        return filled(dump(self), ranges)

    @property
    def space(self) -> Space:
        """The ranges that are searched, by their dotted paths below the model."""
        return self._space

    @property
    def trials(self) -> int:
        """How many trials its search has, in each fold."""
        return 0 if self.search is None else count(self.search, self._space)

    def fixed(self, values: Values) -> "Model":
        """The model with a value in place of each range, and nothing to search.

        Raises
        ------
        ValidationError
            The values do not go together.
        """
        settings = filled(self.model_dump(exclude_unset=True), values)
        settings.pop("search", None)
        return Model.model_validate(settings)

    def variants(self) -> "Iterator[Model]":
        """The model with each of the values that `validated` tried, beside others' first."""
        first = {path: one.probes[0][0] for path, one in self._space.items()}
        for path, one in self._space.items():
            for value, _ in one.probes:
                yield self.fixed({**first, path: value})

    @property
    def method(self) -> "AnyNetwork | AnyClassifier":
        """The network, or the classifier in its place."""
        chosen = self.network or self.classifier
        assert chosen is not None
        return chosen

    @property
    def inputs(self) -> "dict[str, Model | Branch]":
        """What is read: itself, or its branches by their names."""
        if isinstance(self.network, Branches):
            return dict(self.network.branches)
        return {"": self}

    @property
    def features(self) -> list[str]:
        """Names of the features that are read."""
        return [part.feature for part in self.inputs.values() if part.feature is not None]
