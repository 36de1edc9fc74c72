"""`deepself report`: write the study's report."""

import argparse
import shlex

from deepself.cli.common import add_study, open_study


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    add_study(parser)
    parser.add_argument(
        "--command",
        metavar="TEXT",
        help="the command that repeats the study, as the report shall give it",
    )


def run(args: argparse.Namespace) -> None:
    """Write the report."""
    from deepself.report.paper.export import export
    from deepself.report.render import render

    study, layout = open_study(args)
    path = render(study, layout, command=args.command or _command(args))
    tables, figures = export(study, layout)
    print(f"{path}: {path.stat().st_size / 1e6:.1f} MB, one file, open it in any browser")
    print(f"{layout.tables}, {layout.figures}: {len(tables)} and {len(figures)} files for a paper")


def _command(args: argparse.Namespace) -> str:
    """The workflow's command; where values were overridden, the report's copy is the study.

    The workflow gives its own copy below results/, which git does not keep: so the page says
    that the study which it holds can take that file's place.
    """
    study = "study.yaml" if args.set else shlex.quote(args.study)
    return f"snakemake --cores all --configfile {study}"
