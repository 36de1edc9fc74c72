"""What a very large study would take, and where the design ends: `python benchmarks/scale.py`.

Writes the tables of docs/scale.md: a plan on paper, plans against what runs then took, and what
manifests of many rows and graphs of many jobs cost Snakemake.
"""

import csv
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path
from typing import Any

import yaml
from page import data_folder, processor
from stopwatch import say, table

from deepself.graph import Graph
from deepself.planning.plan import Plan, plan
from deepself.planning.units import units
from deepself.report.page import seconds, size
from deepself.store.files import read_json
from deepself.study import Layout, load

PAGE = Path(__file__).parents[1] / "docs/scale.md"

RECORDINGS = 1_000_000

FEATURES: dict[str, dict[str, Any]] = {
    "log_mel": {"kind": "log_mel", "n_fft": 1024, "hop_length": 320, "n_mels": 64},
    "log_mel_128": {"kind": "log_mel", "n_fft": 1024, "hop_length": 320, "n_mels": 128},
    "mfcc": {"kind": "mfcc", "n_fft": 1024, "hop_length": 320, "n_mels": 64, "n_mfcc": 40},
    "spectrogram": {"kind": "spectrogram", "n_fft": 512, "hop_length": 320},
    "waveform": {"kind": "waveform"},
}
IMAGES = [name for name in FEATURES if name != "waveform"]

NETWORKS: list[tuple[dict[str, Any], list[str]]] = [
    ({"type": "cnn2d"}, IMAGES),
    ({"type": "cnn2d", "channels": [32, 64, 128]}, IMAGES),
    ({"type": "rnn"}, IMAGES),
    ({"type": "cnn_rnn"}, IMAGES),
    ({"type": "dense", "hidden": [512]}, IMAGES),
    ({"type": "mobilenet_v3_small"}, IMAGES),
    ({"type": "efficientnet_b0"}, IMAGES),
    ({"type": "resnet18"}, IMAGES),
    ({"type": "resnet50"}, IMAGES),
    ({"type": "densenet121"}, IMAGES),
    ({"type": "convnext_tiny"}, IMAGES),
    ({"type": "piczak"}, ["log_mel", "log_mel_128"]),
    ({"type": "cnn1d", "stride": [4, 1, 1]}, ["waveform"]),
    ({"type": "soundnet5"}, ["waveform"]),
    ({"type": "emo18"}, ["waveform"]),
    ({"type": "zhao19"}, ["waveform"]),
]
"""Architectures, and the features that each reads: 50 models."""


def study_of(data: Path, name: str, models: dict[str, Any], features: dict[str, Any]) -> dict:
    """A study of ESC-10's five-second clips at 16 kHz, in their five folds."""
    return {
        "name": name,
        "dataset": {
            "root": str(data / "esc10"),
            "group": "group",
            "modalities": {
                "audio": {"kind": "audio", "sample_rate": 16000, "duration": {"seconds": 5.0}}
            },
        },
        "splits": {"method": "given", "column": "fold"},
        "features": {name: {"modality": "audio", **spec} for name, spec in features.items()},
        "models": models,
    }


def written(study: dict) -> Path:
    """The study as a file in this folder."""
    path = Path(f"{study['name']}.yaml")
    path.write_text(yaml.safe_dump(study, sort_keys=False), encoding="utf-8")
    return path


def on_paper(data: Path) -> list[str]:
    """What fifty models of a million clips would take, stage by stage."""
    training = {"epochs": 30, "batch_size": 64}
    models = {
        f"{network['type']}_{number}_{feature}": {
            "feature": feature,
            "network": network,
            "training": training,
        }
        for number, (network, features) in enumerate(NETWORKS)
        for feature in features
    }
    assert len(models) == 50
    for spec in FEATURES.values():
        spec["shards"] = 100
    path = written(study_of(data, "large", models, FEATURES))
    found = plan(load(path), Layout("large"), RECORDINGS)
    rows = list(_stages(found))
    cheapest, dearest = _extremes(found)
    return [
        f"{len(models)} models of {len(NETWORKS)} architectures over {len(FEATURES)} features, "
        f"{training['epochs']} epochs in batches of {training['batch_size']}, "
        f"{found.counted.recordings:,} clips of 5 s at 16 kHz, {len(found.counted.folds)} folds:",
        "",
        *table(["stage", "jobs", "one job, at most", "one core", "memory, at most", "disk"], rows),
        f"A run of the cheapest network takes {_hours(cheapest)} of one core, of the dearest "
        f"{_hours(dearest)}.",
    ]


def _stages(found: Plan) -> Iterator[list[str]]:
    own = defaultdict(list)
    for line in found.lines:
        if line.each is not None:
            own[line.stage].append((line, line.each))
    for stage, lines in own.items():
        yield [
            stage,
            f"{sum(line.jobs for line, _ in lines):,}",
            _hours(max(each.seconds for _, each in lines)),
            _hours(sum(line.core_seconds for line, _ in lines)),
            size(max(each.memory for _, each in lines)) if lines[0][1].memory else "",
            size(sum(line.jobs * each.disk for line, each in lines)) if lines[0][1].disk else "",
        ]
    yield [
        "**all**", f"{found.jobs:,}", "", _hours(found.core_seconds), "", size(found.disk)
    ]  # fmt: skip


def _hours(number: float) -> str:
    return f"{number / 3600:,.0f} h" if number >= 36000 else seconds(number)


def _extremes(found: Plan) -> tuple[float, float]:
    costs = [cost.seconds for cost in found.models.values() if cost is not None]
    return min(costs), max(costs)


