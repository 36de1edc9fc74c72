"""Choosing the values of a search: the trial with the best UAR on dev."""

from statistics import mean
from typing import Any

from deepself.errors import UserError
from deepself.store.files import write_json
from deepself.study.layout import Layout
from deepself.study.schema import Study
from deepself.study.trials import all_files, choice_file, folds_looked_at, read_trials

COLUMNS = ("trial", "fold", "values", "state", "reason", "dev", "pruned", "seconds")
"""What is kept of each trial beside the choice."""


def choose(study: Study, layout: Layout, model: str, fold: str) -> dict[str, Any]:
    """Choose the values that a model's runs on a fold take, and write them down.

    The best is the trial with the highest UAR on dev; of equals, the one with the lowest loss on
    dev, then the earliest. Where one choice serves all folds, both are means over them, and only
    a trial that was whole on each can win.

    Parameters
    ----------
    study, layout
        The study, whose trials have been run.
    model
        Name of a model that is searched.
    fold
        The fold; any of them where one choice serves all.

    Returns
    -------
    dict
        The content of the choice's file.

    Raises
    ------
    UserError
        A trial has not been run, or none can win.
    """
    search = study.models[model].search
    assert search is not None
    records = read_trials(study, model, all_files(study, layout, model, fold))
    folds = folds_looked_at(study, layout, model, fold)
    number, uar, loss = _best(records, model)
    found = {
        "study": study.name,
        "model": model,
        "folds": folds,
        "choose": search.choose,
        "method": search.method,
        "trial": number,
        "values": next(r["values"] for r in records if r["trial"] == number),
        "dev": {"uar": uar, "loss": loss},
        "trials": [
            {name: record[name] for name in COLUMNS} | {"epochs": len(record["history"])}
            for record in records
        ],
    }
    write_json(choice_file(study, layout, model, fold), found)
    return found


def _best(records: list[dict[str, Any]], model: str) -> tuple[int, float, float]:
    """Number of the best trial, with its UAR and loss on dev."""
    by_number: dict[int, list[dict[str, Any]]] = {}
    for record in records:
        by_number.setdefault(record["trial"], []).append(record)
    whole = {
        number: (mean(r["dev"]["uar"] for r in own), mean(r["dev"]["loss"] for r in own))
        for number, own in by_number.items()
        if all(r["state"] == "complete" for r in own)
    }
    if not whole:
        folds = list(dict.fromkeys(record["fold"] for record in records))
        where = f"fold {folds[0]}" if len(folds) == 1 else f"all {len(folds)} folds"
        first = next(record for record in records if record["state"] == "failed")
        raise UserError(
            f"models.{model}.search: none of {len(by_number)} trials could be trained to its end "
            f"on {where}; trial {first['trial']} of fold {first['fold']}: {first['reason']}"
        )
    number = max(whole, key=lambda n: (whole[n][0], -whole[n][1], -n))
    return number, *whole[number]
