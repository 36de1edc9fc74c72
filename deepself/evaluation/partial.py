"""What there is of a study of which some runs failed."""

from dataclasses import dataclass, replace

from deepself.errors import UserError
from deepself.evaluation.results import Result, results
from deepself.study import Layout, Study
from deepself.study.references import members


@dataclass(frozen=True)
class Incomplete:
    """A model or fusion that has not all its results.

    Attributes
    ----------
    name, kind
        Of the system.
    missing
        Its results that are not there; none of a fusion whose members are incomplete.
    """

    name: str
    kind: str
    missing: list[Result]


def complete_part(study: Study, layout: Layout) -> tuple[Study, Layout, list[Incomplete]]:
    """A study of the models and fusions that have all their results, and what is left out.

    A score is a mean over all folds and seeds: of a model that lacks one there is none. A fusion
    counts as complete only if all its members are, as its predictions may else be of another run.

    Returns
    -------
    study, layout, incomplete
        The study without what is incomplete; where its tables and report go, apart from those of
        the whole study; and what was left out, in the study's order.

    Raises
    ------
    UserError
        If no model is complete.
    """
    missing: dict[tuple[str, str], list[Result]] = {}
    for result in results(study, layout):
        if not result.predictions.is_file():
            missing.setdefault((result.name, result.kind), []).append(result)
    models = {n: m for n, m in study.models.items() if (n, "model") not in missing}
    if not models:
        raise UserError(f"{layout.folder}: no model has all its runs; run the study again")
    fusions = {
        name: fusion
        for name, fusion in study.fusions.items()
        if (name, "fusion") not in missing
        and all(member in models for member in members(study, fusion.members))
    }
    left_out = [
        Incomplete(name, kind, missing.get((name, kind), []))
        for kind, all_, kept in (
            ("model", study.models, models),
            ("fusion", study.fusions, fusions),
        )
        for name in all_
        if name not in kept
    ]
    part = study.model_copy(update={"models": models, "fusions": fusions})
    return part, replace(layout, partial=True), left_out


def log_of(result: Result, layout: Layout) -> str:
    """Where the workflow keeps the log of a result's job."""
    verb = "train" if result.kind == "model" else "fuse"
    own = layout.folder / "logs" / verb / result.name
    each = own / f"fold-{result.fold}-seed-{result.seed}.log"
    together = own.with_suffix(".log")
    return str(together if together.is_file() and not each.is_file() else each)
