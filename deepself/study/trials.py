"""Where the trials of a search lie, what each looks at, and what runs take from them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from deepself.errors import UserError
from deepself.store.files import read_json
from deepself.study.identity import digest, read_dataset, trial_slice
from deepself.study.layout import Layout
from deepself.study.models import Model
from deepself.study.schema import Study
from deepself.study.search import Search

ALL = "all"
"""In place of a fold: values that are chosen once."""


def trial_file(layout: Layout, model: str, fold: str, number: int) -> Path:
    """What one trial found."""
    return layout.trial(model, fold, number) / "trial.json"


def folds_looked_at(study: Study, layout: Layout, model: str, fold: str) -> list[str]:
    """Folds whose trials say which values are good on a fold: its own, or all."""
    nested = _search(study, model).choose == "nested"
    return [fold] if nested else read_dataset(layout)["folds"]


def earlier_files(study: Study, layout: Layout, model: str, fold: str, trial: int) -> list[Path]:
    """What a trial looks at: the results of all trials of earlier rounds."""
    return _files(study, layout, model, fold, range(_search(study, model).earlier(trial).stop))


def round_before(study: Study, layout: Layout, model: str, fold: str, trial: int) -> list[Path]:
    """Results of the round before a trial's: with those, the results of all earlier ones are there.

    Each says what it was found after, so that a change of any earlier one changes all that follow.
    A graph in which each trial named all before it would take minutes to build.
    """
    search = _search(study, model)
    end = search.earlier(trial).stop
    return _files(study, layout, model, fold, range(max(0, end - search.parallel), end))


def _files(study: Study, layout: Layout, model: str, fold: str, trials: range) -> list[Path]:
    # Values are proposed from what all folds found; a trial is stopped by what its own did.
    folds = [fold]
    if _search(study, model).method == "tpe":
        folds = folds_looked_at(study, layout, model, fold)
    return [trial_file(layout, model, f, n) for f in folds for n in trials]


def _search(study: Study, model: str) -> Search:
    search = study.models[model].search
    assert search is not None
    return search


def all_files(study: Study, layout: Layout, model: str, fold: str) -> list[Path]:
    """What a choice is made from."""
    folds = folds_looked_at(study, layout, model, fold)
    trials = range(study.models[model].trials)
    return [trial_file(layout, model, f, n) for f in folds for n in trials]


def read_trials(study: Study, model: str, files: Sequence[Path]) -> list[dict[str, Any]]:
    """What trials found.

    Raises
    ------
    UserError
        One has not been run, or for other ranges or settings.
    """
    of = digest(trial_slice(study, model))
    records = []
    for file in files:
        if not file.exists():
            raise UserError(f"{file}: not found; run trial for it first")
        record: dict[str, Any] = read_json(file)
        if record.get("of") != of:
            raise UserError(f"{file}: is of other ranges or settings; run trial for it again")
        records.append(record)
    return records


def choice_file(study: Study, layout: Layout, model: str, fold: str) -> Path:
    """Where the values for a fold stand."""
    nested = _search(study, model).choose == "nested"
    return layout.choice(model, f"fold-{fold}" if nested else ALL)


def choice_files(study: Study, layout: Layout) -> dict[str, list[Path]]:
    """All choices of a study, by model."""
    folds: Sequence[str] = read_dataset(layout)["folds"]
    return {
        name: list(dict.fromkeys(choice_file(study, layout, name, fold) for fold in folds))
        for name, model in study.models.items()
        if model.search is not None
    }


def with_choice(study: Study, layout: Layout, model: str, fold: str) -> Study:
    """The study with the values that a model's search chose for a fold; without a search, itself.

    Raises
    ------
    UserError
        Nothing has been chosen yet, or for other ranges.
    """
    searched = study.models[model]
    if searched.search is None:
        return study
    file = choice_file(study, layout, model, fold)
    if not file.exists():
        raise UserError(f"{file}: not found; run trial for each of its trials, then choose")
    chosen = read_json(file).get("values", {})
    if not chosen.keys() >= searched.space.keys():
        raise UserError(f"{file}: is of other ranges; run trial and choose again")
    values = {path: chosen[path] for path in searched.space}
    return with_values(study, model, values)


def with_values(study: Study, model: str, values: dict[str, Any]) -> Study:
    """The study with values in place of a model's ranges.

    Raises
    ------
    UserError
        They do not go together.
    """
    try:
        fixed: Model = study.models[model].fixed(values)
    except ValidationError as error:
        said = error.errors(include_url=False)[0]
        place = ".".join(map(str, said["loc"])) or "model"
        message = said["msg"].removeprefix("Value error, ")
        raise UserError(f"models.{model}: {place}: {message}, with {values}") from None
    return study.model_copy(update={"models": {**study.models, model: fixed}})
