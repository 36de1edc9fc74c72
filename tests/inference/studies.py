"""Two small studies with a model of every family, over every kind of feature, in every fusion."""

from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
import yaml

from tests.tiny import make_recordings, write_study

MEL = {"kind": "log_mel", "modality": "audio", "n_fft": 128, "hop_length": 32, "n_mels": 16}
CNN = {"type": "cnn2d", "channels": [4]}
TRAINING = {"epochs": 2, "batch_size": 8, "lr": 0.01}

MODALITIES = {
    "audio": {
        "kind": "audio",
        "sample_rate": 2000,
        "duration": {"seconds": "longest", "shorter": "mask"},
    },
    "sensor": {"kind": "sensor", "sample_rate": 200, "channels": [1, 0]},
    "picture": {"kind": "image", "height": 32, "width": 32, "channels": "rgb"},
}
FEATURES: dict[str, dict[str, Any]] = {
    "log_mel": {**MEL, "deltas": 1, "dtype": "float16"},
    "short": {**MEL, "window": {"seconds": 0.1, "overlap": 0.5}},
    "mfcc": {**MEL, "kind": "mfcc", "n_mfcc": 8, "filter": {"low": 50, "high": 900}},
    "spectrogram": {"kind": "spectrogram", "modality": "audio", "n_fft": 64, "hop_length": 32},
    "chroma": {"kind": "chroma", "modality": "audio", "n_fft": 128, "hop_length": 64},
    "scalogram": {
        "kind": "scalogram",
        "modality": "audio",
        "frequencies": {"low": 50, "high": 800, "count": 8},
        "hop_length": 16,
    },
    "shown": {"kind": "rendered", "of": "short", "height": 32, "width": 32, "colormap": "viridis"},
    "deep": {"kind": "embedding", "of": "shown", "network": "mobilenet_v3_small"},
    "trace": {
        "kind": "waveform",
        "modality": "sensor",
        "filter": {"high": 60, "notch": [50]},
        "window": {"seconds": 0.1, "overlap": 0.5, "rest": "zero"},
    },
    "whole": {"kind": "waveform", "modality": "sensor"},
    "shade": {"kind": "picture", "modality": "picture"},
    "short_mfcc": {**MEL, "kind": "mfcc", "n_mfcc": 8, "window": {"seconds": 0.1, "overlap": 0.5}},
    "stacked": {"kind": "joined_spectra", "of": ["short", "short_mfcc"], "along": "bins"},
    "vectors": {"kind": "joined_vectors", "of": ["whole", "shade"]},
    "crossings": {"kind": "zero_crossing_rate", "modality": "audio", "frame_length": 64},
    "summary": {"kind": "statistics", "of": "mfcc"},
    "least": {"kind": "statistics", "of": "crossings", "statistics": ["least", "greatest"]},
    "classic": {"kind": "joined_vectors", "of": ["summary", "least"]},
}
NETWORKS: dict[str, tuple[str, dict[str, Any]]] = {
    "masked_cnn": ("log_mel", CNN),
    "masked_rnn": ("log_mel", {"type": "rnn", "hidden_size": 8, "bidirectional": True}),
    "masked_both": ("mfcc", {"type": "cnn_rnn", "channels": [4], "hidden_size": 8}),
    "windowed": ("short", CNN),
    "spectra": ("spectrogram", {**CNN, "normalisation": "instance"}),
    "chroma": ("chroma", {**CNN, "readout": "attention"}),
    "wavelets": ("scalogram", {"type": "rnn", "cell": "lstm", "hidden_size": 8}),
    "rendered": ("shown", {"type": "efficientnet_lite0"}),
    "trace_1d": ("trace", {"type": "cnn1d", "channels": [4]}),
    "trace_dense": ("whole", {"type": "dense", "hidden": [8]}),
    "trace_eeg": ("whole", {"type": "eegnet"}),
    "trace_rnn": ("whole", {"type": "rnn", "cell": "rnn", "hidden_size": 4}),
    "shade": ("shade", {"type": "resnet18"}),
    "joined": ("stacked", CNN),
    "vectors": ("vectors", {"type": "dense", "hidden": [8]}),
    "autoencoder": ("log_mel", {"type": "rnn_autoencoder", "hidden_size": 8}),
}
CLASSIFIERS = {
    "svm": ("deep", {"type": "linear_svm", "complexity": [0.01]}),
    "rbf": ("whole", {"type": "rbf_svm", "complexity": [1.0], "gamma": [0.1]}),
    "regression": ("vectors", {"type": "logistic_regression", "complexity": [0.1]}),
    "forest": ("vectors", {"type": "random_forest", "trees": 20, "leaf": [1]}),
    "classic": ("classic", {"type": "linear_svm", "complexity": [0.01]}),
    "neighbours": ("trace", {"type": "nearest_neighbours", "neighbours": [3]}),
}
SNAPSHOTS = {"epochs": 4, "schedule": {"type": "cosine", "cycles": 2}, "snapshots": True}


