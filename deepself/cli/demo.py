"""`deepself demo`."""

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("folder", metavar="FOLDER", type=Path, help="where to write them")


def run(args: argparse.Namespace) -> None:
    """Make the demo's recordings."""
    from deepself.dataset.demo import make_demo

    items = make_demo(args.folder)
    print(f"{items} items in {args.folder}/manifest.csv")
