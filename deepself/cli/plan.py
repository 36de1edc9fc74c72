"""`deepself plan`."""

import argparse
import json
import os
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from deepself.cli.common import add_study, open_study, positive

if TYPE_CHECKING:
    from deepself.planning.plan import Line, Plan

HEAD = ("stage", "", "jobs", "to do", "each", "in all", "memory", "disk")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    add_study(parser)
    parser.add_argument(
        "--cores", type=positive, default=os.cpu_count(), help="how many work (default: all here)"
    )
    parser.add_argument(
        "--recordings",
        type=positive,
        metavar="N",
        help="on paper: suppose so many recordings like those there are, and nothing done yet",
    )
    parser.add_argument("--json", action="store_true", help="print all numbers, in s and bytes")


def run(args: argparse.Namespace) -> None:
    """Print what a study would take: jobs, time, memory and disk of each stage."""
    study, layout = open_study(args)

    from deepself.planning.plan import plan, write_requests

    found = plan(study, layout, args.recordings)
    if args.recordings is None and layout.inventory.exists():
        write_requests(study, layout, found)
    if args.json:
        print(json.dumps(_numbers(found, args.cores), indent=2))
    else:
        _print(found, args.cores)


def _numbers(found: "Plan", cores: int) -> dict[str, Any]:
    from deepself.planning.plan import requests

    counted = found.counted
    return {
        "study": found.study,
        "recordings": counted.recordings,
        "folds": counted.folds,
        "lines": [asdict(line) | {"to_do": line.to_do} for line in found.lines],
        "jobs": found.jobs,
        "core_seconds": found.core_seconds,
        "cores": cores,
        "seconds": found.seconds(cores),
        "disk": found.disk,
        "requests": requests(found),
    }


def _print(found: "Plan", cores: int) -> None:
    from deepself.planning.units import units
    from deepself.report.page import counted, seconds, size

    folds = counted(len(found.counted.folds), "fold")
    print(f"{found.study}: {counted(found.counted.recordings, 'recording')}, {folds}")
    rows = [HEAD, *(_row(line) for line in found.lines)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        words = [f"{text:{width}}" for text, width in zip(row[:2], widths, strict=False)]
        numbers = [f"{t:>{w}}" for t, w in zip(row[2:], widths[2:], strict=True)]
        print("  ".join([*words, *numbers]).rstrip())
    print(
        f"to do: {counted(found.jobs, 'job')}, {seconds(found.core_seconds)} of one core, about "
        f"{seconds(found.seconds(cores))} on {counted(cores, 'core')}; {size(found.disk)} on disk "
        "in the end"
    )
    anew = sum(line.anew for line in found.lines)
    if anew:
        print(
            f"{counted(anew, 'job')} of these once more: their files are of other settings or data"
        )
    for line in found.lines:
        if line.each is None and line.to_do:
            why = f" ({line.why})" if line.why else ""
            print(f"{f'{line.stage} {line.name}'.strip()}: not known beforehand{why}")
    unit = units()
    missed = unit.missed_by["step"]
    print(
        "* measured, from jobs that are done. Features are estimated from those of a few "
        f"recordings made here; training from units measured on {unit.about['machine']}, by which "
        f"other networks were missed by a factor of {missed['median']:.1f} in the median and "
        f"{missed['largest']:.1f} at most. No GPU has been measured: there, networks take less."
    )


def _row(line: "Line") -> tuple[str, ...]:
    from deepself.report.page import seconds, size

    cost = line.each
    if cost is None:
        each = ("–",) * 4
    else:
        mark = "*" if cost.measured else ""
        each = (
            seconds(cost.seconds) + mark,
            seconds(line.to_do * cost.seconds),
            size(cost.memory) if cost.memory else "",
            size(line.jobs * cost.disk) if cost.disk else "",
        )
    return (line.stage, line.name, str(line.jobs), str(line.to_do), *each)
