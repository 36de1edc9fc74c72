"""The studies that the benchmarks of training use: written, checked, split, extracted."""

from pathlib import Path
from typing import Any

import yaml
from commands import DEEPSELF, ran

REPOSITORY = Path(__file__).resolve().parent.parent


def given_study(name: str, feature: str, model: str, data: Path) -> dict[str, Any]:
    """One feature and one model of a study in `config/`, over a folder of data sets."""
    study = yaml.safe_load((REPOSITORY / "config" / f"{name}.yaml").read_text(encoding="utf-8"))
    study["dataset"]["root"] = str(data / study["dataset"]["root"])
    study["features"] = {feature: study["features"][feature]}
    study["models"] = {model: study["models"][model]}
    study.pop("fusions", None)
    return study


def prepared(study: dict[str, Any], folder: Path) -> Path:
    """Write a study into a folder of its own, and make its features, once; return its file."""
    path = folder / study["name"] / "study.yaml"
    if path.exists():
        return path
    path.parent.mkdir(parents=True)
    path.write_text(yaml.safe_dump(study, sort_keys=False), encoding="utf-8")
    ran([*DEEPSELF, "check", path, "--threads", "2"], path.parent)
    ran([*DEEPSELF, "split", path], path.parent)
    for feature in study["features"]:
        ran([*DEEPSELF, "extract", path, "--feature", feature, "--threads", "2"], path.parent)
    return path


def bonn(data: Path, folder: Path) -> Path:
    """Bonn's waveforms and the CNN over them, of `config/bonn.yaml`."""
    return prepared(given_study("bonn", "wave", "wave_cnn", data), folder)


def esc10(data: Path, folder: Path) -> Path:
    """ESC-10's log-mel spectrograms and the CNN over them, of `config/esc10.yaml`."""
    return prepared(given_study("esc10", "log_mel", "log_mel_cnn", data), folder)


def small(data: Path, folder: Path) -> Path:
    """The first of each ten of Bonn's recordings: an epoch is one batch."""
    study = given_study("bonn", "wave", "wave_cnn", data)
    rows = (data / "bonn/manifest.csv").read_text(encoding="utf-8").splitlines()
    root = folder / "few"
    root.mkdir(exist_ok=True)
    (root / "manifest.csv").write_text("\n".join([rows[0], *rows[1::10]]) + "\n", encoding="utf-8")
    if not (root / "eeg").exists():
        (root / "eeg").symlink_to(data / "bonn/eeg")
    study |= {"name": "small", "dataset": {**study["dataset"], "root": str(root)}}
    study["models"]["wave_cnn"]["training"] = {"epochs": 1, "batch_size": 64}
    return prepared(study, folder)


WHOLE = """\
name: esc_whole
dataset:
  root: esc10
  group: group
  modalities:
    audio: {kind: audio, sample_rate: 32000, duration: {seconds: 5.0}}
splits: {method: given, column: fold}
features:
  log_mel: {kind: log_mel, modality: audio, n_fft: 2048, hop_length: 640, n_mels: 64, fmin: 50}
models:
  mobilenet:
    feature: log_mel
    network: {type: mobilenet_v3_small}
    folds: together
    training: {epochs: 3, batch_size: 16, lr: 0.001, optimizer: adamw}
"""
"""What `plain_study.py` does, as a study."""


def whole(folder: Path) -> Path:
    """Write that study into a fresh folder, with the workflow beside it; return its file."""
    folder.mkdir(parents=True)
    for name in ("Snakefile", "workflow", "profiles", "envs"):
        (folder / name).symlink_to(REPOSITORY / name)
    path = folder / "study.yaml"
    path.write_text(WHOLE, encoding="utf-8")
    return path
