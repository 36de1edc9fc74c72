"""What a study has produced: every run and every fusion, and the record each left."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from deepself.errors import UserError
from deepself.store.files import read_json, read_table
from deepself.study import Layout, Study
from deepself.study.identity import read_dataset

Kind = Literal["model", "fusion"]


@dataclass(frozen=True)
class Result:
    """One model or fusion on one fold with one seed, and the folder where it lies."""

    name: str
    kind: Kind
    fold: str
    seed: int
    folder: Path

    @property
    def predictions(self) -> Path:
        """Its table of probabilities."""
        return self.folder / "predictions.csv"

    @property
    def record(self) -> dict[str, Any]:
        """Its run.json or fusion.json."""
        path = self.folder / ("run.json" if self.kind == "model" else "fusion.json")
        record = read_json(path)
        if not isinstance(record, dict) or "scores" not in record:
            raise UserError(f"{path}: not a whole record; delete {self.folder} and run again")
        return record

    @property
    def history(self) -> list[dict[str, str]]:
        """Its training history, a row an epoch or complexity; a fusion has none."""
        return read_table(self.folder / "history.csv") if self.kind == "model" else []

    def __str__(self) -> str:
        return f"{self.kind} {self.name}, fold {self.fold}, seed {self.seed}"


def systems(study: Study) -> list[tuple[str, Kind]]:
    """Name and kind of all models, then all fusions, in the study's order."""
    models: list[tuple[str, Kind]] = [(name, "model") for name in study.models]
    return models + [(name, "fusion") for name in study.fusions]


def seeds_of(study: Study, name: str) -> list[int]:
    """Seeds with which a model or fusion has results: a fusion that pools all has the first."""
    fusion = study.fusions.get(name)
    return study.seeds if fusion is None else fusion.placed(study.seeds)


def results(study: Study, layout: Layout) -> list[Result]:
    """Every run and fusion that the study has, present or not, by system, fold and seed."""
    return [
        Result(name, kind, fold, seed, place(name, fold, seed))
        for name, kind in systems(study)
        for place in [layout.run if kind == "model" else layout.fusion]
        for fold in read_dataset(layout)["folds"]
        for seed in seeds_of(study, name)
    ]


def require_complete(study: Study, layout: Layout) -> list[Result]:
    """`results`, all of which have predictions.

    Raises
    ------
    UserError
        One line for each run or fusion that is missing or failed.
    """
    found = results(study, layout)
    missing = [r for r in found if not r.predictions.is_file()]
    if missing:
        raise UserError("\n".join(f"{r}: no {r.predictions}; {_stage(r)}" for r in missing))
    return found


def _stage(result: Result) -> str:
    verb = "train" if result.kind == "model" else "fuse"
    return f"run {verb}, or see why it failed in its log"
