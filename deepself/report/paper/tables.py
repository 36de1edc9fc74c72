"""The tables of a study, for a paper."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from deepself.evaluation.comparisons import Comparison
from deepself.report import tables as report_tables
from deepself.report.gains import Gain
from deepself.report.page import probability, score, seconds
from deepself.report.paper.writing import Table
from deepself.report.ranking import Ranked, Score, indistinct
from deepself.store.files import read_table
from deepself.study import Layout

SHOWN = {
    "accuracy": "accuracy",
    "f1_macro": "F1",
    "auc_macro": "AUC",
    "log_loss": "log loss",
    "ece": "ECE",
}
"""Scores beside UAR, with their titles."""

COLUMNS = 10
"""Systems that the table of recalls shows, the best ones; its CSV has all."""

PAIRED = 40
"""Of up to so many systems all pairs are listed; of more, those with the best."""


def ranking(
    ranked: Sequence[Ranked], chances: dict[str, dict[tuple[str, str, str], Score]], over: str
) -> Table:
    """All systems, the best first, and what chance reaches."""
    equal = {r.name for r in indistinct(list(ranked))}
    rows, full = [], []
    for r in ranked:
        p = r.lead.p_bootstrap_holm if r.lead else None
        rows.append(
            [
                r.name + ("*" if r.name in equal else ""),
                r.kind,
                _spread(r.test),
                _interval(r.test),
                score(r.dev),
                *(_mean(r.scores.get(("test", "recording", key))) for key in SHOWN),
                "–" if p is None else probability(p),
            ]
        )
        full.append([r.name, r.kind, r.runs, *_values(r.scores), p])
    for name, scores in chances.items():
        test = scores["test", "recording", "uar"]
        others = (_mean(scores.get(("test", "recording", key))) for key in SHOWN)
        dev = scores["dev", "recording", "uar"].mean
        interval = _interval(test) if name == "random" else "–"  # always the same answer
        rows.append([name, "chance", score(test.mean), interval, score(dev), *others, "–"])
        full.append([name, "chance", None, *_values(scores), None])
    return Table(
        "ranking",
        f"Unweighted average recall (UAR) on test, {over}, with standard deviation over runs and "
        "95 % bootstrap interval; dev UAR; other scores on test; p of a difference of UAR from the "
        "best, corrected by Holm for all pairs. Systems with * cannot be told from the best.",
        ["system", "kind", "test UAR", "95 % interval", "dev UAR", *SHOWN.values(), "p"],
        rows,
        2,
        [
            *("system", "kind", "runs", "uar", "uar_sd", "uar_low", "uar_high", "dev_uar"),
            *SHOWN,
            "p_bootstrap_holm",
        ],
        full,
        frozenset({0}),
        frozenset({len(ranked)}),
    )


def folds(ranked: Sequence[Ranked], names: Sequence[str]) -> Table:
    """Test UAR of each system by fold."""
    means = [[fold.mean for fold in r.folds["test"]] for r in ranked]
    return Table(
        "folds",
        "Unweighted average recall on test by fold, mean over seeds.",
        ["system", *(f"fold {name}" for name in names)],
        [[r.name, *map(score, own)] for r, own in zip(ranked, means, strict=True)],
        1,
        ["system", *(f"fold-{name}" for name in names)],
        [[r.name, *own] for r, own in zip(ranked, means, strict=True)],
        frozenset({0}),
    )


def classes(layout: Layout, ranked: Sequence[Ranked], labels: Sequence[str], over: str) -> Table:
    """Recall of each class on test: a row a class, a column for each of the best systems."""
    found = {
        (row["name"], row["kind"], row["label"]): row
        for row in read_table(layout.class_summary)
        if (row["partition"], row["level"], row["score"]) == ("test", "recording", "recall")
    }
    rows, full = [], []
    for label in labels:
        own = [found[r.name, r.kind, label] for r in ranked]
        rows.append([label, *(_recall(cell) for cell in own[:COLUMNS])])
        full += [
            [label, r.name, *(float(cell[k]) if cell[k] else None for k in ("mean", "low", "high"))]
            for r, cell in zip(ranked, own, strict=True)
        ]
    best = f" The best {COLUMNS} of {len(ranked)} systems." if len(ranked) > COLUMNS else ""
    return Table(
        "classes",
        f"Recall of each class on test, {over}, with 95 % bootstrap interval.{best}",
        ["class", *(r.name for r in ranked[:COLUMNS])],
        rows,
        1,
        ["class", "system", "recall", "low", "high"],
        full,
    )


def comparisons(ranked: Sequence[Ranked], pairs: Sequence[Comparison]) -> Table:
    """Pairs of systems; of very many systems those with the best alone."""
    order = {r.name: place for place, r in enumerate(ranked)}
    seen = [pair.seen_from(min(pair.first, pair.second, key=order.__getitem__)) for pair in pairs]
    if len(ranked) > PAIRED:
        seen = [pair for pair in seen if order[pair.first] == 0]
    seen.sort(key=lambda pair: (order[pair.first], order[pair.second]))
    keys = ("p_bootstrap_holm", "p_t_holm", "p_mcnemar_holm")
    numbers = ("difference", "low", "high", *keys, "disagreement", "q")
    return Table(
        "comparisons",
        "Test UAR of the first minus that of the second, with 95 % bootstrap interval; p of the "
        "bootstrap, of the corrected resampled t-test and of McNemar's test, each corrected by "
        f"Holm for {len(pairs)} pairs; share of items that one of the two alone has right; "
        "Yule's Q of their errors.",
        [
            *("first", "second", "difference", "95 % interval"),
            *("p (bootstrap)", "p (t)", "p (McNemar)", "disagreement", "Q"),
        ],
        [
            [
                pair.first,
                pair.second,
                score(pair.difference),
                f"{score(pair.low)} to {score(pair.high)}",
                *(probability(getattr(pair, key)) for key in keys),
                score(pair.disagreement),
                score(pair.q),
            ]
            for pair in seen
        ],
        2,
        ["first", "second", *numbers],
        [[p.first, p.second, *(_known(getattr(p, n)) for n in numbers)] for p in seen],
    )


def fusions(gains: Sequence[Gain]) -> Table:
    """What each fusion gains over its best member."""
    rows, full = [], []
    for gain in gains:
        pair = gain.pair
        rows.append(
            [
                *(gain.name, gain.method, gain.best),
                score(pair.difference),
                f"{score(pair.low)} to {score(pair.high)}",
                probability(pair.p_bootstrap_holm),
                score(gain.disagreement),
            ]
        )
        numbers = (pair.difference, pair.low, pair.high, pair.p_bootstrap_holm, gain.disagreement)
        full.append([gain.name, gain.method, gain.best, *map(_known, numbers)])
    return Table(
        "fusions",
        "Gain in test UAR of each fusion over its best member on dev, with 95 % bootstrap "
        "interval, p corrected by Holm for all pairs of the study, and mean disagreement of its "
        "members.",
        ["fusion", "method", "best member", "gain", "95 % interval", "p", "disagreement"],
        rows,
        3,
        [
            *("fusion", "method", "best_member", "gain", "low", "high"),
            *("p_bootstrap_holm", "disagreement"),
        ],
        full,
    )


def cost(runs: report_tables.Records) -> Table:
    """What a run of each model costs."""
    lines = report_tables.costs(runs)
    return Table(
        "cost",
        "Trained values, mean time of a run for training and prediction, time of all runs, and "
        "device.",
        ["model", "type", "device", "parameters", "train", "predict", "all runs"],
        [
            [
                *(line["name"], line["type"], line["device"], f"{line['parameters']:,}"),
                seconds(line["seconds"]["train"]),
                seconds(line["seconds"]["predict"]),
                seconds(line["all"]),
            ]
            for line in lines
        ],
        3,
        [
            *("model", "type", "device", "parameters", "train_seconds", "predict_seconds"),
            *("all_seconds", "memory_bytes", "gpu_memory_bytes", "energy_joules"),
        ],
        [
            [
                *(line["name"], line["type"], line["device"], line["parameters"]),
                *(line["seconds"]["train"], line["seconds"]["predict"], line["all"]),
                *(line["memory"], line["gpu_memory"], line["energy"]),
            ]
            for line in lines
        ],
    )


def data(layout: Layout) -> Table:
    """Items of each class in each partition."""
    counts = report_tables.counts(layout)
    full, rows = [], []
    for label, items, parts in counts.rows:
        for fold, own in zip(counts.folds, parts, strict=True):
            full.append([label, fold, own["train"], own["dev"], own["test"]])
        means = [np.mean([own[p] for own in parts]) for p in report_tables.PARTITIONS]
        rows.append([label, str(items), *(f"{mean:.4g}" for mean in means)])
    totals = [np.mean([own[p] for own in counts.totals]) for p in report_tables.PARTITIONS]
    rows.append(["all", str(counts.items), *(f"{mean:.4g}" for mean in totals)])
    return Table(
        "data",
        f"Items of each class, and in each partition of a fold (mean over {len(counts.folds)}).",
        ["class", "items", *report_tables.PARTITIONS],
        rows,
        1,
        ["class", "fold", *report_tables.PARTITIONS],
        full,
        rule=frozenset({len(rows) - 1}),
    )


def _values(scores: dict[tuple[str, str, str], Score]) -> list[Any]:
    test, dev = scores["test", "recording", "uar"], scores["dev", "recording", "uar"]
    others = [scores.get(("test", "recording", key)) for key in SHOWN]
    return [
        *(test.mean, test.sd, test.low, test.high, dev.mean),
        *(own.mean if own else None for own in others),
    ]


def _known(value: float) -> float | None:
    return None if np.isnan(value) else value


def _mean(own: Score | None) -> str:
    return score(own.mean) if own else "–"


def _spread(own: Score) -> str:
    return score(own.mean) + (f" ± {score(own.sd)}" if own.sd is not None else "")


def _interval(own: Score) -> str:
    return f"{score(own.low)} to {score(own.high)}"


def _recall(cell: dict[str, str]) -> str:
    if not cell["mean"]:
        return "–"
    mean, low, high = (float(cell[key]) for key in ("mean", "low", "high"))
    return f"{mean:.2f} ({low:.2f} to {high:.2f})"
