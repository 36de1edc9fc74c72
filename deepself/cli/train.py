"""`deepself train`."""

import argparse

from deepself.cli.common import add_study, open_study, positive
from deepself.errors import UserError
from deepself.store.files import TakenOverError


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

    from deepself.training.run import Run, train

    try:
        record = train(study, layout, Run(args.model, args.fold, seed), args.threads, args.device)
    except TakenOverError:
        raise
    except Exception:
        layout.withdraw()
        raise
    scores, seconds = record["scores"], record["seconds"]["total"]
    print(
        f"{args.model} fold {args.fold} seed {seed}: dev UAR {scores['dev']['uar']:.1%}, "
        f"test UAR {scores['test']['uar']:.1%}, {seconds:.1f} s"
    )
