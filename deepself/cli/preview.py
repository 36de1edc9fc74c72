"""`deepself preview`: the features of a few recordings, before all are made."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from deepself.cli.common import add_study, open_study, positive
from deepself.errors import UserError

if TYPE_CHECKING:
    from deepself.report.preview import Preview


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    add_study(parser)
    parser.add_argument(
        "--recordings",
        type=positive,
        default=3,
        metavar="N",
        help="how many: the first of each class, then the second of each (default: 3)",
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="PAGE",
        help="the HTML page to write; default: results/STUDY/preview.html",
    )


def run(args: argparse.Namespace) -> None:
    """Make a few recordings' features; print what all will take, and write a page of them."""
    study, layout = open_study(args)

    from deepself.report.preview import preview, write_preview

    found = preview(study, layout, args.recordings)
    page = write_preview(found, args.output or layout.folder / "preview.html")
    for row in found.left_out:
        print(f"left out: row {row['row']} ({row['id']}): {row['path']}: {row['reason']}")
    _print_table(found)
    for note in found.notes:
        print(note)
    print(page)
    problems = [f"features.{e.feature}: {e.problem}" for e in found.estimates if e.problem]
    if problems:
        raise UserError("\n".join(problems))


def _print_table(found: "Preview") -> None:
    from deepself.report.page import seconds, size

    rows = [("feature", "shape", "size in all", "time in all")]
    rows += [(e.feature, e.shape_text, size(e.bytes), seconds(e.seconds)) for e in found.made]
    if len(found.made) > 1:
        totals = (sum(e.bytes for e in found.made), sum(e.seconds for e in found.made))
        rows.append(("all", "", size(totals[0]), seconds(totals[1])))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for name, shape, *numbers in rows:
        cells = [f"{text:>{width}}" for text, width in zip(numbers, widths[2:], strict=True)]
        print("  ".join([f"{name:{widths[0]}}", f"{shape:{widths[1]}}", *cells]))
    for e in found.estimates:
        if not e.shape:
            print(f"{e.feature}: {e.missing or 'cannot be made'}")
