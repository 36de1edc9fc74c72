"""`deepself split`."""

import argparse

from deepself.cli.common import add_study, open_study


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    add_study(parser)


def run(args: argparse.Namespace) -> None:
    """Assign items to folds and partitions."""
    study, layout = open_study(args)

    from deepself.dataset.folds import split_study

    found = split_study(study, layout)
    print(
        f"{found['items']} items, {len(found['classes'])} classes, "
        f"{len(found['folds'])} folds: {layout.folds}"
    )
