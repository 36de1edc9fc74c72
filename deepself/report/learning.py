"""How each model learnt."""

from collections.abc import Sequence
from typing import Any

from deepself.evaluation.results import Result
from deepself.report import figures, tables
from deepself.report.figures import Figure
from deepself.report.ranking import Ranked
from deepself.study import Study

SHOWN = 20
"""Models whose learning is shown, the best ones: a page must stay readable."""


def learning(
    study: Study, ranked: Sequence[Ranked], runs: tables.Records, drawn: dict[str, Figure]
) -> list[dict[str, Any]]:
    """Figures of how the best models learnt, added to `drawn`; returns which model has which."""
    found = []
    shown = {r.name for r in [r for r in ranked if r.kind == "model"][:SHOWN]}
    for name, model in study.models.items():
        if name not in shown:
            continue
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
        found.append({"name": name, "figures": keys, "best": best, **said})
    return found


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
