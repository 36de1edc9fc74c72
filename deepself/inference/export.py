"""`export`: a model or fusion of a study as a bundle, which needs nothing else of it."""

import math
import shutil
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deepself.errors import UserError
from deepself.evaluation.results import Kind, Result, results, systems
from deepself.features.derive import Embedder
from deepself.features.prepare import target_samples
from deepself.features.shapes import item_shape
from deepself.fusion.candidates import candidates
from deepself.fusion.combine import Dev
from deepself.fusion.temperature import learn_temperatures
from deepself.inference.card import write_card
from deepself.inference.folder import write_specification, written_whole
from deepself.inference.learnt import FILE as LEARNT
from deepself.inference.learnt import write_learnt
from deepself.store.files import atomic_path, read_table
from deepself.store.predictions import read_predictions
from deepself.store.published import published, weights_file
from deepself.store.weights import read_weights
from deepself.study import Layout, Study
from deepself.study.dataset import (
    AnyModality,
    Duration,
    ImageModality,
    VideoModality,
    VisualModality,
)
from deepself.study.explain import nearest
from deepself.study.features import Embedding, sources_of
from deepself.study.identity import read_dataset
from deepself.study.limits import needs_one_length
from deepself.study.models import Classifier
from deepself.training.job import Job, Run, job_of
from deepself.training.record import SNAPSHOTS, WEIGHTS, is_of
from deepself.versions import versions

PACKAGES = ("torch", "torchvision", "timm", "numpy", "scipy", "librosa", "soxr", "soundfile")
"""What makes features and probabilities of a recording."""


@dataclass(frozen=True)
class System:
    """A model or fusion of a study, and why it was chosen."""

    name: str
    kind: Kind
    reason: str = ""


def best_system(study: Study, layout: Layout) -> System:
    """The model or fusion with the highest mean UAR on dev; of equals, the first of the study."""
    rows = [
        row
        for row in read_table(layout.summary)
        if (row["partition"], row["level"], row["score"]) == ("dev", "recording", "uar")
    ]
    means = {(row["name"], row["kind"]): float(row["mean"]) for row in rows}
    known = [system for system in systems(study) if system in means]
    if not known:
        raise UserError(f"{layout.summary}: has no scores on dev; run score again")
    name, kind = max(known, key=means.__getitem__)
    return System(name, kind, f"the best on dev, with a mean UAR of {means[name, kind]:.1%}")


def named_system(study: Study, kind: Kind, name: str) -> System:
    """A model or fusion by its name."""
    of = study.models if kind == "model" else study.fusions
    if name not in of:
        if name in study.models or name in study.fusions:
            other = "fusion" if kind == "model" else "model"
            raise UserError(f"--{kind}: {name} is a {other}: --{other} {name}")
        raise UserError(f"--{kind}: unknown {kind} {name!r}{nearest(name, list(of))}")
    return System(name, kind)


def export(
    study: Study,
    layout: Layout,
    system: System,
    folder: Path,
    folds: Sequence[str] | None = None,
    seeds: Sequence[int] | None = None,
) -> Path:
    """Write a bundle.

    Parameters
    ----------
    study, layout
        The study, and where its results lie.
    system
        What is exported.
    folder
        The bundle to be; an earlier one is replaced.
    folds, seeds
        Those whose runs it shall hold; default: all, which then answer together.

    Raises
    ------
    UserError
        A run is missing or of other settings, or scores are.
    """
    found = _results(study, layout, system, folds, seeds)
    runs: dict[str, dict[str, Any]] = {}
    jobs: dict[str, Job] = {}
    files: dict[str, Path] = {}
    parts = []
    for result in found:
        members = _members(study, layout, result)
        for run, snapshot in members.values():
            name = _run_name(run, snapshot)
            if name not in runs:
                jobs[name] = _job(study, layout, run)
                runs[name] = _run(study, layout, jobs[name], snapshot, name)
                source = jobs[name].folder
                if snapshot is not None:
                    source = source / SNAPSHOTS / str(snapshot)
                files[runs[name]["weights"]] = source / WEIGHTS
        parts.append(_part(result, members))
    features = _needed(study, [i.feature for job in jobs.values() for i in job.inputs.values()])
    names = {m for f in features for m in study.modalities_of(f)}
    modalities = {n: m for n, m in study.dataset.modalities.items() if n in names}
    known = {name: _known(study, layout, name) for name in modalities}
    embedders = {
        name: spec for name in features if isinstance(spec := study.features[name], Embedding)
    }
    content = {
        "study": study.name,
        "kind": system.kind,
        "name": system.name,
        "classes": read_dataset(layout)["classes"],
        "modalities": {
            name: _fixed(study, name, modality, known[name])
            for name, modality in modalities.items()
        },
        "features": {name: _feature(study, name) for name in features},
        "known": known,
        "shapes": {name: _shape(study, layout, name) for name in features},
        "embedders": {name: _embedder(name, spec) for name, spec in embedders.items()},
        "runs": runs,
        "parts": parts,
        "scores": list(_scores(layout, system)),
        "data": _data(study, layout),
        "made_by": versions(*PACKAGES),
    }
    with written_whole(folder) as temporary:
        for name, source in files.items():
            _copy(source, temporary / name)
        for name, spec in embedders.items():
            path = weights_file(layout.results, spec.network, spec.weights)
            _write_weights(temporary / content["embedders"][name]["weights"], path)
        write_learnt(temporary / LEARNT, layout, {run["fold"]: None for run in runs.values()})
        write_card(temporary, content)
        write_specification(temporary, content)
    return folder


