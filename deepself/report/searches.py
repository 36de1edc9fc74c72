"""The report's section about hyperparameter search: what was tried, chosen, and how it mattered."""

import json
import warnings
from collections import Counter
from dataclasses import dataclass
from statistics import mean
from typing import Any

from deepself.report.figures import Figure, figure, plain
from deepself.store.files import read_json
from deepself.study import Layout, Study
from deepself.study.models import Model
from deepself.study.ranges import Choice, LogUniform, Range
from deepself.study.trials import choice_files

FEWEST = 10
"""Whole trials from which importance is worked out; of fewer, it would be chance."""


@dataclass(frozen=True)
class Searched:
    """What the report shows of one model's search.

    Attributes
    ----------
    name, method, choose
        The model; how values were proposed and chosen.
    parameters
        What was searched: names as short as they can be, in the order of all rows' values; and
        how a table shows them, as `number` or `text`.
    chosen
        A row a choice: fold, number of the trial, its UAR on dev, texts of its values.
    won
        Of each parameter, which value was chosen most often, or between which all lie.
    trials
        A row a trial and fold: number, fold, state, reason, epochs, UAR and loss on dev, seconds,
        texts of its values.
    counts
        Trials by state, those of all folds together.
    seconds
        What all trials took.
    figures
        Keys of the figures: importance, if there is one, and a slice a parameter.
    """

    name: str
    method: str
    choose: str
    parameters: list[tuple[str, str]]
    chosen: list[dict[str, Any]]
    won: list[str]
    trials: list[dict[str, Any]]
    counts: dict[str, int]
    seconds: float
    figures: list[str]


def searches(study: Study, layout: Layout, drawn: dict[str, Figure]) -> list[Searched]:
    """What each search of a study found; its figures are added to `drawn`."""
    return [
        _searched(name, study.models[name], [read_json(file) for file in files], drawn)
        for name, files in choice_files(study, layout).items()
    ]


def _searched(
    name: str, model: Model, choices: list[dict[str, Any]], drawn: dict[str, Figure]
) -> Searched:
    assert model.search is not None
    paths, trials = list(model.space), [trial for one in choices for trial in one["trials"]]
    short = dict(zip(paths, _short(paths), strict=True))
    keys = []
    shares = importance(model, trials)
    if shares:
        keys.append(f"search-{name}-importance")
        drawn[keys[-1]] = _bars({short[path]: share for path, share in shares.items()})
    for path in paths:
        keys.append(f"search-{name}-{path}")
        drawn[keys[-1]] = _slice(short[path], model.space[path], path, choices)
    return Searched(
        name,
        model.search.method,
        model.search.choose,
        [(short[p], "text" if isinstance(model.space[p], Choice) else "number") for p in paths],
        [
            {
                "fold": "all" if model.search.choose == "once" else one["folds"][0],
                "trial": one["trial"],
                "uar": one["dev"]["uar"],
                "values": [text(one["values"][path]) for path in paths],
            }
            for one in choices
        ],
        [_won(model.space[path], [one["values"][path] for one in choices]) for path in paths],
        [{**one, "values": [text(one["values"][path]) for path in paths]} for one in trials],
        dict(Counter(trial["state"] for trial in trials)),
        sum(trial["seconds"] for trial in trials),
        keys,
    )


def importance(model: Model, trials: list[dict[str, Any]]) -> dict[str, float]:
    """Share of the variance of the UAR on dev that each parameter explains, by functional ANOVA.

    Of whole trials, each fold's mean taken away. Nothing where there are fewer than `FEWEST`, where
    all are equal, or where there is one parameter alone (Hutter, Hoos & Leyton-Brown 2014).
    """
    whole = [trial for trial in trials if trial["state"] == "complete"]
    uars = {trial["dev"]["uar"] for trial in whole}
    if len(model.space) < 2 or len(whole) < FEWEST or len(uars) < 2:
        return {}
    import optuna

    from deepself.training.proposals import Earlier, finished

    means = {
        fold: mean(trial["dev"]["uar"] for trial in whole if trial["fold"] == fold)
        for fold in {trial["fold"] for trial in whole}
    }
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        study = optuna.create_study(direction="maximize")
        for trial in whole:
            uar = trial["dev"]["uar"] - means[trial["fold"]]
            study.add_trial(finished(Earlier(trial["values"], uar), model.space))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
            found = optuna.importance.get_param_importances(study, evaluator=evaluator)
    finally:
        optuna.logging.set_verbosity(verbosity)
    return found if sum(found.values()) > 0 else {}


