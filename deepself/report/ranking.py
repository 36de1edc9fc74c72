"""Which model or fusion is best, and which it cannot be told from."""

from dataclasses import dataclass, replace

from deepself.errors import UserError
from deepself.evaluation.comparisons import Comparison, comparisons
from deepself.evaluation.results import systems
from deepself.store.files import read_json, read_table
from deepself.study import Layout, Study
from deepself.study.fusions import Best, Greedy
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
class Score:
    """A score over runs: its mean, their standard deviation, and the 95 % interval of the mean.

    One run has no deviation. Where a score exists, so does its interval.
    """

    mean: float
    sd: float | None
    low: float
    high: float


@dataclass(frozen=True)
class Ranked:
    """One line of the ranking.

    Attributes
    ----------
    name, kind, about, runs
        Of the system, what it is made of, and how many runs it has.
    scores
        By partition, level and name; those that do not exist are missing.
    folds
        UAR of recordings by partition and fold.
    lead
        The best one compared with it; the best has none.
    """

    name: str
    kind: str
    about: str
    runs: int
    scores: dict[tuple[str, str, str], Score]
    folds: dict[str, list[FoldScore]]
    lead: Comparison | None

    @property
    def test(self) -> Score:
        """UAR on test, which systems are ranked by."""
        return self.scores["test", "recording", "uar"]

    @property
    def dev(self) -> float:
        """Mean UAR on dev."""
        return self.scores["dev", "recording", "uar"].mean


def ranking(study: Study, layout: Layout) -> list[Ranked]:
    """All models and fusions by mean test UAR, the best first; equal ones in the study's order.

    Raises
    ------
    UserError
        If the tables of scores are missing, or of another study than this.
    """
    try:
        return _ranking(study, layout)
    except (KeyError, ValueError, ZeroDivisionError):
        raise UserError(
            f"{layout.summary}: not of this study as it is now; run score again"
        ) from None


def _ranking(study: Study, layout: Layout) -> list[Ranked]:
    scores = summary(layout)
    rows = [row for row in read_table(layout.scores) if row["level"] == "recording"]
    folds = read_dataset(layout)["folds"]
    compared = {frozenset((c.first, c.second)): c for c in comparisons(layout)}
    found = [
        Ranked(
            name,
            kind,
            _about(study, name) if kind == "model" else _about_fusion(study, name),
            sum((row["name"], row["partition"]) == (name, "test") for row in rows),
            scores[name, kind],
            {p: _by_fold(rows, name, folds, p) for p in ("dev", "test")},
            None,
        )
        for name, kind in systems(study)
    ]
    first, *others = sorted(found, key=lambda r: -r.test.mean)
    leads = {
        r.name: compared[frozenset((first.name, r.name))].seen_from(first.name) for r in others
    }
    return [first, *(replace(r, lead=leads[r.name]) for r in others)]


def summary(layout: Layout) -> dict[tuple[str, str], dict[tuple[str, str, str], Score]]:
    """Scores of each system, by its name and kind; those of `chance` stand there, too."""
    found: dict[tuple[str, str], dict[tuple[str, str, str], Score]] = {}
    for row in read_table(layout.summary):
        own = found.setdefault((row["name"], row["kind"]), {})
        if row["mean"]:
            mean, low, high = (float(row[k]) for k in ("mean", "low", "high"))
            sd = float(row["sd"]) if row["sd"] else None
            own[row["partition"], row["level"], row["score"]] = Score(mean, sd, low, high)
    return found


def indistinct(ranked: list[Ranked]) -> list[Ranked]:
    """Those that the best cannot be told from."""
    return [r for r in ranked if r.lead is not None and not r.lead.apart]


def chosen_members(study: Study, layout: Layout) -> list[dict[str, str]]:
    """Members of each fusion that chooses some on dev, by fold and seed."""
    return [
        {
            "fusion": name,
            "fold": fold,
            "seed": str(seed),
            "members": " + ".join(record["chosen"]),
        }
        for name, fusion in study.fusions.items()
        if isinstance(fusion.members, Best) or isinstance(fusion.method, Greedy)
        for fold in read_dataset(layout)["folds"]
        for seed in fusion.placed(study.seeds)
        for record in [read_json(layout.fusion(name, fold, seed) / "fusion.json")]
    ]


def _by_fold(rows: Table, name: str, folds: list[str], partition: str) -> list[FoldScore]:
    uars: dict[str, list[float]] = {fold: [] for fold in folds}
    for row in rows:
        if (row["name"], row["partition"]) == (name, partition):
            uars[row["fold"]].append(float(row["uar"]))
    return [FoldScore(fold, sum(own) / len(own), own) for fold, own in uars.items()]


def _about(study: Study, name: str) -> str:
    model = study.models[name]
    return f"{' + '.join(model.features)} → {model.method.type}"


def _about_fusion(study: Study, name: str) -> str:
    fusion = study.fusions[name]
    names = members(study, fusion.members)
    of = ", ".join(names) if len(names) <= 4 else f"{len(names)} models"
    if isinstance(fusion.members, Best):
        each = " of each modality" if fusion.members.per == "modality" else ""
        of = f"the best {fusion.members.best}{each} on dev, of {of}"
    over = f", over {' and '.join(fusion.over)}" if fusion.over else ""
    return f"{fusion.method} of {of}{over}"
