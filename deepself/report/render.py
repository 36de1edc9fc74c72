"""Gathering a study's results and rendering them as one HTML file."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from deepself.errors import UserError
from deepself.evaluation.provenance import git_commit, study_yaml
from deepself.evaluation.results import Result, require_complete
from deepself.evaluation.scores import held_out
from deepself.evaluation.statistics import FEWEST, RESAMPLES, within_folds
from deepself.report import figures, tables
from deepself.report.examples import CLASSES, FeatureExamples, examples, figures_of
from deepself.report.figures import Figure
from deepself.report.page import write_page
from deepself.report.ranking import Ranked, chosen_members, indistinct, ranking
from deepself.report.searches import FEWEST as FEWEST_TRIALS
from deepself.report.searches import searches
from deepself.store.files import read_table
from deepself.study import Layout, Study
from deepself.study.identity import read_dataset

TABLE_CLASSES = 20
"""Confusion matrices of up to so many classes are tables; larger ones are heat maps."""

NARROW_CLASSES = 6
"""Confusion matrices of up to so many classes stand side by side; wider ones get a row each."""


@dataclass(frozen=True)
class Matrix:
    """Confusion matrix of one system on test, summed over folds and seeds."""

    name: str
    kind: str
    counts: list[list[int]]
    rates: list[list[float]]


def render(study: Study, layout: Layout, *, command: str) -> Path:
    """Write a study's report; return its path.

    Parameters
    ----------
    study, layout
        A study that is scored.
    command
        The command that repeats it, as shown to the reader.

    Raises
    ------
    UserError
        If a run, a fusion or a table of scores is missing, or is older than the study.
    """
    return write_page(layout.report, "report.html", **gather(study, layout), command=command)


def gather(study: Study, layout: Layout) -> dict[str, Any]:
    """All that the template shows."""
    found = require_complete(study, layout)
    runs = [(result, result.record) for result in found if result.kind == "model"]
    try:
        ranked = ranking(study, layout)
    except (KeyError, ZeroDivisionError):
        raise UserError(
            f"{layout.summary}: not of this study as it is now; run score again"
        ) from None
    classes = read_dataset(layout)["classes"]
    chance = 1 / len(classes)
    counts = tables.counts(layout)
    drawn: dict[str, Figure] = {"forest": figures.forest(ranked, chance)}
    matrices = _matrices(layout, ranked, classes)
    if len(classes) > TABLE_CLASSES:
        for matrix in matrices:
            drawn[f"confusion-{matrix.name}"] = figures.rates(classes, np.array(matrix.counts))
    learning = _learning(study, runs, drawn)
    searched = searches(study, layout, drawn)
    shown = _examples(layout, runs, classes)
    drawn |= figures_of(shown)
    return {
        "study": study,
        "ranked": ranked,
        "indistinct": indistinct(ranked),
        "windowed": any(r.windows is not None for r in ranked),
        "above_chance": [r for r in ranked if r.low > chance],
        "chance": chance,
        "classes": classes,
        "wide": len(classes) > NARROW_CLASSES,
        "folds": read_dataset(layout)["folds"],
        **_resampling(layout),
        "unit": "groups" if counts.groups else "items",
        "chosen": chosen_members(study, layout),
        "learning": learning,
        "searches": searched,
        "fewest_trials": FEWEST_TRIALS,
        "matrices": matrices,
        "examples": shown,
        "counts": counts,
        "recordings": tables.recordings(layout),
        "equal": tables.equal_files(layout),
        "skipped": tables.skipped(layout),
        "costs": tables.costs(runs),
        "versions": tables.versions(runs),
        "machines": tables.machines(runs),
        "features": tables.features(runs),
        "commit": git_commit(),
        "study_yaml": study_yaml(study),
        "figures": drawn,
    }


def _resampling(layout: Layout) -> dict[str, Any]:
    """How the test intervals were made."""
    units = [
        len(set(part.units))
        for (_, partition), part in held_out(layout).items()
        if partition == "test"
    ]
    return {"resamples": RESAMPLES, "within_folds": within_folds(units), "fewest": FEWEST}


def _learning(study: Study, runs: tables.Records, drawn: dict[str, Figure]) -> list[dict[str, Any]]:
    """Figures of how each model learnt, added to `drawn`; returns which model has which."""
    learning = []
    for name, model in study.models.items():
        own = [
            (_run_name(study, result), result, record)
            for result, record in runs
            if result.name == name
        ]
        histories = {run: result.history for run, result, _ in own}
        keys = []
        if model.network is not None:
            epochs = {run: record["best"].get("epoch") for run, _, record in own}
            for quantity in ("loss", "uar"):
                keys.append(f"curve-{name}-{quantity}")
                drawn[keys[-1]] = figures.curves(histories, epochs, quantity)
        else:
            keys.append(f"curve-{name}-choices")
            chosen = {run: record["best"] for run, _, record in own}
            drawn[keys[-1]] = figures.choices(histories, chosen)
        best = [record["best"] for _, _, record in own]
        said = _said([(run, record) for run, _, record in own])
        learning.append({"name": name, "figures": keys, "best": best, **said})
    return learning


def _said(records: Sequence[tuple[str, dict[str, Any]]]) -> dict[str, list[tuple[str, str]]]:
    """What trainings noted and warned of, each once, with the runs that it is said of."""
    found: dict[str, list[tuple[str, str]]] = {}
    for sort in ("notes", "warnings"):
        runs: dict[str, list[str]] = {}
        for run, record in records:
            for text in record.get(sort, ()):
                runs.setdefault(text, []).append(run)
        everywhere = len(records)
        found[sort] = [
            (text, "" if len(own) == everywhere else ", ".join(own)) for text, own in runs.items()
        ]
    ends: dict[str, list[str]] = {}
    for run, record in records:
        if record.get("stopped", "epochs") not in ("", "epochs"):
            ends.setdefault(record["stopped"], []).append(run)
    found["notes"] += [(f"stopped by {why}", ", ".join(own)) for why, own in ends.items()]
    return found


def _run_name(study: Study, result: Result) -> str:
    seed = f", seed {result.seed}" if len(study.seeds) > 1 else ""
    return f"fold {result.fold}{seed}"


def _matrices(layout: Layout, ranked: Sequence[Ranked], classes: list[str]) -> list[Matrix]:
    place = {label: i for i, label in enumerate(classes)}
    counts = {r.name: np.zeros((len(classes), len(classes)), int) for r in ranked}
    for row in read_table(layout.confusion):
        if row["partition"] == "test" and row["name"] in counts:
            counts[row["name"]][place[row["label"]], place[row["predicted"]]] += int(row["count"])
    matrices = []
    for r in ranked:
        own = counts[r.name]
        share = own / np.maximum(own.sum(axis=1, keepdims=True), 1)
        matrices.append(Matrix(r.name, r.kind, own.tolist(), share.round(4).tolist()))
    return matrices


def _examples(layout: Layout, runs: tables.Records, classes: list[str]) -> list[FeatureExamples]:
    first: dict[str, str] = {}
    for row in read_table(layout.folds):
        first.setdefault(row["label"], row["id"])
    items = [(first[label], label) for label in classes if label in first][:CLASSES]
    files = tables.features(runs)
    return [examples(f["name"], f["kind"], f["file"], items, len(files)) for f in files]
