"""`deepself compare`: one page over the systems of several studies of one data set."""

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument(
        "studies", metavar="STUDY", nargs="+", help="YAML files of two or more scored studies"
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="PAGE",
        help="the HTML page to write, with its tables in a folder of the same name; "
        "default: results/compare/A-B.html",
    )


def run(args: argparse.Namespace) -> None:
    """Compare."""
    from deepself.evaluation.across import Scored, across
    from deepself.report.compare import page_of, write_comparison
    from deepself.report.ranking import indistinct
    from deepself.study import Layout, load

    studies = [load(file) for file in args.studies]
    found = across(
        [
            Scored(file, study, Layout(study.name))
            for file, study in zip(args.studies, studies, strict=True)
        ]
    )
    page = args.output or page_of(found)
    ranked = write_comparison(found, page)
    best, equal = ranked[0], len(indistinct(ranked))
    test = best.test
    print(
        f"{page}: best mean test UAR {test.mean:.3f} (95 % interval {test.low:.3f} to "
        f"{test.high:.3f}): {best.kind} {best.name}, which cannot be told from {equal} of "
        f"{len(ranked) - 1} others"
    )
    for said in [f"on test only: {found.other_dev}"] * bool(found.other_dev) + found.remarks:
        print(said)
