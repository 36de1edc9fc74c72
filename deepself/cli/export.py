"""`deepself export`."""

import argparse
from pathlib import Path

from deepself.cli.common import add_study, open_study


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    add_study(parser)
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--model", metavar="NAME", help="a model of the study")
    which.add_argument("--fusion", metavar="NAME", help="a fusion of the study")
    which.add_argument(
        "--best", action="store_true", help="the model or fusion that is best on dev (default)"
    )
    parser.add_argument(
        "--fold",
        action="append",
        metavar="NAME",
        help="only what was trained on this fold; may be given several times (default: all folds, "
        "whose probabilities are averaged)",
    )
    parser.add_argument(
        "--seed", action="append", type=int, metavar="N", help="only this seed; likewise"
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="FOLDER",
        help="the bundle to write (default: results/STUDY/bundles/NAME)",
    )


def run(args: argparse.Namespace) -> None:
    """Write a bundle."""
    from deepself.inference.export import best_system, export, named_system

    study, layout = open_study(args)
    if args.model is not None:
        system = named_system(study, "model", args.model)
    elif args.fusion is not None:
        system = named_system(study, "fusion", args.fusion)
    else:
        system = best_system(study, layout)
    folder = args.output or layout.bundle(system.name)
    export(study, layout, system, folder, args.fold, args.seed)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    reason = f", {system.reason}" if system.reason else ""
    print(f"{folder}: {system.kind} {system.name}{reason}; {size / 1e6:.1f} MB")
    print(f"{folder / 'README.md'}: its model card; fill in licence and contact")
