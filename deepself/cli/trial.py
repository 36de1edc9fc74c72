"""`deepself trial`."""

import argparse
import signal

from deepself.cli.common import add_study, natural, open_study, positive
from deepself.cli.searched import known_fold, said, searched_model
from deepself.cli.train import fetch_missing
from deepself.errors import UserError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.epilog = (
        "Values come from the model's ranges and, by method, from the trials of earlier rounds, "
        "which must have been run. Training sees train and dev; test is not looked at."
    )
    add_study(parser)
    parser.add_argument("--model", required=True, metavar="NAME", help="a model with search")
    parser.add_argument("--fold", required=True, metavar="NAME", help="a fold")
    parser.add_argument("--trial", required=True, type=natural, metavar="N", help="from 0")
    parser.add_argument("--threads", type=positive, default=1, help="CPU threads")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")


def run(args: argparse.Namespace) -> None:
    """Train one trial, and write what it found on dev."""
    # Clusters send it before they end a job; until there is something to save, it says nothing.
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    study, layout = open_study(args)
    model = searched_model(study, args.model)
    known_fold(layout, args.fold)
    if args.trial >= model.trials:
        raise UserError(f"--trial: {args.trial} is none of {model.trials}, counted from 0")

    from deepself.training.trial import prepare_trial, run_trial

    trial = prepare_trial(study, layout, args.model, args.fold, args.trial)
    tried = said(trial.values)
    print(f"{args.model} fold {args.fold} trial {args.trial}: {tried}", flush=True)
    if trial.job is not None:
        fetch_missing(trial.job)
    record = run_trial(trial, args.threads, args.device)
    print(_line(record))


def _line(record: dict) -> str:
    if record["state"] == "failed":
        return f"failed: {record['reason']}"
    best = record["dev"]
    pruned = f", pruned in epoch {record['pruned']}" if record["pruned"] else ""
    found = f"dev UAR {best['uar']:.1%}, loss {best['loss']:.4f} in epoch {best['epoch']}"
    return f"{found}{pruned}, {record['seconds']:.1f} s"
