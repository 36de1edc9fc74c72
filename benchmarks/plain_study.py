"""A whole study as one would write it by hand: ESC-10, MobileNetV3-Small on log-mel, five folds.

One process, no cache, no checkpoints, no report: what the time of a study is compared with.

    python benchmarks/plain_study.py FOLDER_OF_ESC10
"""

import csv
import sys
from pathlib import Path

import librosa
import numpy as np
import soundfile
import torch
from sklearn.metrics import balanced_accuracy_score
from torch import nn

try:
    import torchvision
except RuntimeError:  # its operators were built for another PyTorch; the networks need none
    library = torch.library.Library("torchvision", "DEF")
    library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    import torchvision

RATE, SECONDS = 32000, 5
EPOCHS, BATCH, LR = 3, 16, 1e-3


def log_mel(path: Path) -> np.ndarray:
    """The picture of a recording."""
    wave, rate = soundfile.read(path, dtype="float32", always_2d=True)
    wave = librosa.resample(wave.mean(axis=1), orig_sr=rate, target_sr=RATE, res_type="soxr_hq")
    wave = librosa.util.fix_length(wave, size=RATE * SECONDS)
    mel = librosa.feature.melspectrogram(
        y=wave, sr=RATE, n_fft=2048, hop_length=640, n_mels=64, fmin=50
    )
    return librosa.power_to_db(mel, top_db=None).astype(np.float32)


def main(folder: Path) -> None:
    """Read, train five folds, print the mean UAR."""
    with open(folder / "manifest.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    classes = sorted({row["label"] for row in rows})
    labels = torch.tensor([classes.index(row["label"]) for row in rows])
    folds = np.array([int(row["fold"]) for row in rows])
    items = torch.from_numpy(np.stack([log_mel(folder / row["audio"]) for row in rows]))[:, None]
    found = []
    for fold in range(1, 6):
        dev = fold % 5 + 1
        parts = {
            "train": np.flatnonzero((folds != fold) & (folds != dev)),
            "dev": np.flatnonzero(folds == dev),
            "test": np.flatnonzero(folds == fold),
        }
        found.append(train(items, labels, parts, len(classes)))
        print(f"fold {fold}: test UAR {found[-1]:.1%}", flush=True)
    print(f"mean {np.mean(found):.1%}")


def train(items: torch.Tensor, labels: torch.Tensor, parts: dict, classes: int) -> float:
    """Train on one fold; test UAR of the best epoch on dev."""
    torch.manual_seed(0)
    network = torchvision.models.mobilenet_v3_small(num_classes=classes)
    mean, deviation = items[parts["train"]].mean(), items[parts["train"]].std()
    items = ((items - mean) / deviation).expand(-1, 3, -1, -1)
    optimiser = torch.optim.AdamW(network.parameters(), lr=LR)
    best, kept = -1.0, {}
    for _ in range(EPOCHS):
        network.train()
        shuffled = parts["train"][torch.randperm(len(parts["train"])).numpy()]
        for start in range(0, len(shuffled), BATCH):
            batch = shuffled[start : start + BATCH]
            loss = nn.functional.cross_entropy(network(items[batch]), labels[batch])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        score = uar(network, items, labels, parts["dev"])
        if score > best:
            best, kept = score, {k: v.clone() for k, v in network.state_dict().items()}
    network.load_state_dict(kept)
    return uar(network, items, labels, parts["test"])


@torch.no_grad()
def uar(network: nn.Module, items: torch.Tensor, labels: torch.Tensor, rows: np.ndarray) -> float:
    """UAR of some rows."""
    network.eval()
    found = [network(items[rows[i : i + BATCH]]).argmax(1) for i in range(0, len(rows), BATCH)]
    return balanced_accuracy_score(labels[rows], torch.cat(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