def _results(
    study: Study,
    layout: Layout,
    system: System,
    folds: Sequence[str] | None,
    seeds: Sequence[int] | None,
) -> list[Result]:
    """The system's results on the folds and with the seeds that are asked for."""
    own = [r for r in results(study, layout) if (r.name, r.kind) == (system.name, system.kind)]
    for asked, there, option in (
        (folds, [r.fold for r in own], "fold"),
        (seeds, [r.seed for r in own], "seed"),
    ):
        for value in asked or ():
            if value not in there:
                known = ", ".join(dict.fromkeys(map(str, there)))
                raise UserError(
                    f"--{option}: {system.name} has no {option} {value}; it has {known}"
                )
    chosen = [
        r for r in own if (folds is None or r.fold in folds) and (seeds is None or r.seed in seeds)
    ]
    missing = [r for r in chosen if not r.predictions.is_file()]
    if missing:
        verb = "train" if system.kind == "model" else "fuse"
        raise UserError("\n".join(f"{r}: no {r.predictions}; run {verb}" for r in missing))
    return chosen


def _members(study: Study, layout: Layout, result: Result) -> dict[str, tuple[Run, int | None]]:
    """The runs that a result is made of, by their names as candidates, with their snapshots."""
    if result.kind == "model":
        return {result.name: (Run(result.name, result.fold, result.seed), None)}
    used = result.record["chosen"]
    found = candidates(study, layout, result.name, result.fold, result.seed)
    members = {c.name: (Run(c.model, c.fold, c.seed), c.snapshot) for c in found}
    lacking = [name for name in used if name not in members]
    if lacking:
        raise UserError(f"{result}: its member {lacking[0]} is not the study's; run fuse again")
    return {name: members[name] for name in used}


def _part(result: Result, members: dict[str, tuple[Run, int | None]]) -> dict[str, Any]:
    dev = read_predictions(result.predictions).recordings().part("dev")
    learnt = learn_temperatures(Dev(dev.probabilities[None], dev.true))
    fusion = None
    if result.kind == "fusion":
        kept = ("method", "chosen", "weights", "temperatures", "stacking")
        fusion = {key: value for key, value in result.record.items() if key in kept}
    return {
        "fold": result.fold,
        "seed": result.seed,
        "candidates": {name: _run_name(*member) for name, member in members.items()},
        "fusion": fusion,
        "temperature": float(learnt[0]),
    }


def _run_name(run: Run, snapshot: int | None) -> str:
    name = f"{run.model}-fold-{run.fold}-seed-{run.seed}"
    return name if snapshot is None else f"{name}-snapshot-{snapshot}"


def _job(study: Study, layout: Layout, run: Run) -> Job:
    job = job_of(study, layout, run)
    record = Result(run.model, "model", run.fold, run.seed, job.folder).record
    if not is_of(record, job):
        raise UserError(f"{job.folder}: is of the study as it was before; run train again")
    return job


def _run(study: Study, layout: Layout, job: Job, snapshot: int | None, name: str) -> dict[str, Any]:
    method = job.method.model_dump(mode="json")
    is_classifier = isinstance(job.method, Classifier)
    if not is_classifier:
        method = _without_paths(method)
    return {
        "model": job.run.model,
        "fold": job.run.fold,
        "seed": job.run.seed,
        "snapshot": snapshot,
        "weights": f"runs/{name}.safetensors",
        "network": None if is_classifier else method,
        "classifier": method if is_classifier else None,
        "training": job.training.model_dump(mode="json"),
        "inputs": {
            branch: {
                "feature": one.feature,
                "kind": one.kind,
                "normalise": one.normalise,
                "shape": _shape(study, layout, one.feature),
            }
            for branch, one in job.inputs.items()
        },
    }


