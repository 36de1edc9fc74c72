"""Sections of the benchmark of training: whole jobs, and a whole study, as commands."""

import itertools
import re
import shutil
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import studies
from commands import DEEPSELF, Ran, ran
from page import Options
from stopwatch import (
    Timed,
    available_cores,
    best,
    interleaved,
    middle,
    table,
    verdict,
)

# 1. Start.

GROUPS = ("torch", "numpy", "h5py", "pydantic", "deepself", "yaml")
"""Packages whose imports are told apart; modules of others are counted to what imports them."""


def start(options: Options) -> list[str]:
    """From the start of a job to its first batch, against the import of torch."""
    study = studies.small(options.data, options.folder)
    numbers = itertools.count()

    def job() -> Timed:
        output = study.parent / f"start-{next(numbers)}"
        return ran([*_train(study, "1"), "--output", output], study.parent, "epoch 1/1").time

    ways = {
        "import torch": lambda: ran([sys.executable, "-c", "import torch"], study.parent).time,
        "first epoch of one batch": job,
    }
    times = interleaved(ways, 3 if options.quick else 9)
    torch, ours = times.values()
    ratios = best(ours) / best(torch), middle(ours) / middle(torch)
    rows = [
        [name, *(f"{f(its):.2f}" for f in (best, middle)), f"{best(its) / best(torch):.2f}×",
         f"{middle(its) / middle(torch):.2f}×"]
        for name, its in times.items()
    ]  # fmt: skip
    return [
        "`deepself train study.yaml --model wave_cnn --fold 1`, from the start of its process to "
        "the line of its first epoch, which is one batch of 30 of Bonn's recordings and a look at "
        'dev; beside it `python -c "import torch"`.',
        "",
        *table(["", "s, best", "s, median", "ratio, best", "ratio, median"], rows),
        verdict(
            "First batch",
            f"{ratios[0]:.2f} times the import of torch by the best, {ratios[1]:.2f} by the "
            "medians",
            "4 s where that takes 2.4 s, which is 1.67 times",
            max(ratios) <= 1.67,
        ),
        "",
        "Where the imports' time goes, by `python -X importtime -m deepself train study.yaml "
        "--model wave_cnn --fold 1` (which itself costs some of it); a module outside these "
        "packages is counted to the one that imports it.",
        "",
        *_imports(study, study.parent / f"start-{next(numbers)}"),
    ]


def _train(study: Path, fold: str, importtime: bool = False) -> list[str | Path]:
    python = [sys.executable, *["-X", "importtime"] * importtime, *DEEPSELF[1:]]
    return [*python, "train", study, "--model", "wave_cnn", "--fold", fold]


def _imports(study: Path, output: Path) -> list[str]:
    lines = ran([*_train(study, "1", importtime=True), "--output", output], study.parent).lines
    found = [re.fullmatch(r"import time:\s+(\d+) \|\s+\d+ \|( +)(\S+)", one.text) for one in lines]
    spent = dict.fromkeys((*GROUPS, "rest"), 0)
    counts = dict.fromkeys((*GROUPS, "rest"), 0)
    above: list[str] = []
    # Each line stands after those of what it imports: read backwards, before them.
    for match in reversed([one for one in found if one]):
        depth = len(match[2]) // 2
        package = match[3].split(".")[0]
        del above[depth:]
        above += ["rest"] * (depth - len(above))
        owner = package if package in GROUPS else (above[-1] if above else "rest")
        above.append(owner)
        spent[owner] += int(match[1])
        counts[owner] += 1
    total = sum(spent.values())
    rows = [
        [name, f"{counts[name]:,}", f"{microseconds / 1e6:.2f}", f"{microseconds / total:.0%}"]
        for name, microseconds in sorted(spent.items(), key=lambda pair: -pair[1])
    ]
    return table(["package", "modules", "s", "share"], rows)


# 4. Five folds.


def folds(options: Options) -> list[str]:
    """Five jobs, one job, and one that trains them side by side."""
    study, model = studies.bonn(options.data, options.folder), "models.wave_cnn"
    cores = min(5, len(available_cores()))
    epochs = 8 if options.quick else 30
    settings = ["--set", f"{model}.training.epochs={epochs}"]
    numbers, said = itertools.count(), set()

    def output() -> Path:
        return study.parent / f"folds-{next(numbers)}"

    def apart() -> Timed:
        began, to = time.perf_counter(), output()
        with ThreadPoolExecutor(cores) as pool:
            jobs = [
                pool.submit(
                    ran, [*_train(study, str(k)), *settings, "--output", to / str(k)], study.parent
                )
                for k in range(1, 6)
            ]
            cpu = sum(job.result().time.cpu for job in jobs) / cores
        return Timed(time.perf_counter() - began, cpu)

    def in_one(*more: str) -> Timed:
        command = [*DEEPSELF, "train", study, "--model", "wave_cnn", "--all", *settings, *more]
        found = ran([*command, "--output", output()], study.parent)
        said.update(line.text for line in found.lines if "side by side" in line.text)
        return found.time

    together = f"one job, --threads {cores}"
    ways = {
        f"five jobs, {cores} at a time": apart,
        together: lambda: in_one("--threads", f"{cores}"),
        "one job, side by side": lambda: in_one("--set", f"{model}.folds=batched"),
    }
    times = interleaved(ways, 2 if options.quick else 5, warm=False)
    first = next(iter(times.values()))
    rows = [
        [name, *(f"{f(its):.1f}" for f in (best, middle)),
         *(f"{f(first) / f(its):.2f}×" for f in (best, middle))]
        for name, its in times.items()
    ]  # fmt: skip
    return [
        f"All folds of `wave_cnn` of `config/bonn.yaml`, {epochs} epochs each: `deepself train "
        "--fold k` five times (Snakemake's own time for a job is not in it), `--all`, and `--all` "
        "with `folds: batched`, which computes in one thread on a CPU. Start-up is in all of "
        "them.",
        "",
        *table(["", "s, best", "s, median", "gain, best", "gain, median"], rows),
        "The log of the last way, of all turns: " + "; ".join(sorted(said)) + ".",
        "",
        f"There is no target but the order of the first two: {_faster(times, together)}.",
    ]


