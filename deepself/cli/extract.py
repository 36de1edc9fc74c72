"""`deepself extract`."""

import argparse
from pathlib import Path

from deepself.cli.common import add_study, open_study, positive
from deepself.errors import UserError
from deepself.study import Layout, Study


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    add_study(parser)
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--feature", metavar="NAME", help="a feature of the study")
    which.add_argument("--output", metavar="FILE", type=Path, help="the file of a feature")
    parser.add_argument("--threads", type=positive, default=1, help="threads that read and compute")


def run(args: argparse.Namespace) -> None:
    """Make one feature of all recordings."""
    study, layout = open_study(args)
    name = args.feature or _feature_of(study, layout, args.output)
    if name not in study.features:
        known = ", ".join(study.features)
        raise UserError(f"--feature: the study has no feature {name!r}; known: {known}")

    from deepself.features.extract import extract

    print(f"{name}: {extract(study, layout, name, args.threads)}")


def _feature_of(study: Study, layout: Layout, path: Path) -> str:
    from deepself.study.identity import feature_file

    for name in study.features:
        if feature_file(study, layout, name) == path:
            return name
    raise UserError(f"{path}: no feature of this study has this file; the study has changed since")
