"""What is logged of a study: one entry the study, each model and fusion, and each fold and seed."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

import yaml

from deepself.errors import UserError
from deepself.evaluation.provenance import study_content
from deepself.evaluation.results import Result, require_complete, systems
from deepself.evaluation.scoring import SCORES
from deepself.store.files import read_table
from deepself.study import Layout, Study
from deepself.study.identity import digest as digest_of
from deepself.study.identity import read_dataset
from deepself.tracking.datasets import PARTITIONS, Data, DataSet

Row = dict[str, str]

_ENDS = ("sd", "low", "high")

_RANKED = 40
"""Rows of the ranking: MLflow takes 8000 characters of a tag."""


class Metric(NamedTuple):
    """A value; `partition` names the data it was measured on, if any.

    `of_model` says whether it also stands with the logged model, beside those of all others.
    """

    name: str
    value: float
    partition: str | None = None
    of_model: bool = True


class Point(NamedTuple):
    """A value of a curve: its step is an epoch, or the place of a fold from 1."""

    name: str
    value: float
    step: int


COSTS = ("memory", "gpu_memory", "energy")
"""What a run's record may say that it took, in bytes and joules."""


@dataclass(frozen=True)
class Entry:
    """One MLflow run to be.

    Attributes
    ----------
    key
        Its address: `study`, `study/model` or `study/model/fold/seed`.
    parent
        Key of the entry that it is nested in.
    name
        What MLflow shows.
    parameters, metrics, curves, tags
        What is logged.
    data
        What it was trained or measured on, by its context: `train`, `dev`, `test`; or `study`.
    model_type
        Of the logged model that it has; None if it has none.
    files, texts
        Artefacts by name: paths of files, and texts.
    seconds
        How long it took, or None; of a parent, the sum of its runs.
    """

    key: str
    parent: str | None
    name: str
    parameters: dict[str, str] = field(default_factory=dict)
    metrics: list[Metric] = field(default_factory=list)
    curves: list[Point] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)
    data: dict[str, Data] = field(default_factory=dict)
    model_type: str | None = None
    files: dict[str, Path] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    seconds: float | None = None

    @property
    def digest(self) -> str:
        """Digest of all that is logged: equal content needs no new run."""
        files = {n: hashlib.sha256(p.read_bytes()).hexdigest() for n, p in self.files.items()}
        return digest_of(
            {
                "key": self.key,
                "name": self.name,
                "parameters": self.parameters,
                "metrics": [[one.name, repr(one.value), *one[2:]] for one in self.metrics],
                "curves": [[one.name, repr(one.value), one.step] for one in self.curves],
                "tags": self.tags,
                "data": {context: [data.name, data.digest] for context, data in self.data.items()},
                "model": self.model_type,
                "files": files,
                "texts": self.texts,
            }
        )


def entries(study: Study, layout: Layout) -> list[Entry]:
    """All entries of a study that is scored, parents first.

    Raises
    ------
    UserError
        If a run, a fusion or a table of scores is missing.
    """
    found = require_complete(study, layout)
    summary = _table(layout.summary, ("score", "level", "mean", *_ENDS))
    scores = _table(layout.scores, ("level", *SCORES))
    data = DataSet(study, layout)
    over = {partition: data.over(partition) for partition in ("test", "dev")}
    folds = read_dataset(layout)["folds"]
    parts = {fold: {p: data.part(fold, p) for p in PARTITIONS} for fold in folds}
    below: list[Entry] = []
    for name, kind in systems(study):
        rows = [row for row in scores if (row["name"], row["kind"]) == (name, kind)]
        runs = [
            _run(study, r, rows, parts[r.fold]) for r in found if (r.name, r.kind) == (name, kind)
        ]
        means = [row for row in summary if (row["name"], row["kind"]) == (name, kind)]
        below += [_system(study, name, kind, means, _by_fold(rows, folds), over, runs), *runs]
    seconds = sum(entry.seconds or 0 for entry in below if entry.parent == study.name)
    return [_study(study, layout, summary, data.whole(), seconds), *below]