def _faster(times: dict[str, list[Timed]], name: str) -> str:
    gain = best(next(iter(times.values()))) / best(times[name])
    return f"one job is {gain:.2f} times as fast as five"


# 5. A whole study.


def whole(options: Options) -> list[str]:
    """From files to scores and report, against a plain script."""
    cores, numbers = len(available_cores()), itertools.count()
    stages: list[dict[str, float]] = []
    uars: dict[str, str] = {}

    def plain() -> Timed:
        script = studies.REPOSITORY / "benchmarks/plain_study.py"
        command = [sys.executable, script, options.data / "esc10"]
        found = ran(command, options.folder, one_thread=False)
        uars["the script"] = found.first("mean ").split()[1]
        return found.time

    def study() -> Timed:
        folder = options.folder / f"whole-{next(numbers)}"
        file = studies.whole(folder)
        snakemake = Path(sys.executable).with_name("snakemake")
        command = [snakemake, "--cores", f"{cores}", "results/esc_whole/report.html"]
        command += ["--configfile", file]
        more = {"DEEPSELF_DATA": str(options.data)}
        found = ran(command, folder, more=more, one_thread=False)
        stages.append(_stages(found))
        log = (folder / "results/esc_whole/logs/score.log").read_text(encoding="utf-8")
        uars["the study"] = f"{float(re.findall(r'UAR ([0-9.]+)', log)[0]):.1%}"
        shutil.rmtree(folder)
        return found.time

    ways = {"plain script": plain, "Snakemake, to the report": study}
    times = interleaved(ways, 2 if options.quick else 5, warm=False)
    script, ours = times.values()
    ratios = best(ours) / best(script), middle(ours) / middle(script)
    rows = [
        [name, *(f"{f(its):.1f}" for f in (best, middle)),
         *(f"{f(its) / f(script):.2f}×" for f in (best, middle))]
        for name, its in times.items()
    ]  # fmt: skip
    return [
        "ESC-10 in its five given folds (test k, dev k + 1, three to train), torchvision's "
        "`mobilenet_v3_small` from scratch on 64-bin log-mel spectrograms at 32 kHz, AdamW with "
        "1e-3, batches of 16, 3 epochs. `python benchmarks/plain_study.py FOLDER` reads, "
        "transforms and trains in one process with torch's own number of threads, and prints a "
        f"score. Ours is `snakemake --cores {cores}` from the same Ogg files, in a fresh folder, "
        "with `folds: together`: every file verified, features, weights and predictions kept, "
        "scores with intervals, a report.",
        "",
        *table(["", "s, best", "s, median", "ratio, best", "ratio, median"], rows),
        verdict(
            "The whole study",
            f"{ratios[0]:.2f} times the plain script's time by the best, {ratios[1]:.2f} by the "
            "medians",
            "at most 1.1",
            max(ratios) <= 1.1,
        ),
        "",
        "Mean UAR on test: " + ", ".join(f"{uar} of {way}" for way, uar in uars.items()) + " "
        "(after three epochs the statistics of its batch normalisations have not settled). The "
        "study's stages, by the times at which Snakemake begins and ends them; the quickest turn:",
        "",
        *_stage_table(min(stages, key=lambda its: sum(its.values()))),
    ]


def _stages(found: Ran) -> dict[str, float]:
    """Seconds of each rule, and of Snakemake before, between and after them; one job at a time."""
    before, between, after = (f"Snakemake, {when} jobs" for when in ("before", "between", "after"))
    spent: dict[str, float] = {before: 0.0}
    last, idle = 0.0, 0.0
    for at, text in found.lines:
        if re.match(r"(?:local)?(?:rule|checkpoint) \w+:", text):
            if len(spent) == 1:
                spent[before] = at
            else:
                idle += at - last
            last = at
        elif ended := re.match(r"Finished jobid: \d+ \(Rule: (\w+)\)", text):
            spent[ended[1]] = at - last
            last = at
    return {**spent, between: idle, after: found.time.wall - last}


def _stage_table(spent: dict[str, float]) -> list[str]:
    total = sum(spent.values())
    rows = [[name, f"{s:.1f}", f"{s / total:.0%}"] for name, s in spent.items()]
    return table(["stage", "s", "share"], rows)
