"""What a bundle says of itself: its `bundle.json`, typed.

A bundle is read by people and programs that have nothing else of the study: whatever predicting
needs stands here, or in a file beside it that is named here with its checksum.
"""

from typing import Any, Literal

from pydantic import Field, FiniteFloat, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from deepself.errors import UserError
from deepself.study.base import Strict
from deepself.study.dataset import AnyModality
from deepself.study.features import AnyFeature, Embedding, Window
from deepself.study.models import AnyClassifier
from deepself.study.networks import AnyNetwork, Normalise
from deepself.study.training import Training

VERSION = 1
"""Of the form of a bundle. One that an older deepself wrote is brought up to it when it is read."""

Shape = tuple[PositiveInt, ...]


class Known(Strict):
    """What the recordings of a modality were like, of which the study has learnt.

    Attributes
    ----------
    channels
        How many a recording has, once they are chosen or mixed.
    samples
        Length in samples, or frames of a film, to which recordings are brought; None leaves them.
    rates
        Lowest and highest rate in Hz of the files; None for pictures and films.
    seconds
        Shortest and longest; None for pictures.
    """

    channels: PositiveInt
    samples: PositiveInt | None = None
    rates: tuple[PositiveFloat, PositiveFloat] | None = None
    seconds: tuple[PositiveFloat, PositiveFloat] | None = None


class RunInput(Strict):
    """One feature that a run reads; its `normalise` is worked out."""

    feature: str
    kind: str
    normalise: Normalise
    shape: Shape


class RunSpec(Strict):
    """A trained network or classifier.

    Attributes
    ----------
    model, fold, seed, snapshot
        Which run of the study, and which of its snapshots, if it is one.
    weights
        File of its weights, with the statistics of the normalisation.
    network, classifier
        Its settings, every default worked out; one of the two.
    training
        How it was trained: what is predicted depends on its crops and its precision.
    inputs
        What it reads: one under the name "", or one a branch.
    """

    model: str
    fold: str
    seed: NonNegativeInt
    snapshot: PositiveInt | None = None
    weights: str
    network: AnyNetwork | None = None
    classifier: AnyClassifier | None = None
    training: Training = Training()
    inputs: dict[str, RunInput] = Field(min_length=1)

    @model_validator(mode="after")
    def _one_of_two(self) -> "RunSpec":
        if (self.network is None) == (self.classifier is None):
            raise ValueError("holds neither network nor classifier, or both")
        return self

    @property
    def method(self) -> AnyNetwork | AnyClassifier:
        """The network, or the classifier in its place."""
        chosen = self.network or self.classifier
        assert chosen is not None
        return chosen


class Part(Strict):
    """What answers by itself: a model on one fold with one seed, or a fusion of such.

    Attributes
    ----------
    fold, seed
        Of the study.
    candidates
        Runs whose probabilities are combined, by their names in a fusion; one of a model.
    fusion
        How they are combined: what the fusion's record says that it has learnt; None of a model.
    temperature
        By which the logarithms of its probabilities are divided where they shall be calibrated;
        learnt on dev.
    """

    fold: str
    seed: NonNegativeInt
    candidates: dict[str, str] = Field(min_length=1)
    fusion: dict[str, Any] | None = None
    temperature: PositiveFloat


class EmbedderSpec(Strict):
    """The network of a feature that is an embedding: what is built, and the file of its weights."""

    network: str
    settings: dict[str, Any]
    weights: str


class Score(Strict):
    """One score of the system in the study, a mean over its folds and seeds.

    Attributes
    ----------
    partition, level, score, label
        As in the study's summary; a label's are recall and precision of a class.
    mean, sd, low, high
        Mean, deviation, and 95 % interval; None where there is none.
    """

    partition: str
    level: str
    score: str
    label: str | None = None
    runs: PositiveInt
    mean: FiniteFloat | None
    sd: FiniteFloat | None
    low: FiniteFloat | None
    high: FiniteFloat | None