def _table(path: Path, columns: tuple[str, ...]) -> list[Row]:
    """A table of scores, test before dev, unless an earlier version wrote it."""
    rows = read_table(path)
    if rows and not set(columns) <= rows[0].keys():
        lacking = ", ".join(column for column in columns if column not in rows[0])
        raise UserError(f"{path}: no column {lacking}; run score again")
    # MLflow's pages show first what was logged first.
    return sorted(rows, key=lambda row: row["partition"] != "test")


def _study(study: Study, layout: Layout, summary: list[Row], data: Data, seconds: float) -> Entry:
    content = study.model_dump(mode="json", exclude={"models", "fusions", "tracking"})
    means = [row for row in summary if (row["score"], row["level"]) == ("uar", "recording")]
    own = [row for row in means if row["kind"] != "chance"]
    best = max(float(row["mean"]) for row in own if row["partition"] == "test")
    metrics = [Metric("best_test_uar", best)]
    for row in means:
        if row in own:
            name = f"{row['partition']}_uar/{row['name']}"
        elif row["partition"] == "test":
            name = f"chance_test_uar/{row['name']}"
        else:
            continue
        metrics.append(Metric(name, float(row["mean"])))
    chosen = study_content(study)
    del chosen["tracking"]  # that shapes no result
    text = yaml.safe_dump(chosen, sort_keys=False, allow_unicode=True)
    return Entry(
        study.name,
        None,
        study.name,
        flatten(content),
        metrics,
        tags={"deepself.kind": "study", "mlflow.note.content": _ranking(means)},
        data={"study": data},
        files=_outcome(layout),
        texts={"study.yaml": text},
        seconds=seconds,
    )


def _ranking(means: list[Row]) -> str:
    """Test UARs as a table in Markdown, the best first: what MLflow shows as the description."""
    tested = [row for row in means if row["partition"] == "test"]
    tested.sort(key=lambda row: -float(row["mean"]))
    lines = ["| | | test UAR | 95 % interval |", "|---|---|---|---|"]
    for row in tested[:_RANKED]:
        ends = [f"{100 * float(row[end]):.1f}" for end in ("low", "high") if row[end]]
        values = f"{100 * float(row['mean']):.1f} % | {' – '.join(ends)}"
        lines.append(f"| {row['name']} | {row['kind']} | {values} |")
    return "\n".join(lines)


def _outcome(layout: Layout) -> dict[str, Path]:
    """Tables, report and figures that are there: tracking does not wait for the report."""
    paths = [*layout.score_tables, layout.report]
    files = {path.name: path for path in paths if path.is_file()}
    for folder in (layout.figures, layout.tables):
        below = sorted(path for path in folder.rglob("*") if path.is_file())
        files |= {path.relative_to(layout.outcome).as_posix(): path for path in below}
    return files


def _system(
    study: Study,
    name: str,
    kind: str,
    summary: list[Row],
    by_fold: list[Point],
    data: dict[str, Data],
    runs: list[Entry],
) -> Entry:
    section = study.models[name] if kind == "model" else study.fusions[name]
    metrics = []
    for row in summary:
        metric = _metric_name(row, row["score"])
        if row["mean"]:
            metrics.append(Metric(metric, float(row["mean"]), row["partition"]))
        # Columns of MLflow's table of models: of the score that decides, and not of all.
        shown = (row["score"], row["level"]) == ("uar", "recording")
        for end in _ENDS:
            if row[end]:
                name_, value = f"{metric}_{end}", float(row[end])
                metrics.append(Metric(name_, value, row["partition"], of_model=shown))
    shared = {k: v for k, v in runs[0].tags.items() if k.startswith("deepself.feature")}
    return Entry(
        f"{study.name}/{name}",
        study.name,
        name,
        flatten(section.model_dump(mode="json", exclude_none=True)),
        metrics,
        by_fold,
        {"deepself.kind": kind, **shared},
        data,
        runs[0].model_type,
        seconds=sum(run.seconds or 0 for run in runs),
    )


def _by_fold(scores: list[Row], folds: list[str]) -> list[Point]:
    """Test UAR of each fold, mean over seeds."""
    points = []
    for place, fold in enumerate(folds, start=1):
        key = (fold, "test", "recording")
        own = [row for row in scores if (row["fold"], row["partition"], row["level"]) == key]
        points.append(Point("test_uar_by_fold", fmean(float(row["uar"]) for row in own), place))
    return points


