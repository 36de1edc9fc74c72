"""A study small enough to run whole in seconds: tones and noise, as sound, sensor data, shades."""

import copy
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import yaml
from PIL import Image

from deepself.store.files import write_table

RATE = 2000
CLASSES = ("high", "low", "noise")

TOGETHER = {"models__svm__folds": "together", "models__dense__folds": "together"}
"""Changes by which two of the three models train all their folds in one job."""

APART = dict.fromkeys(TOGETHER, "apart")
"""A job a run, which is the default."""

STUDY: dict[str, Any] = {
    "name": "tiny",
    "dataset": {
        "root": "recordings",
        "modalities": {
            "audio": {"kind": "audio", "sample_rate": RATE},
            "sensor": {"kind": "sensor", "sample_rate": 200},
        },
    },
    "splits": {"method": "stratified", "folds": 3},
    "features": {
        "wave": {"kind": "waveform", "modality": "audio", "filter": {"low": 50, "high": 900}},
        "log_mel": {
            "kind": "log_mel",
            "modality": "audio",
            "n_fft": 128,
            "hop_length": 64,
            "n_mels": 16,
        },
        "trace": {"kind": "waveform", "modality": "sensor"},
    },
    "models": {
        "svm": {"feature": "log_mel", "classifier": {"type": "linear_svm", "complexity": [0.01]}},
        "cnn": {
            "feature": "log_mel",
            "network": {"type": "cnn2d", "channels": [4]},
            "training": {"epochs": 3, "batch_size": 8, "lr": 0.01},
        },
        "dense": {
            "feature": "trace",
            "network": {"type": "dense", "hidden": [8]},
            "training": {"epochs": 3, "batch_size": 8},
        },
    },
    "fusions": {
        "all": {"members": ["*"]},
        "best": {"members": {"best": 1, "per": "modality"}},
    },
}


def make_recordings(folder: Path, per_class: int = 6, seed: int = 0) -> Path:
    """Write sounds, sensor tables, pictures and a manifest; return the manifest."""
    random = np.random.default_rng(seed)
    (folder / "files").mkdir(parents=True, exist_ok=True)
    rows = []
    for label in CLASSES:
        for number in range(per_class):
            name = f"{label}-{number}"
            sound = 0.1 * random.standard_normal(RATE // 4)
            trace = random.standard_normal((40, 2))
            if label != "noise":
                hertz = 400 if label == "high" else 100
                sound += 0.4 * np.sin(2 * np.pi * hertz * np.arange(len(sound)) / RATE + number)
                trace += (2, -2) if label == "high" else (-2, 2)
            soundfile.write(folder / f"files/{name}.wav", sound.astype(np.float32), RATE)
            np.savetxt(folder / f"files/{name}.csv", trace, delimiter=",", fmt="%.5f")
            shade = {"high": 200, "low": 50, "noise": 125}[label]
            pixels = np.clip(shade + 20 * random.standard_normal((8, 6)), 0, 255)
            Image.fromarray(pixels.astype(np.uint8)).save(folder / f"files/{name}.png")
            fold = 1 + number % 3
            files = [f"files/{name}.{suffix}" for suffix in ("wav", "csv", "png")]
            rows.append([name, *files, label, fold, f"{label}{fold}"])
    columns = ["id", "audio", "sensor", "picture", "label", "fold", "group"]
    write_table(folder / "manifest.csv", columns, rows)
    return folder / "manifest.csv"


def make_study(folder: Path, **changes: Any) -> Path:
    """Write recordings and a study below `folder`; `changes` replace `a__b=value` in it."""
    make_recordings(folder / "recordings")
    return write_study(folder, **changes)


def write_study(folder: Path, **changes: Any) -> Path:
    """Write only the study; a change to None removes the key."""
    study = copy.deepcopy(STUDY)
    for path, value in changes.items():
        node = study
        *parents, last = path.split("__")
        for key in parents:
            node = node.setdefault(key, {})
        if value is None:
            del node[last]
        else:
            node[last] = value
    file = folder / "study.yaml"
    file.write_text(yaml.safe_dump(study, sort_keys=False))
    return file
