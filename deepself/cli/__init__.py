"""The command line: one verb a stage."""

import argparse
import re
import signal
import sys
from importlib import import_module
from keyword import iskeyword

from deepself import __version__
from deepself.errors import UserError, refused

VERBS = {
    "demo": "make the demo's recordings",
    "import": "make a manifest and a starting study of recordings",
    "check": "read every recording once and list every problem",
    "split": "assign items to folds and partitions",
    "preview": "make the features of a few recordings, to see them and what all will take",
    "plan": "tell what a study would take: jobs, time, memory and disk",
    "extract": "make one feature of a study, or vectors of files",
    "inspect": "show what a feature file holds and what made it",
    "fetch": "fetch published data or weights, verified by checksum",
    "networks": "list the networks, what they read, their settings and weights",
    "describe": "print a network layer by layer: shapes, parameters, multiply-adds",
    "trial": "try values of a model's search on one fold",
    "choose": "choose the values of a model's search, on dev",
    "train": "train one model on one fold",
    "watch": "show how far the runs of a study are",
    "fuse": "combine the predictions of several models",
    "score": "score every run and fusion",
    "map": "place the items in the plane, by what the best network makes of them",
    "track": "log the study to MLflow",
    "report": "write the study's report",
    "compare": "compare the models and fusions of several studies of one data set",
    "partial": "score and report what there is of a study of which some runs failed",
    "export": "write a model or fusion as a bundle, to be used elsewhere",
    "predict": "label new recordings with a bundle",
    "explain": "show what in a recording speaks for its label",
    "share": "write a bundle as an MLflow model",
    "convert": "write a bundle as ONNX or as a torch program",
    "schema": "print the JSON schema of the study file",
}


def main(argv: list[str] | None = None) -> int:
    """Run one verb; return the exit status."""
    arguments = sys.argv[1:] if argv is None else argv
    args = _parsed(arguments)
    # A cluster ends jobs by SIGTERM: as an exit, it lets half-written files be removed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        args.run(args)
    except UserError as error:
        for line in str(error).splitlines():
            print(f"deepself {args.verb}: {line}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"deepself {args.verb}: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        return 0
    except OSError as error:  # a full disk, a folder that may not be written to
        print(f"deepself {args.verb}: {refused(error)}", file=sys.stderr)
        return 1
    return 0


def _parsed(arguments: list[str]) -> argparse.Namespace:
    """The arguments, or the end of the process with a hint at what was meant."""
    chosen = arguments[0] if arguments else ""
    parser, own = _parser(chosen)
    if chosen and not chosen.startswith("-") and chosen not in VERBS:
        parser.error(f"unknown verb {chosen!r}{_hint(chosen, list(VERBS))}")
    args, unknown = parser.parse_known_args(arguments)
    if unknown:
        options = re.findall(r"--[\w-]+", own.format_help())
        hint = _hint(unknown[0].split("=")[0], sorted(set(options)))
        own.error(f"unrecognized arguments: {' '.join(unknown)}{hint}")
    return args


def _hint(word: str, known: list[str]) -> str:
    from deepself.study.explain import nearest  # it takes a while, which only an error may

    return nearest(word, known)


def _parser(chosen: str) -> tuple[argparse.ArgumentParser, argparse.ArgumentParser]:
    """The parser, and the chosen verb's own.

    Only the chosen verb's module is imported: `--help` and each job start fast.
    """
    parser = own = argparse.ArgumentParser(prog="deepself", description=__doc__)
    parser.add_argument("--version", action="version", version=f"deepself {__version__}")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    for verb, summary in VERBS.items():
        sub = verbs.add_parser(verb, help=summary, description=f"{summary.capitalize()}.")
        if verb == chosen:
            # A module may not be called as Python's own words are, such as import.
            module = import_module(f"deepself.cli.{verb}{'_' * iskeyword(verb)}")
            module.add_arguments(sub)
            sub.set_defaults(run=module.run)
            own = sub
    return parser, own
