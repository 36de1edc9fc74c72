"""`deepself train`."""

import argparse
import signal
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deepself.cli.common import add_device, add_study, open_study, positive
from deepself.cli.fetch import bring_missing
from deepself.cli.hyperparameters import add_hyperparameters, changed, given
from deepself.errors import UserError
from deepself.store.files import TakenOverError
from deepself.store.published import weights_file
from deepself.study import Study
from deepself.study.features import FILMS, WAVEFORMS
from deepself.study.identity import digest, read_dataset
from deepself.study.layout import RESULTS
from deepself.study.networks import Branches
from deepself.study.references import problems

if TYPE_CHECKING:
    from deepself.training.job import Job

OWN = RESULTS / "train"
"""Where runs go that are no part of a study's results."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.epilog = (
        "With a study: one of its runs. Options of network and training change it, and it then "
        "goes to --output, not to the study's results. Without a study: --input, --folds and "
        "--network; of all folds, or of --fold."
    )
    add_study(parser, optional=True)
    parser.add_argument("--model", metavar="NAME", help="a model of the study")
    parser.add_argument("--input", type=Path, metavar="FILE", help="a feature file, KIND-….h5")
    parser.add_argument(
        "--folds",
        type=Path,
        metavar="FILE",
        help="a table with the columns id, label and fold-1, fold-2, …, each of train, dev, test",
    )
    parser.add_argument("--fold", metavar="NAME", help="a fold")
    parser.add_argument("--seed", type=int, help="default: the study's first, or 0")
    parser.add_argument(
        "--all",
        action="store_true",
        help="all folds and seeds of the study, in this job; side by side where the model says so",
    )
    parser.add_argument("--output", type=Path, metavar="FOLDER", help=f"default: below {OWN}/")
    parser.add_argument("--threads", type=positive, default=1, help="CPU threads")
    add_device(parser)
    parser.add_argument(
        "--checkpoint",
        type=_seconds,
        default=60.0,
        metavar="SECONDS",
        help="between two checkpoints; a killed run goes on from the last (default: 60)",
    )
    add_hyperparameters(parser)


def _seconds(text: str) -> float:
    seconds = float(text)
    if not seconds >= 0:
        raise argparse.ArgumentTypeError(f"{text} is less than 0")
    return seconds


def run(args: argparse.Namespace) -> None:
    """Train one model on one fold of a study, or a network on a feature file."""
    # Clusters send it before they end a job; until there is something to save, it says nothing.
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    if args.output is not None and args.output.is_file():
        raise UserError(f"--output: {args.output} is a file; name a folder")
    if args.study is None:
        _train_file(args)
    else:
        _train_study(args)


def _train_study(args: argparse.Namespace) -> None:
    for name in ("input", "folds"):
        if getattr(args, name) is not None:
            raise UserError(f"--{name}: belongs to training without a study")
    if args.all and (args.fold is not None or args.seed is not None):
        raise UserError("--all: takes every fold and seed; leave out --fold and --seed")
    for name in ("model",) if args.all else ("model", "fold"):
        if getattr(args, name) is None:
            raise UserError(f"--{name}: say which of the study to train")
    study, layout = open_study(args)
    if args.model not in study.models:
        known = ", ".join(study.models)
        raise UserError(f"--model: the study has no model {args.model!r}; known: {known}")
    seed = study.seeds[0] if args.seed is None else args.seed
    if seed not in study.seeds:
        raise UserError(f"--seed: {seed} is none of the study's seeds ({study.seeds})")
    folds = read_dataset(layout)["folds"]
    if args.fold not in folds and not args.all:
        raise UserError(f"--fold: the study has no fold {args.fold!r}; known: {', '.join(folds)}")
    own = not given(args)
    if not own:
        study = _changed_study(study, args)

    from deepself.training.job import Run, job_of

    every = [(fold, s) for s in study.seeds for fold in folds]
    wanted = every if args.all else [(args.fold, seed)]
    jobs = [job_of(study, layout, Run(args.model, fold, number)) for fold, number in wanted]
    if not own or args.output is not None:
        # Other options are another folder: what has been trained stays.
        made = digest({"model": jobs[0].specification, "study": study.name})[:6]
        folder = args.output or OWN / f"{study.name}-{args.model}-{made}"
        jobs = [
            replace(job, folder=folder / f"fold-{job.run.fold}" / f"seed-{job.run.seed}")
            for job in jobs
        ]
        own = False
    try:
        records = _train_all(jobs, args, study.models[args.model].folds == "batched")
    except TakenOverError:
        raise
    except Exception:
        # The tables stand on these runs, unless what they left before is still there.
        if own and not all((job.folder / "predictions.csv").exists() for job in jobs):
            layout.withdraw()
        raise
    for record in records:
        _say(record)
    if not own:
        _forget(jobs)
        print(jobs[0].folder.parents[1] if args.all else jobs[0].folder)


def _forget(jobs: list["Job"]) -> None:
    """No workflow will look for these runs."""
    from deepself.store.whole import forget_whole

    for job in jobs:
        forget_whole(job.folder)


def _train_all(jobs: list["Job"], args: argparse.Namespace, batched: bool) -> list[dict[str, Any]]:
    """One run, or all of a model."""
    if not args.all:
        return [_train(jobs[0], args)]
    for job in jobs:
        fetch_missing(job)

    from deepself.training.together import train_side_by_side, train_together

    train_all = train_side_by_side if batched else train_together
    return train_all(jobs, args.threads, args.device, args.checkpoint)


def _changed_study(study: Study, args: argparse.Namespace) -> Study:
    """The study with the options' hyperparameters, checked like one that was read."""
    model = study.models[args.model]
    kind = study.features[model.features[0]].kind
    axes = 2 if kind in WAVEFORMS else 4 if kind in FILMS else 3
    models = {**study.models, args.model: changed(model, args, axes)}
    study = study.model_copy(update={"models": models})
    broken = [f"{path}: {message}" for path, message in problems(study)]
    if broken:
        raise UserError("\n".join(broken))
    return study