def models() -> dict[str, Any]:
    found: dict[str, Any] = {
        name: {"feature": feature, "network": network, "training": TRAINING}
        for name, (feature, network) in NETWORKS.items()
    }
    for name, (feature, classifier) in CLASSIFIERS.items():
        found[name] = {"feature": feature, "classifier": classifier}
    found["rbf"]["normalise"] = "item"
    found["windowed"] |= {"normalise": "bin", "folds": "together"}
    crop = [{"type": "random_crop", "size": 0.5}]
    found["spectra"]["training"] = {**TRAINING, "augmentation": crop, "crops": 3}
    found["chroma"]["training"] = {**TRAINING, "precision": "bf16"}
    found["trace_1d"]["training"] = {**TRAINING, **SNAPSHOTS}
    found["shade"]["training"] = {**TRAINING, "channels_last": True}
    found["searched"] = {
        "feature": "whole",
        "network": {"type": "dense", "hidden": [4]},
        "training": {**TRAINING, "lr": {"log_uniform": [0.001, 0.1]}},
        "search": {"method": "random", "trials": 2},
    }
    found["branches"] = {
        "network": {
            "type": "branches",
            "join": "gated_sum",
            "size": 8,
            "branches": {
                "sound": {"feature": "log_mel", "network": CNN, "initialise": "masked_cnn"},
                "shade": {"feature": "shade", "network": CNN},
            },
        },
        "training": TRAINING,
    }
    return found


SOME = ["windowed", "trace_1d", "shade", "svm"]
FUSIONS = {
    "mean": {"members": ["*"]},
    "best": {"members": {"best": 1, "per": "modality"}},
    "weighted": {"members": SOME, "method": "weighted_mean", "temperatures": True},
    "given": {"members": SOME, "method": {"type": "weighted_mean", "weights": [1, 2, 0, 1]}},
    "geometric": {"members": SOME, "method": "geometric_mean"},
    "maximum": {"members": SOME, "method": "maximum"},
    "vote": {"members": SOME, "method": "majority_vote"},
    "borda": {"members": SOME, "method": "borda"},
    "stacked": {"members": SOME, "method": "stacking", "temperatures": True},
    "greedy": {"members": ["*"], "method": "greedy"},
    "seeds": {"members": SOME[:2], "over": ["seeds"]},
    "snapshots": {"members": ["trace_1d"], "over": ["snapshots"]},
}


def write_many(folder: Path) -> None:
    """Recordings, weights of others, and a study of them."""
    make_recordings(folder / "recordings")
    for name, share in (("low-1", 0.7), ("high-2", 0.9)):  # two are shorter: true lengths
        path = folder / f"recordings/files/{name}.wav"
        signal, rate = soundfile.read(path)
        soundfile.write(path, signal[: int(share * len(signal))], rate)
    features = {**FEATURES, "deep": {**FEATURES["deep"], "weights": str(_weights(folder))}}
    write_study(
        folder,
        dataset__modalities=MODALITIES,
        features=features,
        models=models(),
        fusions=FUSIONS,
        seeds=[0, 1],
    )


def _weights(folder: Path) -> Path:
    from deepself.networks import build

    torch.manual_seed(0)
    network = build("mobilenet_v3_small", (3, 32, 32), 5)
    torch.save(network.state_dict(), folder / "weights.pt")
    return folder / "weights.pt"


RATE = 32000


def write_loud(folder: Path) -> None:
    """Sound at 32 kHz, for the front ends and networks that want it, and another length."""
    files = folder / "recordings"
    files.mkdir()
    random = np.random.default_rng(0)
    rows = ["id,audio,label"]
    for number in range(12):
        label = ("high", "low")[number % 2]
        time = np.arange(RATE) / RATE
        sound = np.sin(2 * np.pi * (3000 if label == "high" else 300) * time)
        sound = 0.3 * sound + 0.1 * random.standard_normal((2, RATE))
        soundfile.write(files / f"{number}.wav", sound.T.astype(np.float32), RATE)
        rows.append(f"{number},{number}.wav,{label}")
    (files / "manifest.csv").write_text("\n".join(rows) + "\n")
    study = {
        "name": "loud",
        "dataset": {
            "root": "recordings",
            "modalities": {"audio": {"kind": "audio", "sample_rate": RATE}},
        },
        "splits": {"method": "stratified", "folds": 3},
        "features": {
            "audioset": {"kind": "audioset_mel", "modality": "audio"},
            "panns": {"kind": "panns_mel", "modality": "audio"},
            "stereo": {"kind": "waveform", "modality": "audio"},
        },
        "models": {
            "mobilenet": {"feature": "audioset", "network": {"type": "mn04_as"}},
            "cnn6": {"feature": "panns", "network": {"type": "cnn6"}},
            "wave": {"feature": "stereo", "network": {"type": "cnn1d", "channels": [4]}},
        },
    }
    for model in study["models"].values():
        model["training"] = {"epochs": 1, "batch_size": 4}
    (folder / "study.yaml").write_text(yaml.safe_dump(study, sort_keys=False))
