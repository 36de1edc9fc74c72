"""Gathering a study's results and rendering them as one HTML file."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from deepself.evaluation.chance import DRAWS
from deepself.evaluation.comparisons import comparisons
from deepself.evaluation.partial import Incomplete, log_of
from deepself.evaluation.protocol import protocol
from deepself.evaluation.provenance import git_commit, study_yaml
from deepself.evaluation.resampling import FEWEST, RESAMPLES
from deepself.evaluation.results import require_complete
from deepself.report import figures, tables
from deepself.report.calibration import calibrated
from deepself.report.comparing import compared
from deepself.report.confusion import NARROW_CLASSES, SHOWN, matrices
from deepself.report.data import described
from deepself.report.examples import CLASSES, FeatureExamples, examples, figures_of
from deepself.report.explanations import explained
from deepself.report.figures import Figure
from deepself.report.gains import gains
from deepself.report.learning import learning
from deepself.report.map import items_map
from deepself.report.mistakes import mistakes
from deepself.report.page import write_page
from deepself.report.ranking import Ranked, chosen_members, indistinct, ranking, summary
from deepself.report.searches import FEWEST as FEWEST_TRIALS
from deepself.report.searches import searches
from deepself.store.files import read_table
from deepself.study import Layout, Study
from deepself.study.identity import read_dataset

OTHERS = (
    ("accuracy", "accuracy"),
    ("f1_macro", "macro F1"),
    ("auc_macro", "AUC"),
    ("log_loss", "log loss"),
    ("ece", "calibration error"),
)
"""Scores beside UAR that the ranking shows, with their titles."""


def render(
    study: Study, layout: Layout, *, command: str, incomplete: Sequence[Incomplete] = ()
) -> Path:
    """Write a study's report; return its path.

    Parameters
    ----------
    study, layout
        A study that is scored.
    command
        The command that repeats it, as shown to the reader.
    incomplete
        What is left out since runs of it failed.

    Raises
    ------
    UserError
        If a run, a fusion or a table of scores is missing, or is older than the study.
    """
    content = gather(study, layout)
    failed = [(one, [log_of(result, layout) for result in one.missing]) for one in incomplete]
    return write_page(layout.report, "report.html", **content, command=command, failed=failed)


def gather(study: Study, layout: Layout) -> dict[str, Any]:
    """All that the template shows."""
    found = require_complete(study, layout)
    runs = [(result, result.record) for result in found if result.kind == "model"]
    ranked = ranking(study, layout)
    pairs = comparisons(layout)
    dataset = read_dataset(layout)
    classes = dataset["classes"]
    drawn: dict[str, Figure] = {"forest": figures.forest(ranked, 1 / len(classes))}
    content = {
        "study": study,
        "folds": dataset["folds"],
        "classes": classes,
        **_standing(study, layout, ranked, classes),
        **compared(ranked, pairs, drawn),
        "gains": gains(study, ranked, pairs, drawn),
        "chosen": chosen_members(study, layout),
        **calibrated(layout, ranked, classes, drawn),
        "learning": learning(study, ranked, runs, drawn),
        "searches": searches(study, layout, drawn),
        "fewest_trials": FEWEST_TRIALS,
        "matrices": matrices(layout, ranked, classes, drawn),
        "wide": len(classes) > NARROW_CLASSES,
        "items_map": items_map(layout, drawn),
        "mistakes": mistakes(study, layout, found, [r.name for r in ranked], drawn),
        "explanations": explained(study, layout, ranked, drawn),
        "examples": _examples(layout, runs, classes),
        **described(layout, drawn),
        "costs": tables.costs(runs),
        "versions": tables.versions(runs),
        "machines": tables.machines(runs),
        "features": tables.features(runs),
        "commit": git_commit(),
        "study_yaml": study_yaml(study),
    }
    return {**content, "figures": drawn | figures_of(content["examples"])}


def _standing(
    study: Study, layout: Layout, ranked: list[Ranked], classes: list[str]
) -> dict[str, Any]:
    """What the first screen says."""
    measured = protocol(layout)
    chance = 1 / len(classes)
    return {
        "ranked": ranked,
        "indistinct": indistinct(ranked),
        "by_dev": max(ranked, key=lambda r: r.dev),
        "above_chance": [r for r in ranked if r.test.low > chance],
        "chance": chance,
        "chances": {n: own for (n, kind), own in summary(layout).items() if kind == "chance"},
        "guesses": DRAWS,
        "others": OTHERS,
        "windowed": any(("test", "window", "uar") in r.scores for r in ranked),
        "unit": "groups" if measured.grouped else "items",
        "resamples": RESAMPLES,
        "within_folds": measured.within_folds,
        "shared_test": measured.shared_test,
        "fewest": FEWEST,
        "shown": SHOWN,
    }


def _examples(layout: Layout, runs: tables.Records, classes: list[str]) -> list[FeatureExamples]:
    first: dict[str, str] = {}
    for row in read_table(layout.folds):
        first.setdefault(row["label"], row["id"])
    items = [(first[label], label) for label in classes if label in first][:CLASSES]
    files = tables.features(runs)
    return [examples(f["name"], f["kind"], f["file"], items, len(files)) for f in files]
