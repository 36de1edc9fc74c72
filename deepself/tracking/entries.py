"""What is logged of a study: one entry the study, each model and fusion, and each fold and seed."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from deepself.evaluation.provenance import study_content
from deepself.evaluation.results import Result, require_complete, systems
from deepself.store.files import read_table
from deepself.study import Layout, Study
from deepself.study.identity import digest as digest_of

Metric = tuple[str, float, int]  # name, value, step


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
    parameters, metrics, tags
        What is logged.
    files, texts
        Artefacts: files by path, and texts by name.
    seconds
        How long it took, or None; of a parent, the sum of its runs.
    """

    key: str
    parent: str | None
    name: str
    parameters: dict[str, str] = field(default_factory=dict)
    metrics: list[Metric] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)
    files: list[Path] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)
    seconds: float | None = None

    @property
    def digest(self) -> str:
        """Digest of all that is logged: equal content needs no new run."""
        return digest_of(
            {
                "key": self.key,
                "name": self.name,
                "parameters": self.parameters,
                "metrics": [[name, repr(value), step] for name, value, step in self.metrics],
                "tags": self.tags,
                "files": {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in self.files},
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
    summary = read_table(layout.summary)
    below: list[Entry] = []
    for name, kind in systems(study):
        runs = [_run(study, result) for result in found if result.name == name]
        below += [_system(study, name, kind, summary, runs), *runs]
    seconds = sum(entry.seconds or 0 for entry in below if entry.parent == study.name)
    return [_study(study, layout, summary, seconds), *below]


def _study(study: Study, layout: Layout, summary: list[dict[str, str]], seconds: float) -> Entry:
    content = study.model_dump(mode="json", exclude={"models", "fusions", "tracking"})
    metrics = [
        (f"{row['partition']}_uar/{row['name']}", float(row["uar_mean"]), 0) for row in summary
    ]
    best = max(float(row["uar_mean"]) for row in summary if row["partition"] == "test")
    files = [layout.scores, layout.summary, layout.report]
    chosen = study_content(study)
    del chosen["tracking"]  # that shapes no result
    text = yaml.safe_dump(chosen, sort_keys=False, allow_unicode=True)
    return Entry(
        study.name,
        None,
        study.name,
        flatten(content),
        [("best_test_uar", best, 0), *metrics],
        {"deepself.kind": "study"},
        [path for path in files if path.is_file()],  # tracking does not wait for the report
        {"study.yaml": text},
        seconds,
    )


def _system(
    study: Study, name: str, kind: str, summary: list[dict[str, str]], runs: list[Entry]
) -> Entry:
    section = study.models[name] if kind == "model" else study.fusions[name]
    metrics = []
    for row in summary:
        if row["name"] == name:
            for column, metric in (
                ("uar_mean", "uar"),
                ("uar_sd", "uar_sd"),
                ("uar_low", "uar_low"),
                ("uar_high", "uar_high"),
                ("accuracy_mean", "accuracy"),
                ("window_uar_mean", "window_uar"),
            ):
                if row[column]:
                    metrics.append((f"{row['partition']}_{metric}", float(row[column]), 0))
    shared = {k: v for k, v in runs[0].tags.items() if k.startswith("deepself.feature")}
    return Entry(
        f"{study.name}/{name}",
        study.name,
        name,
        flatten(section.model_dump(mode="json", exclude_none=True)),
        metrics,
        {"deepself.kind": kind, **shared},
        seconds=sum(run.seconds or 0 for run in runs),
    )


def _run(study: Study, result: Result) -> Entry:
    record = result.record
    metrics: list[Metric] = [
        (f"{partition}_{score}", float(value), 0)
        for partition, scores in record["scores"].items()
        for score, value in scores.items()
    ]
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
        metrics.append(("parameters", float(record["parameters"]), 0))
        metrics += [(f"best_{k}", float(v), 0) for k, v in record["best"].items()]
        metrics += [(f"seconds_{k}", float(v), 0) for k, v in record["seconds"].items()]
        metrics += _history(result.history)
    else:
        names.append("fusion.json")
        parameters["chosen"] = ", ".join(record["chosen"])
    return Entry(
        f"{study.name}/{result.name}/{result.fold}/{result.seed}",
        f"{study.name}/{result.name}",
        f"{result.name} fold {result.fold} seed {result.seed}",
        parameters,
        metrics,
        tags,
        [result.folder / name for name in names],
        seconds=record.get("seconds", {}).get("total"),
    )


def _history(rows: list[dict[str, str]]) -> Iterator[Metric]:
    """Curves: the step is the epoch, or the place of a complexity among those tried."""
    for place, row in enumerate(rows):
        step = int(row["epoch"]) if "epoch" in row else place
        for name, value in row.items():
            if name != "epoch" and value:
                yield f"history/{name}", float(value), step


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
