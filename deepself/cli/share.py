"""`deepself share`."""

import argparse
from pathlib import Path

from deepself.cli.common import add_bundle
from deepself.errors import UserError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    add_bundle(parser)
    parser.add_argument("--output", type=Path, metavar="FOLDER", help="the MLflow model to write")
    parser.add_argument(
        "--register", metavar="NAME", help="also log it to a tracking server, as a model's version"
    )
    parser.add_argument(
        "--tracking-uri", metavar="URI", help="of that server, such as sqlite:///mlflow.db"
    )


def run(args: argparse.Namespace) -> None:
    """Write an MLflow model, or register one."""
    if args.output is None and args.register is None:
        raise UserError("say where to: --output FOLDER, or --register NAME --tracking-uri URI")
    if (args.register is None) != (args.tracking_uri is None):
        raise UserError("--register and --tracking-uri: give both")

    from deepself.tracking.flavour import register, share

    if args.output is not None:
        share(args.bundle, args.output)
        print(f"{args.output}: an MLflow model")
        print(f"mlflow models serve -m {args.output} --env-manager local --port 5000")
    if args.register is not None:
        number = register(args.bundle, args.register, args.tracking_uri)
        print(f"{args.register}: version {number}, logged to the tracking server")