class BundleSpec(Strict):
    """A model or fusion of a study, ready to be used elsewhere.

    Attributes
    ----------
    version
        Of the form of this file.
    study, kind, name
        The study, whether a model or a fusion of it, and which.
    classes
        In the order of the probabilities.
    modalities, features
        What is read and how, as in the study.
    known
        What the study's recordings were like, by modality.
    shapes
        Of an item of each feature.
    embedders
        Of each feature that is an embedding.
    runs
        All runs, by a name of their own.
    parts
        What answers; its probabilities are averaged.
    scores
        What the study measured of it.
    data
        Of what it has learnt: items of each class, folds, groups, how folds were drawn.
    made_by
        Versions of the packages that exported it.
    files
        SHA-256 of every other file of the bundle.
    """

    version: Literal[1]
    study: str
    kind: Literal["model", "fusion"]
    name: str
    classes: list[str] = Field(min_length=2)
    modalities: dict[str, AnyModality] = Field(min_length=1)
    features: dict[str, AnyFeature] = Field(min_length=1)
    known: dict[str, Known]
    shapes: dict[str, Shape]
    embedders: dict[str, EmbedderSpec]
    runs: dict[str, RunSpec] = Field(min_length=1)
    parts: list[Part] = Field(min_length=1)
    scores: list[Score]
    data: dict[str, Any]
    made_by: dict[str, str]
    files: dict[str, str]

    @model_validator(mode="after")
    def _is_whole(self) -> "BundleSpec":
        """Whatever is named is there."""
        for name, spec in self.features.items():
            modality = getattr(spec, "modality", None)
            if modality is not None and (
                modality not in self.modalities or modality not in self.known
            ):
                raise ValueError(f"features.{name}: names modality {modality!r}, which is not here")
            for of in self.sources(name):
                if of not in self.features:
                    raise ValueError(f"features.{name}: is made from {of!r}, which is not here")
            if isinstance(spec, Embedding) and name not in self.embedders:
                raise ValueError(f"features.{name}: its network is not here")
            if name not in self.shapes:
                raise ValueError(f"features.{name}: its shape is not here")
        for name, run in self.runs.items():
            for one in run.inputs.values():
                if one.feature not in self.features:
                    raise ValueError(f"runs.{name}: reads {one.feature!r}, which is not here")
        for part in self.parts:
            for run_name in part.candidates.values():
                if run_name not in self.runs:
                    raise ValueError(f"parts: names the run {run_name!r}, which is not here")
        weights = [run.weights for run in self.runs.values()]
        for file in weights + [one.weights for one in self.embedders.values()]:
            if file not in self.files:
                raise ValueError(f"files: no checksum of {file}")
        return self

    def sources(self, feature: str) -> list[str]:
        """Names of the features that one is made from."""
        of = getattr(self.features[feature], "of", [])
        return [of] if isinstance(of, str) else list(of)

    @property
    def seconds(self) -> float | None:
        """Length of what the model reads at a time; None if nothing fixes one."""
        lengths = [
            known.samples / self.modalities[name].sample_rate  # type: ignore[union-attr]
            for name, known in self.known.items()
            if known.samples is not None and hasattr(self.modalities[name], "sample_rate")
        ]
        cut = [getattr(spec, "window", None) for spec in self.features.values()]
        lengths += [one.seconds for one in cut if isinstance(one, Window)]
        return max(lengths, default=None)

    @property
    def merge(self) -> dict[str, list[str]]:
        """Labels of the study's manifest that are one class, by its name."""
        said = self.data.get("merge")
        own = said.items() if isinstance(said, dict) else ()
        return {
            name: labels
            for name, labels in own
            if isinstance(labels, list) and all(isinstance(one, str) for one in labels)
        }

    @property
    def folds(self) -> list[str]:
        """Folds of its parts."""
        return list(dict.fromkeys(part.fold for part in self.parts))

    def known_fold(self, fold: object) -> str | None:
        """A fold of the bundle's, which 1 names as well as "1"; None for all of them.

        Raises
        ------
        UserError
            There is no such fold.
        """
        if fold is None or str(fold) in self.folds:
            return None if fold is None else str(fold)
        raise UserError(f"fold: the bundle has no fold {fold!r}; it has {', '.join(self.folds)}")