def against_runs(data: Path) -> list[str]:
    """Time and memory of a fold of several models: as planned, and as they then were."""
    models: dict[str, Any] = {
        "cnn2d": {"feature": "log_mel", "network": {"type": "cnn2d"}},
        "cnn_rnn": {"feature": "log_mel", "network": {"type": "cnn_rnn"}},
        "mobilenet": {"feature": "log_mel", "network": {"type": "mobilenet_v3_small"}},
        "soundnet5": {"feature": "waveform", "network": {"type": "soundnet5"}},
        "dense": {"feature": "log_mel", "network": {"type": "dense", "hidden": [512]}},
        "linear_svm": {"feature": "log_mel", "classifier": {"type": "linear_svm"}},
        "random_forest": {"feature": "log_mel", "classifier": {"type": "random_forest"}},
    }
    for model in models.values():
        if "network" in model:
            model["training"] = {"epochs": 2, "batch_size": 16}
    used = {name: dict(FEATURES[name], shards=1) for name in ("log_mel", "waveform")}
    path = written(study_of(data, "small", models, used))
    study, layout = load(path), Layout("small")
    _verb("check", path)
    _verb("split", path)
    planned = plan(study, layout)
    rows = []
    for name in used:
        start = time.perf_counter()
        _verb("extract", path, "--feature", name, "--threads", "2")
        took, cost = time.perf_counter() - start, planned.features[name]
        assert cost is not None
        rows.append([f"feature {name}", seconds(cost.seconds), seconds(took), "", "", ""])
    for name in models:
        _verb("train", path, "--model", name, "--fold", "1")
        record, cost = read_json(layout.run(name, "1", 0) / "run.json"), planned.models[name]
        assert cost is not None
        took = record["seconds"]["total"] + units().start
        rows.append(
            [name, seconds(cost.seconds), seconds(took), size(cost.memory),
             size(record["memory"]), f"{cost.mem_mb:,} MB"]
        )  # fmt: skip
    head = ["", "time planned", "time taken", "memory planned", "memory taken", "asked for"]
    return table(head, rows)


def _verb(verb: str, study: Path, *arguments: str) -> None:
    """A verb in a process of its own, as a job runs it."""
    command = [sys.executable, "-m", "deepself", verb, str(study), *arguments]
    subprocess.run(
        command, check=True, capture_output=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )


def manifests() -> list[str]:
    """What manifests of many rows cost Snakemake at each start, and `split`."""
    rows = []
    for many in (10_000, 100_000):
        folder = Path(f"manifest-{many}")
        (folder / "files").mkdir(parents=True)
        with open(folder / "manifest.csv", "w", newline="", encoding="utf-8") as file:
            out = csv.writer(file)
            out.writerow(["id", "audio", "label"])
            for i in range(many):
                (folder / f"files/{i}.wav").touch()
                out.writerow([f"{i:07}", f"files/{i}.wav", f"class {i % 10}"])
        study = study_of(
            folder,
            f"rows-{many}",
            {"dense": {"feature": "w", "network": {"type": "dense"}}},
            {"w": {"kind": "waveform"}},
        )
        study["dataset"] |= {"root": str(folder), "group": None}
        study["splits"] = {"method": "stratified", "folds": 5}
        graph, start = Graph(study), time.perf_counter()
        graph.check_slice()
        graph.split_slice()
        took = time.perf_counter() - start
        rows.append([f"{many:,}", seconds(took), f"{1e6 * took / many:.0f} µs"])
    return table(["rows of the manifest", "each start of Snakemake", "a row"], rows)


def graphs(data: Path) -> list[str]:
    """What a dry run takes of studies with many runs, quietly and with each job on the screen."""
    rows = []
    for models, seeds in ((100, 1), (100, 10), (100, 40)):
        name = f"runs-{models * seeds * 5}"
        study = study_of(
            data,
            name,
            {
                f"dense_{n}": {"feature": "w", "network": {"type": "dense", "hidden": [8 + n]}}
                for n in range(models)
            },
            {"w": {"kind": "waveform"}},
        )
        path = written(study | {"seeds": list(range(seeds))})
        _verb("check", path)
        _verb("split", path)
        took = [_dry_run(path, *quiet) for quiet in (["--quiet"], [])]
        rows.append([f"{models * seeds * 5:,}", *map(seconds, took)])
    return table(["runs", "`snakemake -n --quiet`", "`snakemake -n`"], rows)


def _dry_run(study: Path, *arguments: str) -> float:
    snakefile = str(PAGE.parents[1] / "Snakefile")
    command = ["snakemake", "-n", "--cores", "1", "--snakefile", snakefile, *arguments]
    start = time.perf_counter()
    subprocess.run([*command, "--configfile", str(study)], check=True, capture_output=True)
    return time.perf_counter() - start


SECTIONS = {
    "paper": on_paper,
    "runs": against_runs,
    "manifests": lambda _: manifests(),
    "graphs": graphs,
}


def main() -> None:
    """Measure, and put each table between its marks."""
    data = data_folder(None, ("esc10",))
    text = PAGE.read_text(encoding="utf-8")
    wanted = sys.argv[1:] or list(SECTIONS)
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        for name in wanted:
            say(name)
            begin, end = f"<!-- {name}: python benchmarks/scale.py -->", f"<!-- end of {name} -->"
            before, rest = text.split(begin)
            lines = [begin, "", *SECTIONS[name](data), "", f"On {processor()}.", "", end]
            text = before + "\n".join(lines) + rest.split(end)[1]
    PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
