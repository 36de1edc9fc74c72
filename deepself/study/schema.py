"""The study as a whole: one YAML file, typed."""

from typing import Annotated

from pydantic import Field, StringConstraints, field_validator

from deepself.study import defaults
from deepself.study.base import Strict, unique
from deepself.study.dataset import Dataset, Splits
from deepself.study.features import AnyFeature, Computed, sources_of
from deepself.study.fusions import Fusion
from deepself.study.models import Model
from deepself.study.networks import AnyNetwork, Branch

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")]
"""Names become folders and wildcards: letters, digits, `_` and `-`."""


SHARED = {
    "features",
    "weights",
    "logs",
    "benchmarks",
    "compare",
    "inspect",
    "mlartifacts",
    "train",
}
"""Folders of results/ that belong to no study."""


class Tracking(Strict):
    """Where MLflow keeps the study's runs."""

    uri: str = Field("sqlite:///results/mlflow.db", description="An MLflow tracking URI.")
    experiment: str | None = Field(None, description="Default: the study's name.")


class Study(Strict):
    """Everything a study chooses."""

    name: Name = Field(description="The study's folder below results/.")
    dataset: Dataset
    splits: Splits = Splits()
    features: dict[Name, AnyFeature] = Field(min_length=1)
    models: dict[Name, Model] = Field(min_length=1)
    fusions: dict[Name, Fusion] = Field({}, description="None by default.")
    seeds: list[Annotated[int, Field(ge=0, lt=2**32)]] = Field(
        [0], min_length=1, description="Each model is trained once a fold and seed."
    )
    tracking: Tracking = Tracking()

    @field_validator("name")
    @classmethod
    def _is_no_shared_folder(cls, name: str) -> str:
        if name in SHARED:
            raise ValueError(f"results/{name}/ is shared by all studies; choose another name")
        return name

    @field_validator("seeds")
    @classmethod
    def _are_different(cls, seeds: list[int]) -> list[int]:
        return unique(seeds)

    def normalisation(self, part: Model | Branch) -> str:
        """The `normalise` of a model or branch, with its default worked out."""
        assert part.feature is not None
        return defaults.normalisation(part, self.features[part.feature].kind)

    def network(self, part: Model | Branch) -> AnyNetwork | None:
        """The network of a model or branch, with defaults that depend on weights worked out."""
        return defaults.network(part, lambda feature: self.features[feature].kind)

    def modality_of_model(self, name: str) -> str:
        """Name of the modality that a model reads; of several, their names joined by `+`."""
        found = [m for f in self.models[name].features for m in self.modalities_of(f)]
        return "+".join(dict.fromkeys(found))

    def modalities_of(self, feature: str) -> list[str]:
        """Names of the modalities that a feature is made from: one, or several if it is joined."""
        spec = self.features[feature]
        if isinstance(spec, Computed):
            return [spec.modality]
        found = [m for source in sources_of(spec) for m in self.modalities_of(source)]
        return list(dict.fromkeys(found))
