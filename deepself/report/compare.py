"""One page over the systems of several studies of one data set."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from deepself.errors import UserError
from deepself.evaluation.across import Across, Scored
from deepself.evaluation.evaluate import Evaluated, Over
from deepself.evaluation.provenance import git_commit, study_yaml
from deepself.evaluation.resampling import FEWEST, RESAMPLES
from deepself.evaluation.results import require_complete
from deepself.evaluation.scores import write_comparisons, write_summary
from deepself.evaluation.scoring import SCORES
from deepself.report import figures, tables
from deepself.report.comparing import by_pair, compared
from deepself.report.figures import Figure
from deepself.report.page import write_page
from deepself.report.ranking import FoldScore, Ranked, Score, indistinct, ranking
from deepself.report.render import OTHERS
from deepself.study.identity import digest, read_dataset
from deepself.study.layout import RESULTS
from deepself.versions import versions

NAMED = 3
"""Studies that a page's name holds."""

Node = Mapping[str, Any]


@dataclass(frozen=True)
class Setting:
    """A key that studies do not share: its value in each as YAML, or None where it is absent."""

    key: str
    values: list[str | None]


def page_of(found: Across) -> Path:
    """Where the page goes, if nobody says."""
    names = [one.study.name for one in found.studies]
    more = [f"and-{len(names) - NAMED}-more"] if len(names) > NAMED else []
    return RESULTS / "compare" / ("-".join([*names[:NAMED], *more]) + ".html")


def write_comparison(found: Across, page: Path) -> list[Ranked]:
    """Write the page, and its tables in a folder of the same name.

    Returns
    -------
    list of Ranked
        All systems, the best on test first.

    Raises
    ------
    UserError
        If the page's name does not end in `.html`, or the tables of scores of a study are of
        another study than its file is now.
    """
    if page.suffix != ".html":
        raise UserError(f"{page}: name a page that ends in .html")
    ranked = _ranked(found)
    folder = page.with_suffix("")
    write_comparisons(folder / "comparisons.csv", found.pairs)
    write_summary(folder / "summary.csv", [*found.systems, *found.chances])
    measured = found.measured
    chance = 1 / len(measured.classes)
    drawn: dict[str, Figure] = {"forest": figures.forest(ranked, chance)}
    write_page(
        page,
        "compare.html",
        found=found,
        ranked=ranked,
        best_of={one.study.name: _best_of(one, ranked) for one in found.studies},
        study_of={r.name: r.name.split("/")[0] for r in ranked},
        indistinct=indistinct(ranked),
        others=OTHERS,
        windowed=any(("test", "window", "uar") in r.scores for r in ranked),
        chance=chance,
        chances={one.name: _scores(one) for one in found.chances},
        classes=measured.classes,
        folds=measured.folds,
        items=len({name for fold in measured.folds for name in measured.truth[fold, "test"].ids}),
        unit="groups" if measured.grouped else "items",
        resamples=RESAMPLES,
        within_folds=measured.within_folds,
        shared_test=measured.shared_test,
        fewest=FEWEST,
        **compared(ranked, found.pairs, drawn),
        settings=settings([_content(one) for one in found.studies]),
        provenance=[_provenance(one) for one in found.studies],
        versions=versions("numpy", "scipy"),
        commit=git_commit(),
        tables=folder,
        figures=drawn,
    )
    return ranked


def settings(contents: Sequence[Node]) -> list[Setting]:
    """Keys that studies do not share, as paths, in the studies' order.

    Parameters
    ----------
    contents
        The studies with every default written out. What a study lacks as a whole, such as a model,
        is one key, not one for each of its settings.
    """
    return [
        Setting(path, [None if value is _ABSENT else _text(value) for value in values])
        for path, values in _differing(contents, "")
        if path != "name"
    ]


_ABSENT = object()


def _differing(nodes: Sequence[Node], path: str) -> Iterator[tuple[str, list[Any]]]:
    for key in dict.fromkeys(key for node in nodes for key in node):
        values = [node.get(key, _ABSENT) for node in nodes]
        place = f"{path}.{key}" if path else str(key)
        if all(isinstance(value, Mapping) for value in values):
            yield from _differing(values, place)
        elif any(value != values[0] for value in values):
            yield place, values


def _text(value: Any) -> str:
    """A value as YAML: in one line, if it is short."""
    flow = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=float("inf"))
    line = flow.removesuffix("\n...\n").strip()
    if len(line) <= 60 or not isinstance(value, list | Mapping):
        return line
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True).strip()


def _content(one: Scored) -> dict[str, Any]:
    """The study with its defaults, and without a password."""
    content: dict[str, Any] = yaml.safe_load(study_yaml(one.study))
    return content


def _ranked(found: Across) -> list[Ranked]:
    about = {
        f"{one.study.name}/{r.name}": r.about
        for one in found.studies
        for r in ranking(one.study, one.layout)
    }
    pairs = by_pair(found.pairs)
    first, *others = sorted(found.systems, key=lambda s: -s.folds.mean())
    return [
        Ranked(
            system.name,
            system.kind,
            about[system.name],
            system.overall["test", "recording"].runs,
            _scores(system),
            {"test": _by_fold(system, found.measured.folds)},
            None
            if system is first
            else pairs[frozenset((first.name, system.name))].seen_from(first.name),
        )
        for system in [first, *others]
    ]


def _scores(system: Evaluated) -> dict[tuple[str, str, str], Score]:
    return {
        (*key, name): score
        for key, over in system.overall.items()
        for place, name in enumerate(SCORES)
        for score in [_score(over, place)]
        if not math.isnan(score.mean)
    }


def _score(over: Over, place: int) -> Score:
    mean, sd, low, high = (float(v[place]) for v in (over.mean, over.sd, over.low, over.high))
    return Score(mean, None if math.isnan(sd) else sd, low, high)


def _by_fold(system: Evaluated, folds: Sequence[str]) -> list[FoldScore]:
    place = SCORES.index("uar")
    found = []
    for fold in folds:
        seeds = [
            float(run.scores[place])
            for run in system.runs
            if (run.fold, run.partition, run.level) == (fold, "test", "recording")
        ]
        found.append(FoldScore(fold, sum(seeds) / len(seeds), seeds))
    return found


def _best_of(one: Scored, ranked: Sequence[Ranked]) -> Ranked:
    return next(r for r in ranked if r.name.split("/")[0] == one.study.name)


def _provenance(one: Scored) -> dict[str, Any]:
    records = [
        (result, result.record)
        for result in require_complete(one.study, one.layout)
        if result.kind == "model"
    ]
    recordings = read_dataset(one.layout)["modalities"]
    return {
        "name": one.study.name,
        "file": one.file,
        "digest": digest(one.study.model_dump(mode="json"))[:12],
        "recordings": {name: held["digest"][:12] for name, held in recordings.items()},
        "seeds": one.study.seeds,
        "models": len(one.study.models),
        "fusions": len(one.study.fusions),
        "machines": tables.machines(records),
        "versions": tables.versions(records),
        "report": one.layout.report if one.layout.report.is_file() else None,
    }