def _without_paths(network: dict[str, Any]) -> dict[str, Any]:
    """A network's settings without what its first weights came from, but for published names."""
    network = {**network}
    if "weights" in network:
        network["weights"] = _published_name(network["type"], network["weights"])
    if "branches" in network:
        network["branches"] = {
            name: {**branch, "initialise": None, "network": _without_paths(branch["network"])}
            for name, branch in network["branches"].items()
        }
    return network


def _published_name(network: str, weights: str | None) -> str | None:
    return weights if weights is not None and published(network, weights) else None


def _needed(study: Study, names: Iterable[str]) -> list[str]:
    """Features, and those that they are made from, in the study's order."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += sources_of(study.features[name])
    return [name for name in study.features if name in found]


def _feature(study: Study, name: str) -> dict[str, Any]:
    dumped = study.features[name].model_dump(mode="json")
    spec = study.features[name]
    if isinstance(spec, Embedding) and not published(spec.network, spec.weights):
        dumped["weights"] = Path(
            spec.weights
        ).name  # of another machine's paths, the name is enough
    return dumped


def _shape(study: Study, layout: Layout, name: str) -> list[int]:
    shape = item_shape(study, layout, name)
    if shape is None:
        raise UserError(f"{layout.inventory}: not found; run check again")
    return list(shape)


def _embedder(name: str, spec: Embedding) -> dict[str, Any]:
    embedder = Embedder.of(spec)
    return {
        "network": embedder.network,
        "settings": embedder.settings,
        "weights": f"features/{name}.safetensors",
    }


def _known(study: Study, layout: Layout, name: str) -> dict[str, Any]:
    """What a modality's recordings were like."""
    modality = study.dataset.modalities[name]
    rows = [row for row in read_table(layout.inventory) if row["modality"] == name]
    if not rows:
        raise UserError(f"{layout.inventory}: has no recordings of {name}; run check again")
    if isinstance(modality, ImageModality):
        return {"channels": 3 if modality.channels == "rgb" else 1}
    rates = [float(row["sample_rate"]) for row in rows]
    seconds = [float(row["samples"]) / rate for row, rate in zip(rows, rates, strict=True)]
    samples = target_samples(modality, rows)
    if samples is None and needs_one_length(study, name):
        rate = modality.frame_rate if isinstance(modality, VideoModality) else modality.sample_rate
        samples = int(float(rows[0]["samples"]) * rate / rates[0] + 0.5)
    channels = int(rows[0]["channels"])
    if isinstance(modality, VisualModality):
        channels = 3 if modality.channels == "rgb" else 1
    elif modality.channels in ("mix", "average"):
        channels = 1
    return {
        "channels": channels,
        "samples": samples,
        "rates": [min(rates), max(rates)],
        "seconds": [min(seconds), max(seconds)],
    }


def _fixed(study: Study, name: str, modality: AnyModality, known: dict[str, Any]) -> dict[str, Any]:
    """A modality that says of its recordings' length what they had in common."""
    if isinstance(modality, ImageModality):
        return modality.model_dump(mode="json")
    if modality.duration is None and known["samples"] is not None:
        rate = modality.frame_rate if isinstance(modality, VideoModality) else modality.sample_rate
        fixed = Duration(seconds=known["samples"] / rate)
        modality = modality.model_copy(update={"duration": fixed})
    return modality.model_dump(mode="json")


def _scores(layout: Layout, system: System) -> Iterable[dict[str, Any]]:
    for path in (layout.summary, layout.class_summary):
        for row in read_table(path):
            if (row["name"], row["kind"]) == (system.name, system.kind):
                yield {
                    **{key: row[key] for key in ("partition", "level", "score")},
                    "label": row.get("label"),
                    "runs": int(row["runs"]),
                    **{key: _number(row[key]) for key in ("mean", "sd", "low", "high")},
                }


def _number(text: str) -> float | None:
    value = float(text) if text else math.nan
    return value if math.isfinite(value) else None


def _data(study: Study, layout: Layout) -> dict[str, Any]:
    """Of what the study has learnt, for the card."""
    rows = read_table(layout.folds)
    return {
        "items": dict(Counter(row["label"] for row in rows)),
        "merge": study.dataset.merge,
        "groups": len({row["group"] for row in rows} - {""}),
        "folds": read_dataset(layout)["folds"],
        "seeds": study.seeds,
        "splits": study.splits.model_dump(mode="json"),
    }


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        shutil.copyfile(source, target)
    except FileNotFoundError:
        raise UserError(f"{source}: not found; run train again") from None


def _write_weights(target: Path, source: Path) -> None:
    """Others' weights, in whatever form they are, as safetensors."""
    from safetensors.torch import save

    state = {key: value.contiguous().clone() for key, value in read_weights(source).items()}
    with atomic_path(target) as temporary:
        temporary.write_bytes(save(state))
