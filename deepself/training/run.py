"""`train`: one model, one fold, one seed; a folder with all that came of it."""

import os
import platform
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from deepself.errors import UserError
from deepself.evaluation.metrics import accuracy, uar
from deepself.store.files import Claim, atomic_path, write_json, write_table
from deepself.store.predictions import Predictions, write_predictions
from deepself.study.identity import feature_file, model_slice, read_dataset
from deepself.study.layout import Layout
from deepself.study.models import ResNet18
from deepself.study.schema import Study
from deepself.training.data import Normaliser, Part, load_fold
from deepself.training.network import make_network, run_network
from deepself.training.outcome import Outcome
from deepself.training.seeding import seed_everything
from deepself.versions import versions


@dataclass(frozen=True)
class Run:
    """Which run: a model of the study, a fold, a seed."""

    model: str
    fold: str
    seed: int


def train(study: Study, layout: Layout, run: Run, threads: int, device: str) -> dict[str, Any]:
    """Train one run and write its folder.

    Parameters
    ----------
    study, layout
        The study, and where its results lie.
    run
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
    claim = Claim(layout.run(run.model, run.fold, run.seed))
    device = choose_device(device)
    torch.set_num_threads(threads)
    model, classes = study.models[run.model], read_dataset(layout)["classes"]
    feature = feature_file(study, layout, model.feature)
    parts = load_fold(feature, layout.folds, run.fold, classes)
    normaliser = Normaliser.fit(parts["train"], study.normalisation(run.model))
    for part in parts.values():
        normaliser.apply(part)
    shape = parts["train"].items.shape[1:]
    loaded = time.perf_counter()
    try:
        outcome = _fit(study, layout, run, parts, len(classes), normaliser, device)
    except UserError as error:
        raise UserError(f"models.{run.model} (feature {model.feature} {shape}): {error}") from None
    record = {
        "study": study.name,
        "model": run.model,
        "fold": run.fold,
        "seed": run.seed,
        "feature": {
            "name": model.feature,
            "kind": study.features[model.feature].kind,
            "file": str(feature),
            "shape": list(shape),
        },
        "type": model.method.type,
        "parameters": outcome.parameters,
        "best": outcome.best,
        "scores": {name: _scores(parts[name], outcome, name) for name in ("dev", "test")},
        "seconds": {
            "load": round(loaded - start, 3),
            **{name: round(seconds, 3) for name, seconds in outcome.seconds.items()},
            "total": round(time.perf_counter() - start, 3),
        },
        "device": torch.cuda.get_device_name() if device == "cuda" else "cpu",
        "threads": threads,
        "versions": versions("torch", "numpy", "scikit-learn"),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs",
        "specification": model_slice(study, run.model),
    }
    claim.verify()
    _write(layout.run(run.model, run.fold, run.seed), parts, classes, outcome, record)
    return record


def choose_device(wanted: str) -> str:
    """`auto` is the GPU where there is one."""
    if wanted == "cuda" and not torch.cuda.is_available():
        raise UserError("--device cuda: this PyTorch sees no GPU; use --device cpu")
    return "cuda" if wanted == "cuda" or (wanted == "auto" and torch.cuda.is_available()) else "cpu"


def _fit(
    study: Study,
    layout: Layout,
    run: Run,
    parts: dict[str, Part],
    classes: int,
    normaliser: Normaliser,
    device: str,
) -> Outcome:
    model = study.models[run.model]
    if model.classifier is not None:
        # scikit-learn costs seconds to import; networks do without it.
        from deepself.training.classifier import run_classifier

        return run_classifier(model.classifier, parts, classes, normaliser, run.seed)
    assert model.network is not None
    order = seed_everything(run.seed, run.fold)  # before the network's first weights are drawn
    spec = model.network
    if isinstance(spec, ResNet18):
        chosen = study.imagenet_normalisation(run.model)
        spec = spec.model_copy(update={"imagenet_normalisation": chosen})
    network = make_network(spec, parts["train"].items.shape[1:], classes, layout.results)
    return run_network(network, model.training, parts, classes, normaliser, order, device)


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
        contiguous = {k: np.ascontiguousarray(v) for k, v in outcome.weights.items()}
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
