"""Which model or fusion is best, and which it cannot be told from."""

from dataclasses import dataclass

from deepself.evaluation.results import systems
from deepself.store.files import read_json, read_table
from deepself.study import Layout, Study
from deepself.study.identity import read_dataset
from deepself.study.references import members

Table = list[dict[str, str]]


@dataclass(frozen=True)
class FoldScore:
    """Scores of one system on one fold and partition."""

    fold: str
    mean: float
    seeds: list[float]


@dataclass(frozen=True)
class Ranked:
    """One line of the ranking; `dev` and `folds` say their partition, the rest is test.

    Scores are those of recordings; `windows` is the UAR of single windows, where there are any.
    `lead` is the 95 % interval of the best one's mean test UAR minus this one's; the best has none.
    """

    name: str
    kind: str
    about: str
    runs: int
    dev: float
    uar: float
    sd: float | None
    low: float
    high: float
    lead: tuple[float, float] | None
    accuracy: float
    windows: float | None
    folds: dict[str, list[FoldScore]]


def ranking(study: Study, layout: Layout) -> list[Ranked]:
    """All models and fusions by mean test UAR, the best first; equal ones in the study's order."""
    summary = {(r["name"], r["partition"]): r for r in read_table(layout.summary)}
    scores = [row for row in read_table(layout.scores) if row["level"] == "recording"]
    folds = read_dataset(layout)["folds"]
    ranked = []
    for name, kind in systems(study):
        test, dev = summary[name, "test"], summary[name, "dev"]
        own = [row for row in scores if row["name"] == name]
        ranked.append(
            Ranked(
                name,
                kind,
                _about(study, name) if kind == "model" else _about_fusion(study, name),
                int(test["runs"]),
                float(dev["uar_mean"]),
                float(test["uar_mean"]),
                float(test["uar_sd"]) if test["uar_sd"] else None,
                float(test["uar_low"]),
                float(test["uar_high"]),
                (float(test["diff_low"]), float(test["diff_high"])) if test["diff_low"] else None,
                float(test["accuracy_mean"]),
                float(test["window_uar_mean"]) if test["window_uar_mean"] else None,
                {partition: _by_fold(own, folds, partition) for partition in ("dev", "test")},
            )
        )
    return sorted(ranked, key=lambda r: -r.uar)


def indistinct(ranked: list[Ranked]) -> list[Ranked]:
    """Those that the best is not shown to be better than: its lead may be 0."""
    return [r for r in ranked if r.lead is not None and r.lead[0] <= 0]


def chosen_members(study: Study, layout: Layout) -> list[dict[str, str]]:
    """Members of each fusion that chooses, by fold and seed."""
    return [
        {
            "fusion": name,
            "fold": fold,
            "seed": str(seed),
            "members": " + ".join(record["chosen"]),
        }
        for name, fusion in study.fusions.items()
        if fusion.choose != "all"
        for fold in read_dataset(layout)["folds"]
        for seed in study.seeds
        for record in [read_json(layout.fusion(name, fold, seed) / "fusion.json")]
    ]


def _by_fold(rows: Table, folds: list[str], partition: str) -> list[FoldScore]:
    found = []
    for fold in folds:
        uars = [
            float(row["uar"])
            for row in rows
            if row["fold"] == fold and row["partition"] == partition
        ]
        found.append(FoldScore(fold, sum(uars) / len(uars), uars))
    return found


def _about(study: Study, name: str) -> str:
    model = study.models[name]
    return f"{' + '.join(model.features)} → {model.method.type}"


def _about_fusion(study: Study, name: str) -> str:
    fusion = study.fusions[name]
    names = members(study, fusion.members)
    of = ", ".join(names) if len(names) <= 4 else f"{len(names)} models"
    lead = "best of each modality on dev, of" if fusion.choose != "all" else f"{fusion.method} of"
    return f"{lead} {of}"
