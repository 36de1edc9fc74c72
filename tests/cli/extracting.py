"""What tests of `deepself extract` share."""

import csv
from pathlib import Path

import numpy as np
import torch

from deepself.networks import build
from tests.tiny import RATE

FILES = Path("recordings/files")
SMALL = ["--height", "32", "--width", "32"]
LITE = ["--network", "efficientnet_lite0", *SMALL, "--feature-set", "n_fft=128"]
SOUND = ["--modality", "audio", "--sample-rate", str(RATE)]
NET = ["--network", "efficientnet_lite0"]
WAV = "recordings/files/low-0.wav"
MN04 = "mn04_as_mAP_432.pt"


def saved(type, shape, **settings):
    """Weights of a network drawn at random, in a file."""
    torch.manual_seed(0)
    network = build(type, shape, 5, **settings).eval()
    for part in network.modules():  # else the first maps die out
        if isinstance(part, torch.nn.BatchNorm2d):
            part.running_var.uniform_(0.5, 1.5)
    torch.save(network.state_dict(), "own.pt")
    return network


def rows(path="out.csv"):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def vectors(path="out.csv"):
    """Vectors by name; of windows, one after the other."""
    found = {}
    for row in rows(path):
        values = [float(value) for key, value in row.items() if key.startswith("neuron_")]
        found.setdefault(row["name"], []).append(values)
    return {name: np.array(values, dtype=np.float32) for name, values in found.items()}


def sounds():
    return sorted(FILES.glob("*.wav"))
