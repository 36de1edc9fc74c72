"""What several verbs share."""

import argparse

from deepself.study import Layout, Study, load


def add_study(parser: argparse.ArgumentParser, optional: bool = False) -> None:
    """Add the study file and its overrides."""
    many = "?" if optional else None
    parser.add_argument("study", metavar="STUDY", nargs=many, help="the study's YAML file")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY.PATH=VALUE",
        help="override one value of the study; may be given several times",
    )


def positive(text: str) -> int:
    """Parse a number that is at least 1."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is less than 1")
    return number


def natural(text: str) -> int:
    """Parse a number that is at least 0."""
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"{number} is less than 0")
    return number


def open_study(args: argparse.Namespace) -> tuple[Study, Layout]:
    """Read the study that the arguments name, and where its results lie."""
    study = load(args.study, args.set)
    return study, Layout(study.name)
