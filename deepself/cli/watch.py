"""`deepself watch`."""

import argparse
import math
import shutil
import sys
import time
from typing import TYPE_CHECKING

from deepself.cli.common import add_study, open_study

if TYPE_CHECKING:
    from deepself.training.progress import Sign
    from deepself.training.watching import Seen, View

EVERY = 1.0
"""Seconds between two looks."""

HEAD = (
    "model", "fold", "seed", "epoch", "", "loss", "dev UAR", "best", "items/s", "left", "host", "",
)  # fmt: skip

WORDS = (0, 1, 4, 10, 11)
"""Columns that begin at the left; numbers end at the right."""

BAR = 10
"""Width of a run's bar."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.epilog = (
        "Runs on other machines are seen, too, where they write to the same results/. A run that "
        "has been silent for a minute, or whose process is gone, is marked. Ctrl-C ends watching, "
        "not the runs."
    )
    add_study(parser)
    parser.add_argument("--once", action="store_true", help="print the table once")


def run(args: argparse.Namespace) -> None:
    """Show the runs of a study until all are finished."""
    from deepself.training.watching import look

    study, layout = open_study(args)
    if args.once or not sys.stdout.isatty():
        print("\n".join(table(look(study, layout))))
        return
    drawn = 0
    try:
        while True:
            view = look(study, layout)
            drawn = _draw(table(view), drawn)
            if view.total and view.finished == view.total:
                return
            time.sleep(EVERY)
    except KeyboardInterrupt:
        return


def table(view: "View") -> list[str]:
    """The lines of the table; the first counts."""
    if not view.total:
        return ["no runs yet: the folds are not known; run split, or the workflow"]
    broken = sum(bool(seen.trouble) for seen in view.runs)
    counts = [
        f"{view.finished} of {view.total} runs finished",
        f"{len(view.runs) - broken} running",
        f"{view.total - view.finished - len(view.runs)} not begun",
    ]
    lines = [", ".join(counts + ([f"{broken} in trouble"] if broken else []))]
    if not view.runs:
        return lines
    rows = [HEAD, *(_cells(seen) for seen in view.runs)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(HEAD))]
    for row in rows:
        cells = (
            cell.ljust(width) if i in WORDS else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        lines.append("  ".join(cells).rstrip())
    return lines


def _cells(seen: "Seen") -> tuple[str, ...]:
    from deepself.training.progress import duration

    sign = seen.sign
    return (
        seen.model,
        seen.fold,
        str(seen.seed),
        f"{sign.epoch}/{sign.epochs}",
        _bar(sign),
        _known(sign.loss, "{:.4f}"),
        _known(sign.dev_uar, "{:.1%}"),
        _known(sign.best, "{:.1%}"),
        _known(sign.items_per_second, "{:,.0f}"),
        "–" if sign.seconds_left is None else duration(sign.seconds_left),
        sign.host,
        seen.trouble,
    )


def _known(value: float | None, form: str) -> str:
    return "–" if value is None else form.format(value)


def _bar(sign: "Sign") -> str:
    """How much of all epochs is done."""
    share = (max(0, sign.epoch - 1) + sign.share) / sign.epochs
    full = math.floor(share * BAR)
    return "█" * full + "░" * (BAR - full)


def _draw(lines: list[str], before: int) -> int:
    """Draw lines over those of before, cut to the terminal; return how many there are now."""
    width, height = shutil.get_terminal_size()
    if len(lines) > height - 1:
        hidden = len(lines) - (height - 2)
        lines = [*lines[: height - 2], f"… and {hidden} more"]
    up = f"\x1b[{before}A" if before else ""
    text = "\n".join(line[: width - 1] for line in lines)
    sys.stdout.write(f"{up}\r\x1b[J{text}\n")
    sys.stdout.flush()
    return len(lines)
