"""What one step, one fit and one job cost here: `python benchmarks/unit_costs.py`.

`deepself plan` estimates from these what it has not measured itself. They are written to
deepself/planning/units.json: seconds on one core, and bytes.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from statistics import median

import numpy as np
from page import processor
from stopwatch import ONE_THREAD, available_cores, say

OUTPUT = Path("deepself/planning/units.json")
PACKAGES = ("torch", "torchvision", "numpy", "scikit-learn", "snakemake", "mlflow")
LEAST, MOST = 3, 12
"""Repetitions of what is timed."""

ENOUGH = 2.0
"""Seconds after which it is not repeated more often than it must."""

CASES = [
    ("dense", {}, (64,), 32),
    ("dense", {"hidden": [1024, 1024]}, (4096,), 32),
    ("dense", {"hidden": [4096, 4096]}, (4096,), 8),
    ("cnn1d", {}, (1, 4096), 32),
    ("cnn1d", {"channels": [32, 64, 128, 128]}, (1, 16000), 16),
    ("cnn2d", {}, (1, 16, 8), 8),
    ("cnn2d", {}, (1, 64, 128), 16),
    ("cnn2d", {"channels": [32, 64, 128]}, (3, 96, 96), 16),
    ("rnn", {}, (1, 64, 128), 16),
    ("rnn", {"cell": "lstm", "hidden_size": 128, "num_layers": 2}, (1, 40, 100), 16),
    ("cnn_rnn", {}, (1, 64, 128), 16),
    ("resnet18", {}, (3, 96, 96), 8),
    ("resnet18", {}, (3, 224, 224), 4),
    ("resnet50", {}, (3, 128, 128), 4),
    ("alexnet", {}, (3, 128, 128), 8),
    ("vgg11", {}, (3, 64, 64), 8),
    ("mobilenet_v3_small", {}, (3, 224, 224), 8),
    ("mobilenet_v2", {}, (3, 128, 128), 8),
    ("efficientnet_b0", {}, (3, 128, 128), 8),
    ("densenet121", {}, (3, 128, 128), 4),
    ("convnext_tiny", {}, (3, 128, 128), 4),
    ("vit_b_32", {}, (3, 224, 224), 4),
    ("piczak", {}, (2, 60, 41), 16),
    ("soundnet5", {}, (1, 16000), 8),
    ("emo18", {}, (1, 8000), 8),
    ("zhao19", {}, (1, 8000), 8),
    ("eegnet", {}, (8, 512), 32),
    ("cnn6", {}, (1, 64, 101), 8),
    ("mn04_as", {}, (1, 128, 200), 8),
]
"""Type, settings, shape of an item, items of a step; one network is left out to judge the rest."""

CLASSICAL = (
    "linear_svm",
    "rbf_svm",
    "logistic_regression",
    "random_forest",
    "nearest_neighbours",
)
VECTORS = [(1000, 64), (4000, 64), (1000, 512), (4000, 512), (8000, 128)]
"""Items and length of what classifiers are fitted to."""


def _repeated(work: Callable[[], object], clock: Callable[[], float] = time.process_time) -> float:
    """Median seconds of a piece of work, the first time left out.

    One thread works, so its processor time is that by the clock, less what others take of the core.
    """
    work()
    begun, taken = time.perf_counter(), []
    while len(taken) < LEAST or (time.perf_counter() - begun < ENOUGH and len(taken) < MOST):
        start = clock()
        work()
        taken.append(clock() - start)
    return median(taken)


def _empty() -> float:
    """Bytes of a process that has imported what trains, and no more."""
    import deepself.training.run  # noqa: F401
    from deepself.training.memory import peak_memory

    return peak_memory()


def _network(kind: str, settings: dict, shape: tuple[int, ...], batch_size: int) -> dict:
    """Seconds of a step and of a pass, and bytes, of a network in a process of its own."""
    import torch

    from deepself.networks import build
    from deepself.networks.summary import on_paper, summarise
    from deepself.planning.work import Work
    from deepself.training.memory import peak_memory

    before = _empty()
    work = Work.of(summarise(on_paper(lambda: build(kind, shape, 10, **settings)), [shape]))
    network = build(kind, shape, 10, **settings).train()
    optimiser = torch.optim.Adam(network.parameters())
    items, targets = torch.randn(batch_size, *shape), torch.randint(0, 10, (batch_size,))

    def step() -> None:
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(network(items), targets).backward()
        optimiser.step()

    seconds = _repeated(step)
    memory = peak_memory() - before
    network.eval()
    with torch.no_grad():
        forward = _repeated(lambda: network(items))
    return {"step": seconds, "forward": forward, "memory": memory, "work": list(work)}


def _classifier(kind: str, items: int, width: int) -> float:
    """Seconds to fit a classifier, a choice of its settings each."""
    from pydantic import TypeAdapter

    from deepself.study.models import AnyClassifier
    from deepself.training.classifiers.run import FAMILIES

    spec = TypeAdapter(AnyClassifier).validate_python({"type": kind})
    few = np.random.default_rng(1).standard_normal((40, 4)).astype(np.float32)
    list(FAMILIES[kind].fit(spec, few, np.arange(40) % 2, 2, 0))  # imports what it needs
    random = np.random.default_rng(0)
    targets = np.arange(items) % 10
    vectors = random.standard_normal((items, width)) + random.standard_normal((10, width))[targets]
    vectors = vectors.astype(np.float32)
    start, choices = time.process_time(), 0
    for _, arrays in FAMILIES[kind].fit(spec, vectors, targets, 10, 0):
        FAMILIES[kind].decide(arrays, vectors[: items // 3])
        choices += 1
    return (time.process_time() - start) / choices


def _alone(work: Callable, *arguments: object) -> object:
    """Run in a fresh process on one core, whose memory knows nothing of what was before."""
    os.environ.update(ONE_THREAD)
    core = available_cores()[-1:]
    with ProcessPoolExecutor(1, get_context("spawn"), initializer=partial(_pin, core)) as pool:
        return pool.submit(work, *arguments).result()


def _pin(cores: Sequence[int]) -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cores)
    import torch

    torch.set_num_threads(1)


def fitted(amounts: np.ndarray, measured: np.ndarray) -> np.ndarray:
    """Costs of the amounts, none below 0, whose relative errors are least in their squares."""
    from scipy.optimize import nnls

    scale = np.maximum(amounts.max(axis=0), 1)
    return nnls(amounts / scale / measured[:, None], np.ones(len(measured)))[0] / scale


def held_out(amounts: np.ndarray, measured: np.ndarray, names: Sequence[str]) -> dict[str, float]:
    """By what factor networks are missed that were left out of the fit, all cases of one type."""
    factors = []
    for name in dict.fromkeys(names):
        out = np.array([other == name for other in names])
        guessed = amounts[out] @ fitted(amounts[~out], measured[~out])
        missed = np.exp(np.abs(np.log(np.maximum(guessed, 1e-9) / measured[out])))
        say(f"    {name}: {', '.join(f'{one:.2f}' for one in missed)}")
        factors.extend(missed)
    return {"median": float(np.median(factors)), "largest": float(max(factors))}


def networks() -> dict:
    """Costs of networks, and how far they are off for those that were left out."""
    from deepself.planning.work import Work

    found = []
    for case in CASES:
        found.append(_alone(_network, *case))
        say(f"  {case[0]} {case[2]}: {found[-1]['step']:.4f} s a step")
    names = [case[0] for case in CASES]
    sizes = [case[3] for case in CASES]
    units, errors = {}, {}
    for what in ("step", "forward", "memory"):
        say(f"  {what}, missed by a factor of")
        works = zip(found, sizes, strict=True)
        amounts = np.array([getattr(Work(*one["work"]), what)(size) for one, size in works])
        measured = np.array([max(one[what], 1e-9) for one in found])
        units[what] = fitted(amounts, measured).tolist()
        errors[what] = held_out(amounts, measured, names)
    return {**units, "missed_by": errors}


def classifiers() -> dict:
    """Of each: seconds of a fit to one item of length 1, and the powers of items and length."""
    found = {}
    for kind in CLASSICAL:
        rows, seconds = [], []
        for items, width in VECTORS:
            rows.append([1.0, np.log(items), np.log(width)])
            seconds.append(np.log(_alone(_classifier, kind, items, width)))
        powers = np.linalg.lstsq(np.array(rows), np.array(seconds), rcond=None)[0]
        found[kind] = [float(np.exp(powers[0])), float(powers[1]), float(powers[2])]
        say(f"  {kind}: items to the {powers[1]:.2f}, length to the {powers[2]:.2f}")
    return {"classifiers": found}


def started() -> float:
    """Seconds of a job that trains next to nothing: its start-up, by the clock."""
    from tests.tiny import make_study

    with tempfile.TemporaryDirectory() as folder:
        study = make_study(Path(folder))
        verb = [sys.executable, "-m", "deepself"]
        for arguments in (["check"], ["split"], ["extract", "--feature", "trace"]):
            command = [*verb, arguments[0], str(study), *arguments[1:]]
            subprocess.run(command, cwd=folder, check=True, capture_output=True)
        train = [*verb, "train", str(study), "--model", "dense", "--fold", "1"]
        return _repeated(
            lambda: subprocess.run(train, cwd=folder, check=True, capture_output=True),
            time.perf_counter,
        )


def verbs() -> dict:
    """Seconds of `score`, `report` and `track`: of none, and of a row of predictions, or a run."""
    from tests.synthetic import Plan, build, finish

    found: dict[str, list[tuple[float, float]]] = {"score": [], "report": [], "track": []}
    for items, folds in ((300, 3), (6000, 3), (300, 9)):
        with tempfile.TemporaryDirectory() as folder:
            tree = finish(build(Path(folder), Plan(items=items, folds=folds, fusions=False)))
            runs = len(tree.study.models) * folds
            rows = runs * items * 2 / folds  # of dev and test
            for verb, amounts in found.items():
                command = [sys.executable, "-m", "deepself", verb, str(tree.path)]
                start = time.perf_counter()
                subprocess.run(command, cwd=folder, check=True, capture_output=True)
                seconds = time.perf_counter() - start
                amounts.append((runs if verb == "track" else rows, seconds))
                say(f"  {verb} of {runs} runs of {items} items: {seconds:.1f} s")
    return {verb: _line(amounts) for verb, amounts in found.items()}


def splitting() -> dict:
    """Seconds of `split`: of none, and of a recording."""
    import yaml

    from deepself.store.files import write_table

    measured = []
    for many in (1000, 100_000):
        with tempfile.TemporaryDirectory() as folder:
            ids = [f"{i:07}" for i in range(many)]
            rows = [(name, f"{name}.wav", f"class {i % 10}") for i, name in enumerate(ids)]
            write_table(Path(folder) / "manifest.csv", ("id", "audio", "label"), rows)
            facts = [(n, "audio", f"{n}.wav", 1, n, 1.0, 8000, 1, "", 8000, "", "") for n in ids]
            results = Path(folder) / "results/split"
            write_table(results / "inventory.csv", INVENTORY, facts)
            write_table(results / "skipped.csv", ("id", "modality", "path", "row", "reason"), [])
            study = Path(folder) / "study.yaml"
            study.write_text(yaml.safe_dump(SPLIT))
            command = [sys.executable, "-m", "deepself", "split", str(study)]
            start = time.perf_counter()
            subprocess.run(command, cwd=folder, check=True, capture_output=True)
            measured.append((many, time.perf_counter() - start))
            say(f"  split of {many} recordings: {measured[-1][1]:.1f} s")
    return {"split": _line(measured)}


SPLIT = {
    "name": "split",
    "dataset": {"root": ".", "modalities": {"audio": {"kind": "audio", "sample_rate": 8000}}},
    "splits": {"method": "stratified", "folds": 5},
    "features": {"wave": {"kind": "waveform", "modality": "audio"}},
    "models": {"dense": {"feature": "wave", "network": {"type": "dense"}}},
}
INVENTORY = (
    *("id", "modality", "path", "bytes", "sha256", "duration", "sample_rate", "channels"),
    *("names", "samples", "height", "width"),
)


def _line(measured: Sequence[tuple[float, float]]) -> list[float]:
    """Seconds of none, and of one more."""
    amounts, seconds = np.array(measured).T
    return fitted(np.stack([np.ones_like(amounts), amounts], axis=1), seconds).tolist()


PARTS = {
    "networks": networks,
    "classifiers": classifiers,
    "jobs": lambda: {"start": started(), "process": _alone(_empty)},
    "verbs": verbs,
    "split": splitting,
}


def main() -> None:
    """Measure all, or the parts that are named, and write."""
    sys.path.insert(0, str(Path(__file__).parents[1]))
    wanted = sys.argv[1:] or list(PARTS)
    units = json.loads(OUTPUT.read_text(encoding="utf-8")) if OUTPUT.exists() else {}
    units["about"] = {
        "machine": f"{processor()}, one core",
        "versions": {name: version(name) for name in PACKAGES},
        "command": "python benchmarks/unit_costs.py",
    }
    for part in wanted:
        say(part)
        units |= PARTS[part]()
        OUTPUT.write_text(json.dumps(units, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
