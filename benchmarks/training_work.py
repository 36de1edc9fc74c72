"""What the benchmarks of training time; every function here runs in a process of its own."""

import copy
import csv
import io
import os
import subprocess
import threading
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from functools import lru_cache
from multiprocessing import get_all_start_methods
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from stopwatch import Timed, timed
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from deepself.evaluation.metrics import uar
from deepself.networks.base import Network
from deepself.store.feature_writer import Batch, FeatureWriter, Header
from deepself.study import Layout, load
from deepself.study.networks import Dense
from deepself.study.training import Training
from deepself.training.augment import Crops
from deepself.training.checkpoints import Generators
from deepself.training.fit import prepare
from deepself.training.job import Input, Job, Run, job_of
from deepself.training.loop import Loop
from deepself.training.partitions import InMemory
from deepself.training.progress import Progress
from deepself.training.surroundings import Surroundings


@dataclass(frozen=True)
class Case:
    """A run to time: the first fold of a study's model; without a study, the small dense one.

    Attributes
    ----------
    name
        In words.
    study, model
        The study's file, and which of its models.
    epochs
        How many.
    """

    name: str
    study: Path
    model: str
    epochs: int


def job(case: Case) -> Job:
    """The run of a case."""
    if case.model:
        study = load(case.study)
        folder = case.study.parent / "results"
        found = job_of(study, Layout(study.name, folder), Run(case.model, "1", 0))
    else:
        found = _dense(case.study)
    settings = found.training.model_copy(update={"epochs": case.epochs})
    return replace(found, training=settings, folder=case.study.parent / "timed")


DENSE = {"items": 2000, "width": 128, "classes": 10, "hidden": [128]}


