"""`train`: one model, one fold, one seed; a folder with all that came of it."""

import os
import platform
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from deepself.errors import UserError
from deepself.evaluation.metrics import accuracy, uar
from deepself.store.files import Claim, atomic_path, write_json, write_table
from deepself.store.predictions import Predictions, write_predictions
from deepself.study.models import Classifier
from deepself.training.data import Normaliser, Part, load_fold
from deepself.training.job import Job
from deepself.training.network import make_network, run_network
from deepself.training.outcome import Outcome
from deepself.training.seeding import seed_everything
from deepself.versions import versions

NETWORK_PACKAGES = ("torchvision", "timm", "braindecode")
"""What defines networks of others: another version may draw other first weights."""


def train(job: Job, threads: int, device: str) -> dict[str, Any]:
    """Train one run and write its folder.

    Parameters
    ----------
    job
        The run.
    threads
        CPU threads to use.
    device
        `auto`, `cpu` or `cuda`.

    Returns
    -------
    dict
        The content of `run.json`.
    """
    start = time.perf_counter()
    claim = Claim(job.folder)
    device = choose_device(device)
    torch.set_num_threads(threads)
    parts, normalisers = _load(job)
    first = {name: inputs[0] for name, inputs in parts.items()}
    shapes = {name: p.items.shape[1:] for name, p in zip(job.inputs, parts["train"], strict=True)}
    loaded = time.perf_counter()
    try:
        outcome = _fit(job, parts, shapes, normalisers, device)
    except UserError as error:
        read = ", ".join(f"{i.feature} {shapes[name]}" for name, i in job.inputs.items())
        raise UserError(f"{job.label} (feature {read}): {error}") from None
    record = {
        "study": job.study,
        "model": job.run.model,
        "fold": job.run.fold,
        "seed": job.run.seed,
        "features": [
            {"name": i.feature, "kind": i.kind, "file": str(i.file), "shape": list(shapes[name])}
            for name, i in job.inputs.items()
        ],
        "type": job.method.type,
        "parameters": outcome.parameters,
        "best": outcome.best,
        "scores": {name: _scores(first[name], outcome, name) for name in ("dev", "test")},
        "seconds": {
            "load": round(loaded - start, 3),
            **{name: round(seconds, 3) for name, seconds in outcome.seconds.items()},
            "total": round(time.perf_counter() - start, 3),
        },
        "device": torch.cuda.get_device_name() if device == "cuda" else "cpu",
        "threads": threads,
        "versions": versions("torch", "numpy", "scikit-learn", *NETWORK_PACKAGES),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs",
        "specification": job.specification,
    }
    claim.verify()
    _write(job.folder, first, job.classes, outcome, record)
    return record


def _load(job: Job) -> tuple[dict[str, list[Part]], dict[str, Normaliser]]:
    """The partitions of each input, normalised by what the training partition teaches."""
    parts: dict[str, list[Part]] = {"train": [], "dev": [], "test": []}
    normalisers = {}
    for name, source in job.inputs.items():
        own = load_fold(source.file, job.folds, job.run.fold, job.classes)
        normalisers[name] = Normaliser.fit(own["train"], source.normalise)
        for partition, part in own.items():
            normalisers[name].apply(part)
            parts[partition].append(part)
    return parts, normalisers


def choose_device(wanted: str) -> str:
    """`auto` is the GPU where there is one."""
    if wanted == "cuda" and not torch.cuda.is_available():
        raise UserError("--device cuda: this PyTorch sees no GPU; use --device cpu")
    return "cuda" if wanted == "cuda" or (wanted == "auto" and torch.cuda.is_available()) else "cpu"


def _fit(
    job: Job,
    parts: dict[str, list[Part]],
    shapes: dict[str, tuple[int, ...]],
    normalisers: dict[str, Normaliser],
    device: str,
) -> Outcome:
    if isinstance(job.method, Classifier):
        # scikit-learn costs seconds to import; networks do without it.
        from deepself.training.classifiers import run_classifier

        only = {name: inputs[0] for name, inputs in parts.items()}
        return run_classifier(job.method, only, len(job.classes), normalisers[""], job.run.seed)
    order = seed_everything(job.run.seed, job.run.fold)  # before the first weights are drawn
    weights = {name: source.weights for name, source in job.inputs.items()}
    network = make_network(job.method, shapes, len(job.classes), weights)
    outcome = run_network(network, job.training, parts, len(job.classes), order, device)
    for name, normaliser in normalisers.items():
        outcome.weights.update(normaliser.arrays(f"normaliser.{name}." if name else "normaliser."))
    return outcome


def _scores(part: Part, outcome: Outcome, name: str) -> dict[str, float]:
    probabilities = part.by_recording(outcome.probabilities[name])
    predicted = probabilities.argmax(axis=1)
    return {
        "uar": uar(part.labels, predicted, probabilities.shape[1]),
        "accuracy": accuracy(part.labels, predicted),
    }


def _write(
    folder: Path, parts: dict[str, Part], classes: list[str], outcome: Outcome, record: dict
) -> None:
    """Write the run's files, each whole; `run.json` comes last and says that all are there."""
    from safetensors.numpy import save

    with atomic_path(folder / "weights.safetensors") as temporary:
        contiguous = {k: np.asarray(v, order="C") for k, v in outcome.weights.items()}
        temporary.write_bytes(save(contiguous))
    write_table(folder / "history.csv", outcome.columns, outcome.history)
    write_predictions(folder / "predictions.csv", _predictions(parts, classes, outcome))
    write_json(folder / "run.json", record)


def _predictions(parts: dict[str, Part], classes: list[str], outcome: Outcome) -> Predictions:
    held = {name: parts[name] for name in ("dev", "test")}
    label = np.array(classes, dtype=object)
    windowed = all(part.starts is not None for part in held.values())
    return Predictions(
        partition=np.concatenate(
            [np.full(len(part.targets), name, dtype=object) for name, part in held.items()]
        ),
        ids=np.concatenate([np.array(p.ids, dtype=object)[p.recordings] for p in held.values()]),
        labels=np.concatenate([label[part.targets] for part in held.values()]),
        classes=tuple(classes),
        probabilities=np.concatenate([outcome.probabilities[name] for name in held]),
        starts=np.concatenate([p.starts for p in held.values()]) if windowed else None,
    )
