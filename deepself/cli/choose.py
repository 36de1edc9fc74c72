"""`deepself choose`."""

import argparse

from deepself.cli.common import add_study, open_study
from deepself.cli.searched import known_fold, said, searched_model
from deepself.errors import UserError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    add_study(parser)
    parser.add_argument("--model", required=True, metavar="NAME", help="a model with search")
    parser.add_argument("--fold", metavar="NAME", help="a fold, where each chooses for itself")


def run(args: argparse.Namespace) -> None:
    """Choose the best trial by UAR on dev."""
    study, layout = open_study(args)
    search = searched_model(study, args.model).search
    assert search is not None
    if (args.fold is None) == (search.choose == "nested"):
        say = "say which" if args.fold is None else "one choice serves all folds; leave it out"
        raise UserError(f"--fold: {say} (models.{args.model}.search.choose: {search.choose})")
    fold = known_fold(layout, args.fold)

    from deepself.training.choosing import choose

    found = choose(study, layout, args.model, fold)
    dev = "mean dev UAR" if search.choose == "once" else "dev UAR"
    best = f"trial {found['trial']}, {dev} {found['dev']['uar']:.1%}"
    print(f"{args.model}: {best}: {said(found['values'])}")
