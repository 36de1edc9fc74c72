"""`deepself predict`."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from deepself.cli.common import add_bundle, add_device, add_part, add_sample_rate, positive
from deepself.errors import UserError

if TYPE_CHECKING:
    from deepself.inference.answers import Asked, Prediction
    from deepself.inference.bundle import Bundle
    from deepself.inference.items import Item
    from deepself.inference.tables import Output

OWN = "own"
"""In place of seconds: the model's own length."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    add_bundle(parser)
    parser.add_argument(
        "recordings",
        type=Path,
        nargs="+",
        metavar="PATH",
        help="files, folders, or a manifest: a CSV table with a column a modality",
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="FILE",
        help="*.csv, *.parquet or *.jsonl (default: CSV on the standard output)",
    )
    add_part(parser)
    parser.add_argument(
        "--unsure",
        type=float,
        metavar="P",
        help="mark answers whose label has a lower probability",
    )
    parser.add_argument(
        "--windows",
        nargs="?",
        const=OWN,
        metavar="SECONDS",
        help="a row a window of long recordings, with its times (default: the model's own length)",
    )
    parser.add_argument(
        "--hop", type=float, metavar="SECONDS", help="from one window's start to the next's"
    )
    add_sample_rate(parser)
    add_device(parser)
    parser.add_argument(
        "--threads", type=positive, default=1, help="threads that read and make features"
    )


def run(args: argparse.Namespace) -> None:
    """Predict recordings, and list those that cannot be read."""
    if args.hop is not None and args.windows is None:
        raise UserError("--hop: belongs to --windows")
    seconds = None
    if args.windows not in (None, OWN):
        try:
            seconds = float(args.windows)
        except ValueError:
            raise UserError(
                f"--windows: {args.windows!r} is no number of seconds; put --windows behind the "
                "recordings"
            ) from None

    from deepself.inference.answers import Asked
    from deepself.inference.bundle import Bundle
    from deepself.inference.items import find_items
    from deepself.inference.tables import Output, columns

    bundle = Bundle(args.bundle, args.device)
    items = find_items(args.recordings, bundle.spec.modalities, bundle.spec.merge)
    asked = Asked(
        args.fold,
        args.calibrated,
        args.unsure,
        None if args.windows is None else bundle.window(seconds, args.hop),
        args.sample_rate,
    )
    bundle.check(asked)
    labelled = any(item.label is not None for item in items)
    with Output(args.output, columns(bundle.classes, asked, labelled)) as output:
        problems, scored = _predict(bundle, items, asked, args.threads, output, labelled)
    if args.output is not None:
        done = f"{len(items) - len(problems)} of {len(items)} recordings"
        print(f"{args.output}: {done}" if output.rows else f"{done}: no table")
    if labelled and asked.window is None:
        _score(bundle, scored)
    if problems:
        found = f"{len(problems)} of {len(items)} recordings could not be predicted"
        raise UserError("\n".join([*problems, found]))


def _predict(
    bundle: "Bundle",
    items: list["Item"],
    asked: "Asked",
    workers: int,
    output: "Output",
    labelled: bool,
) -> tuple[list[str], list[tuple[str, "Prediction"]]]:
    """Write a row a prediction; return what went wrong, and true labels with what was said."""
    from tqdm import tqdm

    from deepself.inference.tables import rows

    problems, scored = [], []
    bar = tqdm(total=len(items), unit="file", disable=not sys.stderr.isatty())
    with bar:
        sources = ((item.name, item.paths) for item in items)
        for item, answer in zip(items, bundle.stream(sources, asked, workers), strict=True):
            for row in rows(answer, asked, item.label, labelled):
                output.write(row)
            if answer.problem:
                problems.append(f"{_named(item)}: {answer.problem}")
            elif item.label is not None and asked.window is None:
                scored.append((item.label, answer.predictions[0]))
            bar.update()
    return problems, scored


def _named(item: "Item") -> str:
    """A recording, and where it lies if its name does not say so."""
    paths = ", ".join(map(str, item.paths.values()))
    return item.name if paths == item.name else f"{item.name} ({paths})"


def _score(bundle: "Bundle", scored: list[tuple[str, "Prediction"]]) -> None:
    """Say how many labelled recordings are predicted rightly, and of how many that says little."""
    import numpy as np

    from deepself.evaluation.metrics import accuracy, uar
    from deepself.inference.learnt import NOTE

    place = {label: number for number, label in enumerate(bundle.classes)}
    odd = sorted({true for true, _ in scored if true not in place})
    if odd:
        known = [one for one in scored if one[0] in place]
        left = len(scored) - len(known)
        print(f"not scored: {left}, as the model knows no class {odd[0]!r}", file=sys.stderr)
        scored = known
    if scored:
        true = np.array([place[label] for label, _ in scored])
        said = np.array([place[one.label] for _, one in scored])
        print(
            f"UAR {uar(true, said, len(place)):.1%}, accuracy {accuracy(true, said):.1%} of "
            f"{len(scored)} labelled recordings",
            file=sys.stderr,
        )
        learnt = sum(NOTE in one.notes for _, one in scored)
        if learnt:
            print(
                f"{learnt} of them are the study's own, which the model has learnt from: this says "
                "nothing of others; the study's report has what it is worth",
                file=sys.stderr,
            )
