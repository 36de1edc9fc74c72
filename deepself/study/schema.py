"""The study as a whole: one YAML file, typed."""

from typing import Annotated

from pydantic import Field, StringConstraints

from deepself.study.base import Strict
from deepself.study.dataset import Dataset, Splits
from deepself.study.features import AnyFeature
from deepself.study.models import Fusion, Model

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")]
"""Names become folders and wildcards: letters, digits, `_` and `-`."""


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
    seeds: list[Annotated[int, Field(ge=0)]] = Field(
        [0], min_length=1, description="Each model is trained once a fold and seed."
    )
    tracking: Tracking = Tracking()

    def modality_of(self, feature: str) -> str:
        """Name of the modality that a feature is made from."""
        spec = self.features[feature]
        return self.modality_of(spec.of) if spec.kind == "embedding" else spec.modality
