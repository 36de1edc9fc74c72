"""`deepself train`."""

import argparse

from deepself.cli.common import add_study, open_study, positive
from deepself.errors import UserError
from deepself.store.files import TakenOverError
from deepself.study.identity import read_dataset


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    add_study(parser)
    parser.add_argument("--model", required=True, metavar="NAME", help="a model of the study")
    parser.add_argument("--fold", required=True, metavar="NAME", help="a fold of the study")
    parser.add_argument("--seed", type=int, help="default: the study's first")
    parser.add_argument("--threads", type=positive, default=1, help="CPU threads")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")


def run(args: argparse.Namespace) -> None:
    """Train one model on one fold."""
    study, layout = open_study(args)
    if args.model not in study.models:
        known = ", ".join(study.models)
        raise UserError(f"--model: the study has no model {args.model!r}; known: {known}")

    seed = study.seeds[0] if args.seed is None else args.seed
    if seed not in study.seeds:
        raise UserError(f"--seed: {seed} is none of the study's seeds ({study.seeds})")

    folds = read_dataset(layout)["folds"]
    if args.fold not in folds:
        raise UserError(f"--fold: the study has no fold {args.fold!r}; known: {', '.join(folds)}")

    from deepself.training.run import Run, train

    try:
        record = train(study, layout, Run(args.model, args.fold, seed), args.threads, args.device)
    except TakenOverError:
        raise
    except Exception:
        # The tables stand on this run, unless what it left before is still there.
        if not (layout.run(args.model, args.fold, seed) / "predictions.csv").exists():
            layout.withdraw()
        raise
    scores, seconds = record["scores"], record["seconds"]["total"]
    print(
        f"{args.model} fold {args.fold} seed {seed}: dev UAR {scores['dev']['uar']:.1%}, "
        f"test UAR {scores['test']['uar']:.1%}, {seconds:.1f} s"
    )
