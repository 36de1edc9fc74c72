"""`deepself track`: log the study to MLflow."""

import argparse

from deepself.cli.common import add_study, open_study


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    add_study(parser)


def run(args: argparse.Namespace) -> None:
    """Track."""
    from deepself.tracking.log import track

    study, layout = open_study(args)
    outcome = track(study, layout)
    print(f"{layout.tracking}: {outcome}")
