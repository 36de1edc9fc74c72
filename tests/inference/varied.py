"""A study of many kinds of small parts: what is damaged, and what is served."""

from pathlib import Path
from typing import Any

from tests.tiny import make_recordings, write_study

MEL = {"kind": "log_mel", "modality": "audio", "n_fft": 128, "hop_length": 64, "n_mels": 16}
TRAINING = {"epochs": 1, "batch_size": 8}

FEATURES: dict[str, dict[str, Any]] = {
    "log_mel": {**MEL, "window": {"seconds": 0.1, "overlap": 0.5}},
    "mfcc": {**MEL, "kind": "mfcc", "n_mfcc": 8, "filter": {"low": 50, "notch": [200]}},
    "scalogram": {
        "kind": "scalogram",
        "modality": "audio",
        "frequencies": {"low": 50, "high": 800, "count": 8},
        "hop_length": 16,
    },
    "shown": {"kind": "rendered", "of": "mfcc", "height": 16, "width": 16, "colormap": "viridis"},
    "trace": {"kind": "waveform", "modality": "sensor"},
    "shade": {"kind": "picture", "modality": "picture"},
    "joined": {"kind": "joined_vectors", "of": ["trace", "shade"]},
}
CNN = {"type": "cnn2d", "channels": [4]}
MODELS: dict[str, dict[str, Any]] = {
    "windowed": {"feature": "log_mel", "network": CNN, "normalise": "bin"},
    "steps": {
        "feature": "mfcc",
        "network": {"type": "cnn_rnn", "channels": [4], "hidden_size": 4, "num_layers": 2},
    },
    "wavelets": {"feature": "scalogram", "network": {**CNN, "readout": "attention"}},
    "branches": {
        "network": {
            "type": "branches",
            "branches": {
                "sound": {"feature": "shown", "network": CNN},
                "shade": {"feature": "shade", "network": CNN},
            },
        }
    },
    "dense": {"feature": "trace", "network": {"type": "dense", "hidden": [8]}},
    "svm": {"feature": "joined", "classifier": {"type": "linear_svm", "complexity": [0.01]}},
    "rbf": {"feature": "trace", "classifier": {"type": "rbf_svm", "complexity": [1.0]}},
    "forest": {"feature": "joined", "classifier": {"type": "random_forest", "trees": 5}},
    "near": {"feature": "trace", "classifier": {"type": "nearest_neighbours"}},
}


def write_varied(folder: Path) -> None:
    """Recordings, and a study of them in folds of two classes."""
    make_recordings(folder / "recordings")
    for model in MODELS.values():
        if "network" in model:
            model["training"] = TRAINING
    write_study(
        folder,
        dataset__modalities={
            "audio": {"kind": "audio", "sample_rate": 2000, "duration": {"seconds": 0.25}},
            "sensor": {"kind": "sensor", "sample_rate": 200},
            "picture": {"kind": "image", "height": 8, "width": 6},
        },
        features=FEATURES,
        models=MODELS,
        fusions={"stacked": {"members": ["*"], "method": "stacking", "temperatures": True}},
    )
