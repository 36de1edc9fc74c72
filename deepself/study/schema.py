"""The study as a whole: one YAML file, typed."""

from typing import Annotated

from pydantic import Field, StringConstraints, field_validator

from deepself.store.published import is_imagenet
from deepself.study.base import Strict, unique
from deepself.study.dataset import Dataset, Splits
from deepself.study.features import SPECTRAL, AnyFeature, Computed
from deepself.study.models import Fusion, Model, ResNet18

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")]
"""Names become folders and wildcards: letters, digits, `_` and `-`."""


SHARED = {"features", "weights", "logs", "benchmarks", "inspect", "mlartifacts"}
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

    def normalisation(self, name: str) -> str:
        """A model's `normalise`, with its default worked out.

        Pretrained weights expect what they were trained on: the AudioSet front end, or pictures
        in [0, 1], which the network normalises itself. A spectral image in decibels is neither
        picture nor in [0, 1]: brought to mean 0 and deviation 1, it is like a normalised picture.
        """
        model = self.models[name]
        if model.normalise is not None:
            return model.normalise
        return "channel" if model.weights is None or self._is_spectral_resnet(model) else "none"

    def imagenet_normalisation(self, name: str) -> bool:
        """Whether a model's network normalises pictures in [0, 1] as ImageNet's were."""
        network = self.models[name].network
        if not isinstance(network, ResNet18):
            return False
        if network.imagenet_normalisation is not None:
            return network.imagenet_normalisation
        spectral = self._is_spectral_resnet(self.models[name])
        return is_imagenet(network.type, network.weights) and not spectral

    def _is_spectral_resnet(self, model: Model) -> bool:
        kind = self.features[model.feature].kind
        return isinstance(model.network, ResNet18) and kind in SPECTRAL

    def modality_of(self, feature: str) -> str:
        """Name of the modality that a feature is made from."""
        spec = self.features[feature]
        return spec.modality if isinstance(spec, Computed) else self.modality_of(spec.of)
