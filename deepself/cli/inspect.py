"""`deepself inspect`: what is in a feature file, as text and as a page."""

import argparse
from pathlib import Path

from deepself.study.layout import RESULTS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("file", metavar="FILE", type=Path, help="a feature file, KIND-….h5")
    parser.add_argument(
        "--recordings",
        nargs="+",
        metavar="ID",
        help="recordings to draw; default: the first, the middle and the last",
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="PAGE",
        help="the HTML page to write; default: results/inspect/FILE.html for a file below "
        "results/, else FILE.html in the current folder",
    )


def run(args: argparse.Namespace) -> None:
    """Print what the file holds and what made it; write a page that draws some of it."""
    from deepself.report.inspection import inspect_feature, page_of, write_inspection

    found = inspect_feature(args.file, args.recordings)
    page = write_inspection(found, args.output or page_of(args.file, RESULTS))
    made_by = ", ".join(f"{name} {version}" for name, version in found.versions.items())
    facts = {"file": str(found.path), **found.facts, "made by": made_by}
    width = max(map(len, facts))
    for name, text in facts.items():
        print(f"{name:{width}}  {text}")
    print("\nspecification")
    for line in found.specification.splitlines():
        print(f"  {line}")
    print(f"\n{page}")
