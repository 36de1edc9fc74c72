"""`deepself fetch`."""

import argparse
from pathlib import Path

from deepself.cli.import_ import add_target, make_target
from deepself.errors import UserError
from deepself.store.published import PUBLISHED

DATA = ("esc10", "esc50", "bonn", "fer2013")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    known = ", ".join(f"{p.file} ({network}, {p.name})" for network, p in PUBLISHED.items())
    parser.add_argument(
        "file",
        metavar="NAME",
        help=f"a public data set: {', '.join(DATA)}; or a published weights file: {known}",
    )
    data = parser.add_argument_group("data sets")
    add_target(data, "data/NAME")
    data.add_argument(
        "--url",
        help="address of the file, or of a folder that holds it, in place of its home; for all "
        "downloads, DEEPSELF_MIRROR names such a folder",
    )
    weights = parser.add_argument_group("weights")
    weights.add_argument("--output", type=Path, metavar="PATH", help="where to put the file")


def run(args: argparse.Namespace) -> None:
    """Fetch a public data set and import it, or a published weights file."""
    if args.file in DATA:
        from deepself.dataset.importers.public import fetch_public

        folder = Path("data") / (args.name or args.file)
        target = make_target(args, folder, args.file, shipped=True)
        print("\n".join(fetch_public(args.file, target, args.url)))
        return
    from deepself.store.weights import fetch_weights

    by_file = {known.file: known for known in PUBLISHED.values()}
    if args.file not in by_file:
        raise UserError(f"{args.file}: not published; known: {', '.join((*DATA, *by_file))}")
    if args.output is None:
        raise UserError(f"{args.file}: say by --output where to put it")
    source = fetch_weights(by_file[args.file], args.output)
    print(f"{args.output}: from {source}, checksum verified")