def _run(study: Study, result: Result, scores: list[Row], data: dict[str, Data]) -> Entry:
    record = result.record
    metrics = list(_scores(result, scores))
    curves: list[Point] = []
    tags = {"deepself.kind": "run" if result.kind == "model" else "fused"}
    parameters = {"fold": result.fold, "seed": str(result.seed)}
    parameters |= flatten(_without_none(record["specification"]))
    names = ["predictions.csv"]
    if result.kind == "model":
        names += ["run.json", "history.csv"]
        read = record["features"]
        digests = [Path(one["file"]).stem.split("-", 1)[-1] for one in read]
        tags |= {
            "deepself.feature": ", ".join(one["name"] for one in read),
            "deepself.feature_digest": ", ".join(digests),
            "deepself.device": str(record["device"]),
            "deepself.machine": str(record["machine"]),
        }
        weights = result.folder / "weights.safetensors"
        if weights.is_file():
            tags["deepself.weights"] = str(weights.resolve())
        metrics.append(Metric("parameters", float(record["parameters"])))
        metrics += [Metric(f"best_{k}", float(v)) for k, v in record["best"].items()]
        metrics += [Metric(f"seconds_{k}", float(v)) for k, v in record["seconds"].items()]
        rates = record.get("items_per_second", {})
        metrics += [Metric(f"items_per_second_{k}", float(v)) for k, v in rates.items()]
        metrics += [Metric(k, float(record[k])) for k in COSTS if k in record]
        curves = list(_history(result.history))
        model_type = study.models[result.name].method.type
    else:
        names.append("fusion.json")
        parameters |= _decided(record)
        data = {p: one for p, one in data.items() if p != "train"}  # fusing looks at dev alone
        model_type = "fusion"
    return Entry(
        f"{study.name}/{result.name}/{result.fold}/{result.seed}",
        f"{study.name}/{result.name}",
        f"{result.name} fold {result.fold} seed {result.seed}",
        parameters,
        metrics,
        curves,
        tags,
        data,
        model_type,
        {name: result.folder / name for name in names},
        seconds=record.get("seconds", {}).get("total"),
    )


def _scores(result: Result, scores: Iterable[Row]) -> Iterator[Metric]:
    for row in scores:
        if (row["fold"], row["seed"]) == (result.fold, str(result.seed)):
            for score in SCORES:
                if row[score]:
                    yield Metric(_metric_name(row, score), float(row[score]), row["partition"])


def _metric_name(row: Row, score: str) -> str:
    """`test_uar` of recordings, `test_window_uar` of windows."""
    level = "" if row["level"] == "recording" else f"{row['level']}_"
    return f"{row['partition']}_{level}{score}"


def _decided(record: Mapping[str, Any]) -> dict[str, str]:
    """What a fusion decided on dev: its members, and a weight or a temperature of each."""
    chosen = record["chosen"]
    if isinstance(chosen, Mapping):
        decided = flatten(chosen, "chosen")
    else:
        decided = {"chosen": ", ".join(map(str, chosen))}
    for key, each in (("weights", "weight"), ("temperatures", "temperature")):
        if isinstance(record.get(key), Mapping):
            decided |= flatten(record[key], each)
    return decided


def _history(rows: list[Row]) -> Iterator[Point]:
    """Curves: the step is the epoch, or the place of a complexity among those tried."""
    for place, row in enumerate(rows):
        step = int(row["epoch"]) if "epoch" in row else place
        for name, value in row.items():
            if name != "epoch" and value:
                yield Point(f"history/{name}", float(value), step)


def flatten(value: Any, prefix: str = "") -> dict[str, str]:
    """Nested sections as `a.b.c: text`; lists stay one value.

    >>> flatten({"network": {"type": "cnn2d", "channels": [16, 32]}})
    {'network.type': 'cnn2d', 'network.channels': '[16, 32]'}
    """
    if not isinstance(value, Mapping):
        return {prefix: str(value)}
    flat: dict[str, str] = {}
    for key, child in value.items():
        flat |= flatten(child, f"{prefix}.{key}" if prefix else str(key))
    return flat


def _without_none(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {k: _without_none(v) for k, v in value.items() if v is not None}
    return value
