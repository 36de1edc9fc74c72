"""`deepself fuse`: combine the predictions of several models, on one fold with one seed."""

import argparse
from typing import Any

from deepself.cli.common import add_study, open_study


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    add_study(parser)
    parser.add_argument("--fusion", required=True, metavar="NAME", help="a fusion of the study")
    parser.add_argument("--fold", required=True, metavar="FOLD", help="a fold's name")
    parser.add_argument("--seed", type=int, metavar="SEED", help="default: the study's first")


def run(args: argparse.Namespace) -> None:
    """Fuse."""
    from deepself.fusion.job import fuse
    from deepself.store.files import read_json

    study, layout = open_study(args)
    seed = study.seeds[0] if args.seed is None else args.seed
    folder = fuse(study, layout, args.fusion, args.fold, seed)
    record = read_json(folder / "fusion.json")
    print(
        f"{folder}: {_chosen(record)}: "
        f"dev UAR {record['scores']['dev']['uar']:.3f}, "
        f"test UAR {record['scores']['test']['uar']:.3f}"
    )


def _chosen(record: dict[str, Any], limit: int = 4) -> str:
    """What was combined, and how; of many, their number."""
    names, method = record["chosen"], record["method"]
    if len(names) <= limit:
        shown = " + ".join(names)
    else:
        shown = f"{len(names)} of {len(record['members'])} candidates"
    return f"{method} of {shown}"
