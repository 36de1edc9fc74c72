"""Bundles of networks that were never trained: all that a program has to compute, in seconds."""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.numpy import save_file
from torch import nn

from deepself.features.derive import Embedder
from deepself.features.shapes import item_shape
from deepself.inference.folder import write_specification
from deepself.networks import build
from deepself.networks.base import Network
from deepself.study import Layout, Study
from deepself.study.features import Embedding
from deepself.training.augment import Crops
from deepself.training.classifiers.run import FAMILIES, PREFIX
from deepself.training.network import make_network, named

CLASSES = ["a", "b", "c"]
SEED = 5


@dataclass
class Draft:
    """What a bundle is made of.

    Attributes
    ----------
    modalities, features, models
        As a study has them; each model gets a part of its own, in a fold that is called like it.
    known
        Of each modality: `channels`, and `samples` unless lengths differ.
    fusions
        By the name of their fold: candidates by name, which are models, and the fusion's record.
    """

    modalities: dict[str, dict[str, Any]]
    known: dict[str, dict[str, Any]]
    features: dict[str, dict[str, Any]]
    models: dict[str, dict[str, Any]]
    fusions: dict[str, tuple[Sequence[str], dict[str, Any]]] = field(default_factory=dict)


def write_bundle(folder: Path, draft: Draft) -> Path:
    """Write a bundle with random weights, those of each network by its name alone."""
    folder.mkdir(parents=True)
    features = _with_weights(folder, draft.features)
    study = Study.model_validate(
        {
            "name": "drawn",
            "dataset": {"root": "nowhere", "modalities": draft.modalities},
            "splits": {"method": "stratified", "folds": 3},
            "features": features,
            "models": draft.models,
        }
    )
    layout = Layout(study.name, folder)  # where there is no inventory
    shapes = {name: item_shape(study, layout, name) for name in study.features}
    runs = {name: _write_run(folder, study, shapes, name) for name in study.models}
    parts = [_part(name, [name]) for name in runs]
    parts += [_part(fold, names, record) for fold, (names, record) in draft.fusions.items()]
    write_specification(
        folder,
        {
            "study": study.name,
            "kind": "fusion",
            "name": folder.name,
            "classes": CLASSES,
            "modalities": {n: m.model_dump(mode="json") for n, m in _items(study)},
            "features": {n: f.model_dump(mode="json") for n, f in study.features.items()},
            "known": draft.known,
            "shapes": shapes,
            "embedders": {
                name: _embedder(folder, name, spec, shapes[spec.of])
                for name, spec in study.features.items()
                if isinstance(spec, Embedding)
            },
            "runs": runs,
            "parts": parts,
            "scores": [],
            "data": {},
            "made_by": {},
        },
    )
    return folder


def _items(study: Study) -> Any:
    return study.dataset.modalities.items()


def _part(fold: str, names: Sequence[str], record: dict[str, Any] | None = None) -> dict[str, Any]:
    return {
        "fold": fold,
        "seed": 0,
        "candidates": {name: name for name in names},
        "fusion": record,
        "temperature": 0.2,  # far from 1: it changes even answers that are nearly even
    }


def _write_run(folder: Path, study: Study, shapes: Any, name: str) -> dict[str, Any]:
    torch.manual_seed(zlib.crc32(name.encode()))
    model = study.models[name]
    method: Any = model.network or model.classifier
    branches = getattr(method, "branches", None)
    read = {"": model.feature} if branches is None else {n: b.feature for n, b in branches.items()}
    normalise = model.normalise or "channel"
    inputs = {
        branch: {
            "feature": feature,
            "kind": study.features[feature].kind,
            "normalise": normalise,
            "shape": shapes[feature],
        }
        for branch, feature in read.items()
    }
    arrays = {}
    for branch, one in inputs.items():
        arrays |= _statistics(branch, normalise, one["shape"])
    if model.classifier is not None:
        arrays |= _classifier(method, int(np.prod(shapes[model.feature])))
    else:
        crops = Crops.of(model.training, [one["kind"] for one in inputs.values()])
        cropped = {b: crops.shape(tuple(one["shape"]), one["kind"]) for b, one in inputs.items()}
        network = make_network(method, cropped, len(CLASSES), dict.fromkeys(inputs))
        arrays |= named(_stirred(network, list(cropped.values())).state_dict())
    (folder / "runs").mkdir(exist_ok=True)
    save_file(arrays, folder / f"runs/{name}.safetensors")
    return {
        "model": name,
        "fold": name,
        "seed": 0,
        "weights": f"runs/{name}.safetensors",
        "network": None if model.network is None else method.model_dump(mode="json"),
        "classifier": None if model.classifier is None else method.model_dump(mode="json"),
        "training": model.training.model_dump(mode="json"),
        "inputs": inputs,
    }


def _stirred(network: Network, shapes: Sequence[Sequence[int]]) -> Network:
    """A network whose statistics fit what it reads, and whose answers differ from item to item."""
    items = [torch.randn(8, *shape) for shape in shapes]
    given = items[0] if len(items) == 1 else items
    norms = [m for m in network.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    with torch.no_grad():
        for norm in norms:
            norm.momentum = 1.0
        network.train()(given)
        for module in network.classifier.modules():
            if isinstance(module, nn.Linear):
                module.weight *= 4
    return network.eval()


def _statistics(branch: str, normalise: str, shape: Sequence[int]) -> dict[str, np.ndarray]:
    if normalise in ("none", "item"):
        return {}
    kept = 1 if normalise == "channel" else 2
    size = [length if axis < kept else 1 for axis, length in enumerate(shape)]
    random = np.random.default_rng(SEED)
    prefix = f"normaliser.{branch}." if branch else "normaliser."
    return {
        f"{prefix}mean": random.normal(0, 0.1, size).astype(np.float32),
        f"{prefix}deviation": random.uniform(0.5, 2, size).astype(np.float32),
    }


def _classifier(spec: Any, features: int) -> dict[str, np.ndarray]:
    """A fit to noise around a centre a class."""
    random = np.random.default_rng(SEED)
    targets = np.arange(30) % len(CLASSES)
    vectors = (
        random.normal(0, 1, (30, features)) + 0.5 * random.normal(0, 1, (3, features))[targets]
    )
    family = FAMILIES[spec.type]
    _, arrays = next(family.fit(spec, vectors.astype(np.float32), targets, len(CLASSES), SEED))
    if family.scores:
        arrays["temperature"] = np.array([1.7])
    return {f"{PREFIX}{name}": np.ascontiguousarray(value) for name, value in arrays.items()}


def _with_weights(folder: Path, features: Mapping[str, dict[str, Any]]) -> dict[str, dict]:
    """Embeddings with a file of weights each."""
    made = {}
    for name, spec in features.items():
        made[name] = dict(spec)
        if spec["kind"] == "embedding":
            (folder / "features").mkdir(exist_ok=True)
            made[name]["weights"] = str(folder / f"features/{name}.safetensors")
            Path(made[name]["weights"]).touch()
    return made


def _embedder(folder: Path, name: str, spec: Embedding, shape: Any) -> dict[str, Any]:
    torch.manual_seed(zlib.crc32(name.encode()))
    embedder = Embedder.of(spec)
    network = _stirred(build(embedder.network, shape, 2, **embedder.settings), [shape])
    state = {key: value.numpy() for key, value in network.state_dict().items()}
    save_file(state, folder / f"features/{name}.safetensors")
    return {
        "network": embedder.network,
        "settings": embedder.settings,
        "weights": f"features/{name}.safetensors",
    }
