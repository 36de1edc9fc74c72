"""What several verbs share."""

import argparse
from pathlib import Path

from deepself.study import Layout, Study, load


def add_study(parser: argparse.ArgumentParser, optional: bool = False) -> None:
    """Add the study file and its overrides."""
    many = "?" if optional else None
    parser.add_argument("study", metavar="STUDY", nargs=many, help="the study's YAML file")
    add_overrides(parser)


def add_overrides(parser: argparse.ArgumentParser) -> None:
    """Add what overrides values of a study."""
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY.PATH=VALUE",
        help="override one value of the study; may be given several times",
    )


def add_bundle(parser: argparse.ArgumentParser) -> None:
    """Add a bundle."""
    parser.add_argument("bundle", type=Path, metavar="BUNDLE", help="what export wrote")


def add_part(parser: argparse.ArgumentParser, calibrated: bool = True) -> None:
    """Add which part of a bundle answers, and perhaps whether what it says is calibrated."""
    parser.add_argument("--fold", metavar="NAME", help="what was trained on this fold alone")
    if calibrated:
        parser.add_argument(
            "--calibrated",
            action="store_true",
            help="bring probabilities to what they were worth on dev",
        )


def add_sample_rate(parser: argparse.ArgumentParser) -> None:
    """Add the rate of recordings that do not say theirs."""
    parser.add_argument(
        "--sample-rate",
        type=float,
        metavar="HZ",
        help="of sensors' files that name none (default: the study's)",
    )


def add_device(parser: argparse.ArgumentParser) -> None:
    """Add where networks compute."""
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")


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
