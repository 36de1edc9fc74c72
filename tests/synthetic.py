"""A small study's results, made up: what the stages before scoring leave on disk.

Numbers are drawn, not trained, so a tree is there in a fraction of a second. Ids, labels and
texts may be hostile (markup, quotes, other scripts), as those of real data sets can be.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from deepself.store.feature_writer import Batch, FeatureWriter, Header
from deepself.store.files import write_json, write_table
from deepself.store.predictions import Predictions, write_predictions
from deepself.study import Layout, Study, load
from deepself.study.identity import feature_file, feature_specification

PLAIN = ("cat", "dog", "owl")
HOSTILE = ("<script>alert(1)</script>", 'a "b" & </td>', "größe 猫")
RATE = 8000
WINDOW = 0.5
WINDOWS = 3
"""Seconds and number of the windows of a recording, where a plan has windows."""


@dataclass(frozen=True)
class Plan:
    """What kind of study is made up; with windows, its log_mel has some.

    What `check` left out is given as pairs of a path and a reason.
    """

    classes: tuple[str, ...] = PLAIN
    items: int = 48
    folds: int = 3
    seeds: tuple[int, ...] = (0,)
    groups: bool = False
    models: int = 4
    epochs: int = 8
    hostile_ids: bool = False
    windows: bool = False
    skipped: tuple[tuple[str, str], ...] = ()
    fusions: bool = True
    skill: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Tree:
    """A made-up study: its file, its typed content and its folders."""

    path: Path
    study: Study
    layout: Layout


def build(folder: Path, plan: Plan = Plan(), seed: int = 0, name: str = "made_up") -> Tree:
    """Write a study and all that its stages up to training and fusing leave below `folder`.

    Call `deepself.fusion.job.fuse` and `deepself.evaluation.scores.score_study` for the rest,
    or `finish`.
    """
    path = folder / f"{name}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(_study(plan, folder, name), sort_keys=False, allow_unicode=True))
    study, layout = load(path), Layout(name, folder / "results")
    rng = np.random.default_rng(seed)
    ids, labels = _data(layout, plan, rng)
    for feature in study.features:
        _feature(study, layout, feature, ids, labels, plan, rng)
    for model in study.models:
        for fold in range(plan.folds):
            for run_seed in plan.seeds:
                _run(study, layout, model, str(fold + 1), run_seed, plan, ids, labels, rng)
    return Tree(path, study, layout)


def finish(tree: Tree) -> Tree:
    """Fuse and score a tree."""
    from deepself.evaluation.scores import score_study
    from deepself.fusion.job import fuse
    from deepself.study.identity import read_dataset

    for fusion in tree.study.fusions:
        for fold in read_dataset(tree.layout)["folds"]:
            for seed in tree.study.fusions[fusion].placed(tree.study.seeds):
                fuse(tree.study, tree.layout, fusion, fold, seed)
    score_study(tree.study, tree.layout)
    return tree


def _study(plan: Plan, folder: Path, name: str) -> dict[str, Any]:
    cnn = {"type": "cnn2d", "channels": [16, 32]}
    training = {"epochs": plan.epochs, "lr": 0.003}
    kinds: list[dict[str, Any]] = [
        {"feature": "picture", "network": cnn, "training": training},
        {"feature": "log_mel", "normalise": "bin", "network": cnn, "training": training},
        {"feature": "wave", "network": {"type": "cnn1d"}, "training": training},
        {"feature": "deep", "classifier": {"type": "linear_svm"}},
    ]
    names = ["picture_cnn", "log_mel_cnn", "wave_cnn", "deep_svm"]
    models = {}
    for i in range(plan.models):
        suffix = "" if i < len(kinds) else f"_{i // len(kinds) + 1}"
        models[names[i % len(kinds)] + suffix] = kinds[i % len(kinds)]
    return {
        "name": name,
        "dataset": {
            "root": "data/made_up",
            "group": "subject" if plan.groups else None,
            "modalities": {
                "picture": {"kind": "image", "height": 24, "width": 32},
                "audio": {"kind": "audio", "sample_rate": RATE},
            },
        },
        "splits": {"method": "grouped" if plan.groups else "stratified", "folds": plan.folds},
        "features": {
            "picture": {"kind": "picture", "modality": "picture"},
            "wave": {"kind": "waveform", "modality": "audio"},
            "log_mel": {
                "kind": "log_mel",
                "modality": "audio",
                "n_mels": 40,
                "window": {"seconds": WINDOW} if plan.windows else None,
            },
            "deep": {
                "kind": "embedding",
                "of": "picture",
                "network": "resnet18",
                "weights": "imagenet",
            },
        },
        "models": models,
        "fusions": {
            "all": {"members": ["*"]},
            "best_of_each": {"members": {"best": 1, "per": "modality"}},
        }
        if plan.models > 1 and plan.fusions
        else {},
        "seeds": list(plan.seeds),
        "tracking": {"uri": f"sqlite:///{folder}/tracking/mlflow.db"},
    }


def _data(layout: Layout, plan: Plan, rng: np.random.Generator) -> tuple[list[str], np.ndarray]:
    wild = "<img src=x onerror=alert(2)>" if plan.hostile_ids else "item"
    ids = [f"{wild}-{i:03d}" for i in range(plan.items)]
    labels = np.arange(plan.items) % len(plan.classes)
    # Two neighbouring rounds of the classes are one group, and a group has one fold.
    group = np.arange(plan.items) // (2 * len(plan.classes))
    part = group if plan.groups else np.arange(plan.items) // len(plan.classes)
    tested = part % plan.folds
    folds = [
        ["test" if t == f else "dev" if t == (f + 1) % plan.folds else "train" for t in tested]
        for f in range(plan.folds)
    ]
    write_table(
        layout.folds,
        ["id", "label", "group", *(f"fold-{f + 1}" for f in range(plan.folds))],
        [
            [name, plan.classes[c], f"s{g}" if plan.groups else "", *parts]
            for name, c, g, *parts in zip(ids, labels, group, *folds, strict=True)
        ],
    )
    seconds = rng.uniform(0.5, 4, plan.items).round(3)
    inventory: list[list[Any]] = []
    for name, duration in zip(ids, seconds.tolist(), strict=True):
        samples = int(duration * RATE)
        sha = f"{samples:064x}"
        inventory += [
            [name, "audio", f"{name}.wav", samples * 2, sha, duration, RATE, 1, samples, "", ""],
            [name, "picture", f"{name}.png", 900, sha, "", "", 1, "", 24, 32],
        ]
    columns = "id,modality,path,bytes,sha256,duration,sample_rate,channels,samples,height,width"
    write_table(layout.inventory, columns.split(","), inventory)
    write_table(
        layout.skipped,
        ["id", "modality", "row", "path", "reason"],
        [
            [f"bad-{i}", "audio", 100 + i, path, reason]
            for i, (path, reason) in enumerate(plan.skipped)
        ],
    )
    write_json(
        layout.dataset,
        {
            "classes": list(plan.classes),
            "folds": [str(f + 1) for f in range(plan.folds)],
            "items": plan.items,
            "modalities": {"picture": {"digest": "a" * 64}, "audio": {"digest": "b" * 64}},
        },
    )
    return ids, labels


def _feature(
    study: Study,
    layout: Layout,
    name: str,
    ids: list[str],
    labels: np.ndarray,
    plan: Plan,
    rng: np.random.Generator,
) -> None:
    spec = study.features[name]
    count = len(ids)
    time = np.arange(RATE) / RATE
    tone = 300.0 * (1 + labels)
    frequencies, rate = None, None
    if spec.kind == "picture":
        y, x = np.mgrid[:24, :32]
        items = 0.5 + 0.5 * np.sin((labels[:, None, None] + 1) * x / 8 + y / 5)[:, None]
    elif spec.kind == "waveform":
        rate = float(RATE)
        wave = np.sin(2 * np.pi * tone[:, None] * time) * np.exp(-2 * time)
        items = (wave + rng.normal(0, 0.02, wave.shape))[:, None]
    elif spec.kind == "log_mel":
        frequencies, rate = np.geomspace(60, 3800, 40), RATE / 128
        bump = np.exp(-(np.log(frequencies / tone[:, None]) ** 2) * 8)[:, :, None]
        items = (60 * bump * np.exp(-np.arange(63) / 20) - 60)[:, None]
        items = items + rng.normal(0, 3, items.shape)
    else:
        items = rng.normal(labels[:, None], 1, (count, 512))
    header = Header(
        ids,
        [f"{i:064x}" for i in range(count)],
        feature_specification(study, layout, name) | {"samples": None},
        {"deepself": "0.1.0", "numpy": np.__version__},
        frequencies=frequencies,
        frame_rate=rate,
    )
    windowed = getattr(spec, "window", None) is not None
    each = WINDOWS if windowed else 1
    batch = Batch(
        np.repeat(items, each, axis=0).astype(np.float32),
        [each] * count,
        np.tile(np.arange(each) * WINDOW, count) if windowed else None,
    )
    with FeatureWriter(feature_file(study, layout, name), header) as file:
        file.append(batch)


def _run(
    study: Study,
    layout: Layout,
    model: str,
    fold: str,
    seed: int,
    plan: Plan,
    ids: list[str],
    labels: np.ndarray,
    rng: np.random.Generator,
) -> None:
    from deepself.fusion.job import scores
    from deepself.store.files import read_table

    folder = layout.run(model, fold, seed)
    place = {name: i for i, name in enumerate(ids)}
    held = [(row[f"fold-{fold}"], place[row["id"]]) for row in read_table(layout.folds)]
    held = [(part, i) for part, i in held if part in ("dev", "test")]
    spec = study.models[model]
    windowed = getattr(study.features[spec.feature], "window", None) is not None
    each = WINDOWS if windowed else 1
    held = [one for one in held for _ in range(each)]
    rows = np.array([i for _, i in held])
    default = 1.0 + 0.4 * list(study.models).index(model)
    logits = rng.normal(0, 1, (len(rows), len(plan.classes)))
    logits[np.arange(len(rows)), labels[rows]] += plan.skill.get(model, default)
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    predictions = Predictions(
        np.array([part for part, _ in held], dtype=object),
        np.array([ids[i] for i in rows], dtype=object),
        np.array([plan.classes[c] for c in labels[rows]], dtype=object),
        plan.classes,
        probabilities,
        np.tile(np.arange(each) * WINDOW, len(rows) // each) if windowed else None,
    )
    write_predictions(folder / "predictions.csv", predictions)
    best = _history(study, folder, model, plan, rng)
    path = feature_file(study, layout, spec.feature)
    kind = study.features[spec.feature].kind
    record = {
        "study": study.name,
        "model": model,
        "fold": fold,
        "seed": seed,
        "features": [{"name": spec.feature, "kind": kind, "file": str(path), "shape": [1, 40, 63]}],
        "type": spec.method.type,
        "parameters": 12345 if spec.network else len(plan.classes) * 513,
        "best": best,
        "scores": scores(predictions.recordings()),
        "seconds": {"load": 0.4, "train": 2.5, "total": 3.0}
        | ({"predict": 0.1} if spec.network else {}),
        "device": "cpu",
        "threads": 1,
        "versions": {"python": "3.11.2", "torch": "2.13.0", "numpy": np.__version__},
        "machine": "made-up machine, 2 cores",
        "specification": spec.model_dump(mode="json"),
    }
    write_json(folder / "run.json", record)


def _history(
    study: Study, folder: Path, model: str, plan: Plan, rng: np.random.Generator
) -> dict[str, Any]:
    if study.models[model].network is None:
        grid = [1e-4, 1e-3, 1e-2, 1e-1, 1.0]
        dev = rng.uniform(0.5, 0.9, len(grid)).round(4).tolist()
        write_table(
            folder / "history.csv",
            ["complexity", "dev_uar", "seconds"],
            zip(grid, dev, [0.1] * len(grid), strict=True),
        )
        return {"complexity": grid[int(np.argmax(dev))]}
    epoch = np.arange(1, plan.epochs + 1)
    noise = rng.normal(0, 0.03, (4, plan.epochs))
    curve = 1 - np.exp(-epoch / 4)
    columns = {
        "train_loss": 1.1 * (1 - curve) + 0.05 + noise[0] ** 2,
        "train_uar": np.clip(0.3 + 0.7 * curve + noise[1], 0, 1),
        "dev_loss": 1.1 * (1 - 0.8 * curve) + 0.1 + noise[2],
        "dev_uar": np.clip(0.3 + 0.55 * curve + noise[3], 0, 1),
    }
    table = [c.round(5).tolist() for c in columns.values()]
    write_table(
        folder / "history.csv",
        ["epoch", *columns, "lr", "seconds"],
        zip(epoch.tolist(), *table, [0.003] * plan.epochs, [0.3] * plan.epochs, strict=True),
    )
    return {"epoch": int(epoch[np.argmax(columns["dev_uar"])])}
