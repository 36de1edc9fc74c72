"""`deepself fetch`."""

import argparse
from pathlib import Path

from deepself.errors import UserError
from deepself.store.published import PUBLISHED


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    known = ", ".join(f"{p.file} ({network}, {p.name})" for network, p in PUBLISHED.items())
    parser.add_argument("file", metavar="FILE", help=f"a published weights file: {known}")
    parser.add_argument("--output", type=Path, required=True, help="where to put it")


def run(args: argparse.Namespace) -> None:
    """Fetch a published weights file and verify its checksum."""
    from deepself.store.weights import fetch_weights

    by_file = {known.file: known for known in PUBLISHED.values()}
    if args.file not in by_file:
        raise UserError(f"{args.file}: not published; known: {', '.join(by_file)}")
    source = fetch_weights(by_file[args.file], args.output)
    print(f"{args.output}: from {source}, checksum verified")