def text(value: Any) -> str:
    """A value of a parameter, as a table shows it.

    >>> text(0.00123456), text([16, 32]), text("adam")
    ('0.001235', '[16, 32]', 'adam')
    """
    if isinstance(value, float):
        return f"{value:.4g}"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _short(paths: list[str]) -> list[str]:
    """Paths without what comes before, as far as they still differ."""
    short = []
    for path in paths:
        parts = path.split(".")
        tails = [".".join(parts[-n:]) for n in range(1, len(parts) + 1)]
        short.append(next(t for t in tails if sum(f".{p}".endswith(f".{t}") for p in paths) == 1))
    return short


def _won(one: Range, values: list[Any]) -> str:
    """Which of some chosen values was there most often; of an interval's, where they lie."""
    if isinstance(one, Choice):
        best, times = Counter(map(text, values)).most_common(1)[0]
        return f"{best} ({times} of {len(values)})"
    low, high = min(values), max(values)
    return text(low) if low == high else f"{text(low)} to {text(high)}"


def _bars(shares: dict[str, float]) -> Figure:
    rising = sorted(shares.items(), key=lambda item: item[1])
    trace = {
        "type": "bar",
        "orientation": "h",
        "x": [float(f"{share:.4g}") for _, share in rising],
        "y": [plain(name) for name, _ in rising],
        "marker": {"color": "$first"},
        "hovertemplate": "%{y}: %{x:.2f}<extra></extra>",
    }
    return figure(
        [trace],
        max(160, 90 + 30 * len(rising)),
        "Importance of each parameter: its share of the variance of the dev UAR.",
        xaxis={"title": {"text": "importance"}, "range": [0, 1], "zeroline": False},
        yaxis={"type": "category", "automargin": True, "showgrid": False},
        showlegend=False,
    )


def _slice(name: str, one: Range, path: str, choices: list[dict[str, Any]]) -> Figure:
    """UAR on dev by the values of one parameter, a mark a trial."""
    trials = [trial for choice in choices for trial in choice["trials"] if trial["dev"]]
    won = {(fold, choice["trial"]) for choice in choices for fold in choice["folds"]}
    traces = []
    for state, colour, symbol in (
        ("complete", "$first", "circle"),
        ("pruned", "$muted", "x-thin-open"),
    ):
        own = [trial for trial in trials if trial["state"] == state]
        if own:
            traces.append(_marks(own, one, path, state, {"color": colour, "symbol": symbol}))
    chosen = [trial for trial in trials if (trial["fold"], trial["trial"]) in won]
    ring = {"color": "$ink", "symbol": "circle-open", "size": 10, "line": {"width": 2}}
    traces.append(_marks(chosen, one, path, "chosen", ring))
    axis: dict[str, Any] = {"title": {"text": plain(name)}}
    if isinstance(one, Choice):
        order = [plain(text(value)) for value in one.choice]
        axis |= {"type": "category", "categoryorder": "array", "categoryarray": order}
    elif isinstance(one, LogUniform):
        axis |= {"type": "log", "exponentformat": "power"}
    return figure(
        traces,
        250,
        f"Dev UAR of each trial by its {name}.",
        xaxis=axis,
        yaxis={"title": {"text": "dev UAR"}},
    )


def _marks(
    trials: list[dict[str, Any]], one: Range, path: str, name: str, marker: dict[str, Any]
) -> dict[str, Any]:
    values = [trial["values"][path] for trial in trials]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": [plain(text(v)) if isinstance(one, Choice) else float(f"{v:.5g}") for v in values],
        "y": [float(f"{trial['dev']['uar']:.5g}") for trial in trials],
        "text": [plain(f"fold {trial['fold']}, trial {trial['trial']}") for trial in trials],
        "marker": {"size": 6, **marker},
        "hovertemplate": f"{name}: %{{y:.3f}} at %{{x}}, %{{text}}<extra></extra>",
    }
