"""`deepself check`."""

import argparse

from deepself.cli.common import add_study, open_study, positive


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    add_study(parser)
    parser.add_argument("--threads", type=positive, default=1, help="processes that read")


def run(args: argparse.Namespace) -> None:
    """Read every recording once; write the inventory, or list every problem."""
    study, layout = open_study(args)

    from deepself.dataset.inventory import take_inventory

    files = take_inventory(study.dataset, layout.inventory, args.threads)
    print(f"{files} recordings are fine: {layout.inventory}")
