"""A small study whose classes are told apart by what is known: where, when, at which frequency."""

from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import yaml
from PIL import Image

RATE, HERTZ, START, END = 4000, 1000, 0.5, 0.7
"""The tone of class `there`, in Hz and seconds of one second."""

SQUARE = slice(8, 13), slice(2, 7)
"""Rows and columns of the bright square of class `there`, in pictures of 16 × 16."""

CHANNEL = 1
"""Of two channels of the sensor, the one that swings in class `there`."""

MEL = {"kind": "log_mel", "modality": "audio", "n_fft": 256, "hop_length": 80, "n_mels": 24}
CNN = {"type": "cnn2d", "channels": [8], "readout": "flatten"}
TRAINING = {"epochs": 12, "batch_size": 8, "lr": 0.01}

FEATURES: dict[str, Any] = {
    "log_mel": MEL,
    "parts": {**MEL, "window": {"seconds": 0.25}},
    "trace": {"kind": "waveform", "modality": "sensor"},
    "picture": {"kind": "picture", "modality": "picture"},
}


def _network(feature: str, network: dict[str, Any], **training: Any) -> dict[str, Any]:
    return {"feature": feature, "network": network, "training": {**TRAINING, **training}}


MODELS: dict[str, Any] = {
    "mel_cnn": _network("log_mel", CNN),
    "mel_svm": {"feature": "log_mel", "classifier": {"type": "linear_svm", "complexity": [0.001]}},
    "windows": _network("parts", CNN),
    "trace_cnn": _network("trace", {"type": "cnn1d", "channels": [8], "kernel_size": 5}),
    "picture_cnn": _network("picture", CNN),
}
SOME = ["mel_cnn", "mel_svm", "trace_cnn"]
FUSIONS: dict[str, Any] = {
    "mean": {"members": SOME},
    "weighted": {"members": SOME, "method": "weighted_mean", "temperatures": True},
    "geometric": {"members": SOME, "method": "geometric_mean"},
    "stacked": {"members": SOME, "method": "stacking"},
}


def write_evident(folder: Path, models: list[str] | None = None, per_class: int = 30) -> None:
    """Recordings and a study of them, with some of the models; fusions where all are there."""
    random = np.random.default_rng(0)
    files = folder / "recordings"
    files.mkdir(parents=True)
    rows = ["id,audio,sensor,picture,label"]
    for number in range(2 * per_class):
        there = number % 2 == 0
        soundfile.write(files / f"{number}.wav", _sound(random, there), RATE)
        np.savetxt(files / f"{number}.csv", _trace(random, there), delimiter=",", fmt="%.4f")
        Image.fromarray(_picture(random, there)).save(files / f"{number}.png")
        names = ",".join(f"{number}.{suffix}" for suffix in ("wav", "csv", "png"))
        rows.append(f"{number},{names},{'there' if there else 'not'}")
    (files / "manifest.csv").write_text("\n".join(rows) + "\n")
    study = {
        "name": "evident",
        "dataset": {
            "root": "recordings",
            "modalities": {
                "audio": {"kind": "audio", "sample_rate": RATE},
                "sensor": {"kind": "sensor", "sample_rate": 100},
                "picture": {"kind": "image", "height": 16, "width": 16},
            },
        },
        "splits": {"method": "stratified", "folds": 3},
        "features": FEATURES,
        "models": {name: MODELS[name] for name in models or MODELS},
        "fusions": FUSIONS if models is None else {},
    }
    (folder / "study.yaml").write_text(yaml.safe_dump(study, sort_keys=False))


def _sound(random: np.random.Generator, there: bool) -> np.ndarray:
    """Noise; a tone of another frequency at any time; and the tone."""
    sound = 0.02 * random.standard_normal(RATE) + _tone(400, random.uniform(0, 0.8))
    if there:
        sound += _tone(HERTZ, START)
    return sound.astype(np.float32)


def _tone(hertz: float, start: float) -> np.ndarray:
    """A tone that rises and falls smoothly, so that it has no other frequencies."""
    time = np.arange(RATE) / RATE
    within = (time - start) / (END - START)
    return np.where(
        (within > 0) & (within < 1),
        0.4 * np.sin(2 * np.pi * hertz * time) * np.sin(np.pi * within) ** 2,
        0,
    )


def _trace(random: np.random.Generator, there: bool) -> np.ndarray:
    """Two channels of noise; one swings in a class, the other one in any."""
    trace = 0.1 * random.standard_normal((100, 2))
    swing = np.sin(2 * np.pi * 10 * np.arange(100) / 100)
    trace[:, 1 - CHANNEL] += random.integers(2) * swing
    trace[:, CHANNEL] += there * swing
    return trace


def _picture(random: np.random.Generator, there: bool) -> np.ndarray:
    """Grey noise, a bright square elsewhere at any place, and the square."""
    picture = random.uniform(40, 80, (16, 16))
    column = random.integers(12)
    picture[1:5, column : column + 4] = 230
    if there:
        picture[SQUARE] = 230
    return picture.astype(np.uint8)
