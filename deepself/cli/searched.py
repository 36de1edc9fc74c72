"""What the verbs of a search ask of a study."""

from collections.abc import Mapping
from typing import Any

from deepself.errors import UserError
from deepself.study import Layout, Study
from deepself.study.explain import nearest
from deepself.study.identity import read_dataset
from deepself.study.models import Model


def searched_model(study: Study, name: str) -> Model:
    """A model of a study that is searched."""
    model = study.models.get(name)
    if model is None:
        raise UserError(f"--model: unknown model {name!r}{nearest(name, list(study.models))}")
    if model.search is None:
        raise UserError(f"--model: {name} has no search; its runs need no trials")
    return model


def known_fold(layout: Layout, name: str | None) -> str:
    """A fold of the study; of none, the first."""
    folds: list[str] = read_dataset(layout)["folds"]
    if name is not None and name not in folds:
        raise UserError(f"--fold: the study has no fold {name!r}; known: {', '.join(folds)}")
    return folds[0] if name is None else name


def said(values: Mapping[str, Any]) -> str:
    """Values as a line of a log has them; files hold all their digits."""
    short = {path: f"{v:.4g}" if isinstance(v, float) else v for path, v in values.items()}
    return ", ".join(f"{path} {value}" for path, value in short.items())
