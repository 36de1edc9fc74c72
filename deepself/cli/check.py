"""`deepself check`."""

import argparse

from deepself.cli.common import add_study, open_study, positive
from deepself.errors import UserError

SHOWN = 10
"""Lines of one sort before the rest is only counted."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    add_study(parser)
    parser.add_argument("--threads", type=positive, default=1, help="processes that read")


def run(args: argparse.Namespace) -> None:
    """Read every recording that has changed; write the inventory, or list every problem."""
    study, layout = open_study(args)

    from deepself.dataset.inventory import take_inventory

    found = take_inventory(study, layout, args.threads)
    _list("left out", found.skipped)
    _list("noticed", found.repeated)
    print(f"{found.usable} recordings are fine ({found.read} files read): {layout.inventory}")
    if found.skipped:
        print(f"{len(found.skipped)} were left out: {layout.skipped}")

    from deepself.planning.plan import plan, write_requests

    try:
        write_requests(study, layout, plan(study, layout))
    except UserError:
        # Without it the workflow takes the check for done; what was read is remembered elsewhere.
        layout.inventory.unlink(missing_ok=True)
        raise


def _list(what: str, lines: list[str]) -> None:
    for line in lines[:SHOWN]:
        print(f"{what}: {line}")
    if len(lines) > SHOWN:
        print(f"{what}: and {len(lines) - SHOWN} more")