def _dense(path: Path) -> Job:
    """A dense network over random vectors, which are made once."""
    table = path.with_suffix(".csv")
    count, classes = DENSE["items"], [str(i) for i in range(DENSE["classes"])]
    ids = [f"{i:05}" for i in range(count)]
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        random = np.random.default_rng(0)
        with FeatureWriter(path, Header(ids, ids, {}, {})) as writer:
            items = random.standard_normal((count, DENSE["width"])).astype(np.float32)
            writer.append(Batch(items, [1] * count))
        with open(table, "w", newline="", encoding="utf-8") as file:
            out = csv.writer(file)
            out.writerow(["id", "label", "fold-1"])
            parts = ["train"] * 8 + ["dev", "test"]
            out.writerows([n, classes[i % 10], parts[i // 10 % 10]] for i, n in enumerate(ids))
    return Job(
        study="",
        run=Run("dense", "1", 0),
        method=Dense(type="dense", hidden=DENSE["hidden"]),
        training=Training(),
        inputs={"": Input("vectors", "embedding", path, "channel")},
        folds=table,
        classes=classes,
        folder=path.parent,
        specification={},
    )


def ours(case: Case, reading: bool = False) -> Timed:
    """Train as a job does; `reading` the features and building the network are timed if asked."""

    def whole() -> None:
        looped(made()).run()

    def made() -> Any:
        return prepare(job(case), "cpu")

    def looped(prepared: Any) -> Loop:
        parts, of = prepared.fold.partitions, job(case)
        return Loop(
            prepared.network, parts["train"], parts["dev"], of.training, len(of.classes),
            prepared.around,
        )  # fmt: skip

    with redirect_stdout(io.StringIO()):
        if reading:
            return timed(whole)
        prepared = made()
        return timed(lambda: looped(prepared).run())


# The plain ways.


@lru_cache(maxsize=1)
def _material(case: Case) -> tuple[Job, Network, dict[str, tuple[Tensor, Tensor]], dict[str, Any]]:
    """The same network and normalised tensors, and each partition's rows in the file."""
    from deepself.store.features import FeatureFile
    from deepself.training.data import list_fold

    run = job(case)
    with redirect_stdout(io.StringIO()):
        prepared = prepare(run, "cpu")
    parts = {
        name: (torch.cat([b.items[0] for b in part.in_order(256)]), part.targets)
        for name, part in prepared.fold.partitions.items()
    }
    normaliser = prepared.fold.normalisers[""]
    with FeatureFile(run.inputs[""].file) as file:
        listed = list_fold(file, run.folds, run.run.fold, run.classes)
        rows = {name: rows for name, (_, rows) in listed.items()}
    more = {"rows": rows, "mean": normaliser.mean, "deviation": normaliser.deviation}
    torch.set_deterministic_debug_mode("default")  # a plain script does not ask for it
    return run, prepared.network, parts, more


def _optimiser(network: nn.Module, settings: Training, fused: bool | None) -> Any:
    assert settings.optimizer == "adam"
    assert not settings.weight_decay
    return torch.optim.Adam(network.parameters(), lr=settings.lr, fused=fused)


def plain(case: Case, fused: bool) -> Timed:
    """A plain loop over tensors in memory; by torch's default Adam, or by its fused one."""
    run, network, parts, _ = _material(case)
    network, size = copy.deepcopy(network), run.training.batch_size
    (items, targets), (dev, truth) = parts["train"], parts["dev"]

    def work() -> None:
        optimiser = _optimiser(network, run.training, fused or None)
        for _ in range(run.training.epochs):
            network.train()
            total = 0.0
            for rows in torch.randperm(len(items)).split(size):
                total += _step(network, optimiser, items[rows], targets[rows]) * len(rows)
            network.eval()
            with torch.no_grad():
                found = torch.cat([network(part) for part in dev.split(size)])
            _judge(found, truth, run)

    return timed(work)


def _step(network: nn.Module, optimiser: Any, items: Tensor, targets: Tensor) -> float:
    loss = nn.functional.cross_entropy(network(items), targets)
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    return loss.item()


def _judge(found: Tensor, truth: Tensor, run: Job) -> tuple[float, float]:
    loss = nn.functional.cross_entropy(found, truth).item()
    return loss, uar(truth.numpy(), found.argmax(1).numpy(), len(run.classes))


class Rows(Dataset):
    """Items of a feature file, read one by one as they are asked for."""

    def __init__(self, run: Job, rows: np.ndarray, targets: Tensor, mean: Any, deviation: Any):
        self.path, self.rows, self.targets = run.inputs[""].file, rows.tolist(), targets
        self.mean, self.deviation = torch.from_numpy(mean), torch.from_numpy(deviation)
        self.items: Any = None

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, place: int) -> tuple[Tensor, Tensor]:
        if self.items is None:  # in each worker its own
            self.items = h5py.File(self.path, "r", locking=False)["items"]
        item = torch.from_numpy(self.items[self.rows[place]])
        return (item - self.mean) / self.deviation, self.targets[place]


def by_loader(case: Case, workers: int) -> Timed:
    """A plain loop over a DataLoader of `Rows`; the optimiser is the fused one, as ours is."""
    run, network, parts, more = _material(case)
    network, size = copy.deepcopy(network), run.training.batch_size

    # As in a plain script on Linux. This process was spawned, and would spawn its workers, too:
    # each would import torch anew, for seconds.
    context = "fork" if workers and "fork" in get_all_start_methods() else None

    def loader(name: str) -> DataLoader:
        own = Rows(run, more["rows"][name], parts[name][1], more["mean"], more["deviation"])
        return DataLoader(
            own,
            size,
            shuffle=name == "train",
            num_workers=workers,
            persistent_workers=workers > 0,
            multiprocessing_context=context,
        )

    def work() -> None:
        optimiser = _optimiser(network, run.training, True)
        train, dev = loader("train"), loader("dev")
        for _ in range(run.training.epochs):
            network.train()
            for items, targets in train:
                _step(network, optimiser, items, targets)
            network.eval()
            with torch.no_grad():
                found = [(network(items), targets) for items, targets in dev]
            logits, truth = map(torch.cat, zip(*found, strict=True))
            _judge(logits, truth, run)

    return timed(work)


# On a GPU.

SHAPES = {"ESC-10": (240, (1, 64, 251), 16, 10), "FER2013": (28709, (1, 48, 48), 128, 7)}
"""Training items, shape of one, batch size and classes of each study."""


def gpu() -> str:
    """Name of the GPU; empty without one."""
    return torch.cuda.get_device_name() if torch.cuda.is_available() else ""


def on_device(name: str, precision: str, epochs: int, device: str = "cuda") -> dict[str, float]:
    """Train a CNN on random items of a study's shape.

    Returns
    -------
    dict
        Training items a second, dev included and the first epoch not; mean utilisation in per
        cent; peak memory in MB.
    """
    from deepself.networks import build
    from deepself.training.seeding import seed_everything

    order = seed_everything(0, "1")
    count, shape, size, classes = SHAPES[name]
    settings = Training(epochs=epochs, batch_size=size, lr=1e-3, precision=precision)
    network = build("cnn2d", shape, classes, channels=[32, 64, 128]).to(device)
    parts = {}
    for part, rows in (("train", count), ("dev", count // 3 if count < 1000 else count // 8)):
        items = torch.randn(rows, *shape).to(device)
        parts[part] = InMemory((items,), (torch.arange(rows) % classes).to(device))
    around = Surroundings(
        Generators(order, torch.Generator(device).manual_seed(0)),
        Progress(name, epochs, count),
        crops=Crops(None, 1, ("log_mel",)),
    )
    loop = Loop(network, parts["train"], parts["dev"], settings, classes, around)
    sampler = _Utilisation(device)
    if device != "cpu":
        torch.cuda.reset_peak_memory_stats()
    with redirect_stdout(io.StringIO()), sampler:
        loop.run()
    seconds = sorted(row[-1] for row in loop.course.history[1:])
    peak = torch.cuda.max_memory_allocated() / 1e6 if device != "cpu" else float("nan")
    return {
        "items a second": count / seconds[len(seconds) // 2],
        "utilisation": sampler.mean,
        "peak": peak,
    }


class _Utilisation:
    """What `nvidia-smi` says of a GPU while something runs, ten times a second."""

    def __init__(self, device: str):
        self._device, self._seen = device, []
        self.mean = float("nan")

    def __enter__(self) -> "_Utilisation":
        if self._device == "cpu":
            return self
        number = os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0]
        command = ["nvidia-smi", f"--id={number}", "--query-gpu=utilization.gpu"]
        command += ["--format=csv,noheader,nounits", "--loop-ms=100"]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        return self

    def _read(self) -> None:
        assert self._process.stdout is not None
        self._seen += [float(line) for line in self._process.stdout if line.strip().isdigit()]

    def __exit__(self, *_: object) -> None:
        if self._device == "cpu":
            return
        self._process.terminate()
        self._thread.join()
        if self._seen:
            self.mean = sum(self._seen) / len(self._seen)
