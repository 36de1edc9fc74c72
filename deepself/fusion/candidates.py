"""What a fusion combines: the runs of its members, over seeds, folds and snapshots."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from deepself.errors import UserError
from deepself.fusion.across_folds import across_folds, require_unseen
from deepself.store.predictions import Predictions, read_predictions
from deepself.study import Layout, Study
from deepself.study.identity import read_dataset
from deepself.study.references import members


@dataclass(frozen=True)
class Candidate:
    """One table of probabilities that a fusion may combine.

    Attributes
    ----------
    name
        The member's, and the seed, fold and snapshot where it pools several.
    model, fold, seed, snapshot
        The run, and which of its snapshots, if it is one.
    predictions
        A row a recording; of this fold's items alone.
    """

    name: str
    model: str
    fold: str
    seed: int
    predictions: Predictions
    snapshot: int | None = None


def candidates(study: Study, layout: Layout, name: str, fold: str, seed: int) -> list[Candidate]:
    """The candidates of a fusion for one fold and seed, in the study's order.

    Raises
    ------
    UserError
        If a run or its snapshots are missing, or runs of other folds have seen this fold's items.
    """
    fusion = study.fusions[name]
    folds = fusion.pooled_folds(fold, read_dataset(layout)["folds"])
    if "folds" in fusion.over:
        require_unseen(layout, fold, folds)
    found = []
    for model in members(study, fusion.members):
        for run_seed in fusion.pooled_seeds(seed, study.seeds):
            own = [
                candidate
                for run_fold in folds
                for candidate in _of_run(study, layout, name, model, run_fold, run_seed)
            ]
            if "folds" in fusion.over:
                tables = {c.name: c.predictions for c in own}
                here = [c.name for c in own if c.fold == fold]
                pooled = across_folds(tables, here)
                own = [replace(c, predictions=pooled[c.name]) for c in own]
            found += own
    return found


def _of_run(
    study: Study, layout: Layout, name: str, model: str, fold: str, seed: int
) -> Iterator[Candidate]:
    over = study.fusions[name].over
    called = model
    if "seeds" in over:
        called += f" seed {seed}"
    if "folds" in over:
        called += f" fold {fold}"
    folder = layout.run(model, fold, seed)
    whole = folder / "predictions.csv"
    if not whole.is_file():
        raise UserError(f"{model}, fold {fold}, seed {seed}: no {whole}; run train")
    if "snapshots" not in over:
        yield Candidate(called, model, fold, seed, read_predictions(whole).recordings())
        return
    kept = _snapshots(folder)
    if not kept:
        raise UserError(
            f"{model}, fold {fold}, seed {seed}: keeps no snapshots; set "
            f"models.{model}.training.snapshots: true and run train, or take snapshots out of "
            f"fusions.{name}.over"
        )
    for number, path in kept:
        predictions = read_predictions(path).recordings()
        yield Candidate(f"{called} snapshot {number}", model, fold, seed, predictions, number)


def _snapshots(folder: Path) -> list[tuple[int, Path]]:
    found = (folder / "snapshots").glob("*/predictions.csv")
    return sorted((int(path.parent.name), path) for path in found if path.parent.name.isdigit())
