"""What a run is made of: everything that training needs to know, wherever it was asked for."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deepself.study.identity import feature_file, initial_weights, model_slice, read_dataset
from deepself.study.layout import Layout
from deepself.study.models import AnyClassifier, Branch, Model
from deepself.study.networks import AnyNetwork
from deepself.study.schema import Study
from deepself.study.training import Training
from deepself.study.trials import with_choice


@dataclass(frozen=True)
class Run:
    """Which run: a model of the study, a fold, a seed."""

    model: str
    fold: str
    seed: int


@dataclass(frozen=True)
class Input:
    """One feature that a run reads.

    Attributes
    ----------
    feature, kind
        Its name and kind.
    file
        Its file.
    normalise
        How it is normalised.
    weights
        The file that the network over it starts from: others' weights, or those of a run.
    """

    feature: str
    kind: str
    file: Path
    normalise: str
    weights: Path | None = None


@dataclass(frozen=True)
class Job:
    """One run.

    Attributes
    ----------
    study
        Name of the study; empty outside one.
    run
        Which model, fold and seed.
    method
        The network or classifier, its defaults worked out.
    training
        How a network is trained.
    inputs
        What is read: one under the name "", or one a branch.
    folds, classes
        The table of partitions, and the classes in their order.
    folder
        Where the run's files go.
    specification
        What the run's numbers depend on, for its record.
    """

    study: str
    run: Run
    method: AnyNetwork | AnyClassifier
    training: Training
    inputs: dict[str, Input]
    folds: Path
    classes: list[str]
    folder: Path
    specification: dict[str, Any]

    @property
    def label(self) -> str:
        """The run's model in an error's words."""
        return f"models.{self.run.model}" if self.study else self.run.model


def job_of(study: Study, layout: Layout, run: Run) -> Job:
    """The job that a run of a study is, with what a search of its model chose."""
    study = with_choice(study, layout, run.model, run.fold)
    model = study.models[run.model]
    return Job(
        study=study.name,
        run=run,
        method=study.network(model) or model.method,
        training=model.training,
        inputs={
            name: _input(study, layout, part, run.fold, run.seed)
            for name, part in model.inputs.items()
        },
        folds=layout.folds,
        classes=read_dataset(layout)["classes"],
        folder=layout.run(run.model, run.fold, run.seed),
        specification=model_slice(study, run.model),
    )


def _input(study: Study, layout: Layout, part: Model | Branch, fold: str, seed: int) -> Input:
    assert part.feature is not None
    return Input(
        part.feature,
        study.features[part.feature].kind,
        feature_file(study, layout, part.feature),
        study.normalisation(part),
        initial_weights(layout, part, fold, seed),
    )
