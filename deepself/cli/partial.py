"""`deepself partial`: score and report what there is of a study of which some runs failed."""

import argparse

from deepself.cli.common import add_study, open_study


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    add_study(parser)


def run(args: argparse.Namespace) -> None:
    """Score and report."""
    from deepself.evaluation.partial import complete_part
    from deepself.evaluation.scores import score_study
    from deepself.report.paper.export import export
    from deepself.report.render import render

    study, layout, incomplete = complete_part(*open_study(args))
    score_study(study, layout)
    path = render(study, layout, command=f"deepself partial {args.study}", incomplete=incomplete)
    export(study, layout)
    names = ", ".join(f"{one.kind} {one.name}" for one in incomplete)
    print(f"{path}: without {names}" if names else f"{path}: nothing is missing")