def _train_file(args: argparse.Namespace) -> None:
    for name in ("input", "folds"):
        if getattr(args, name) is None:
            raise UserError(f"--{name}: say which; or give a study, --model and --fold")
    if args.set or args.model is not None or args.all:
        option = "--set" if args.set else "--model" if args.model is not None else "--all"
        raise UserError(f"{option}: belongs to a study; give one")

    from deepself.training.alone import jobs_of_file

    jobs = jobs_of_file(
        args.input,
        args.folds,
        lambda axes: changed(None, args, axes),
        None if args.fold is None else [args.fold],
        args.seed or 0,
        args.output or OWN,
    )
    records = []
    for job in jobs:
        records.append(_train(job, args))
        _say(records[-1])
    _forget(jobs)
    if len(records) > 1:
        means = {p: _mean(record["scores"][p]["uar"] for record in records) for p in DEV_AND_TEST}
        print(f"mean of {len(records)} folds: dev UAR {means['dev']:.1%}, test {means['test']:.1%}")
    print(jobs[0].folder.parents[1])


DEV_AND_TEST = ("dev", "test")


def _train(job: "Job", args: argparse.Namespace) -> dict[str, Any]:
    fetch_missing(job)

    from deepself.training.run import train

    return train(job, args.threads, args.device, args.checkpoint)


def fetch_missing(job: "Job") -> None:
    """Fetch published weights that are not there; in a workflow, a rule has done it before."""
    networks: dict[str, Any] = {"": job.method}
    if isinstance(job.method, Branches):
        networks = {name: branch.network for name, branch in job.method.branches.items()}
    for name, network in networks.items():
        weights: str | None = getattr(network, "weights", None)
        # What a branch takes from another run lies elsewhere, and is no published file.
        if weights is not None and job.inputs[name].weights == weights_file(
            RESULTS, network.type, weights
        ):
            bring_missing(RESULTS, network.type, weights)


def _mean(values: Any) -> float:
    known = list(values)
    return sum(known) / len(known)


def _say(record: dict[str, Any]) -> None:
    scores, seconds = record["scores"], record["seconds"]["total"]
    print(
        f"{record['model']} fold {record['fold']} seed {record['seed']}: "
        f"dev UAR {scores['dev']['uar']:.1%}, test UAR {scores['test']['uar']:.1%}, {seconds:.1f} s"
    )
    for warning in record["warnings"]:
        print(f"warning: fold {record['fold']} seed {record['seed']} is {warning}")
