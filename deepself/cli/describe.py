"""`deepself describe`."""

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING

from deepself.cli.common import add_study, open_study, positive
from deepself.errors import UserError
from deepself.study.explain import nearest

if TYPE_CHECKING:
    from deepself.networks.base import Network
    from deepself.networks.summary import Summary

Shape = tuple[int, ...]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.epilog = "With STUDY and MODEL, or with --network and --shape."
    add_study(parser, optional=True)
    parser.add_argument("model", nargs="?", metavar="MODEL", help="a model of the study")
    parser.add_argument("--network", metavar="TYPE", help="a network, with its default settings")
    parser.add_argument("--shape", type=positive, nargs="+", metavar="N", help="of an item")
    parser.add_argument("--classes", type=positive, metavar="N", help="default: the study's, or 2")


def run(args: argparse.Namespace) -> None:
    """Print a network layer by layer: shapes, parameters, multiply-adds, memory."""
    if args.network is not None:
        if args.study is not None or args.set:
            raise UserError("--network: in place of a study; leave one of them out")
        network, shapes, batch_size = _alone(args), [tuple(args.shape)], 32
    elif args.study is None or args.model is None:
        raise UserError("give STUDY and MODEL, or --network and --shape")
    elif args.shape is not None:
        raise UserError("--shape: is for --network; a study's feature has its own")
    else:
        network, shapes, batch_size = _of_study(args)

    from deepself.networks.summary import summarise

    try:
        found = summarise(network, shapes)
    except ValueError as error:
        raise UserError(f"network: {error}") from None
    print("\n".join(_lines(network, found, shapes, batch_size)))


def _alone(args: argparse.Namespace) -> "Network":
    from deepself.networks import build
    from deepself.networks.summary import on_paper

    if args.network == "branches":
        raise UserError("--network branches: its branches are in a study; give STUDY and MODEL")
    if args.shape is None:
        raise UserError("--shape: say the shape of an item, as in --shape 3 224 224")
    try:
        return on_paper(lambda: build(args.network, tuple(args.shape), args.classes or 2))
    except ValueError as error:
        raise UserError(f"--network {args.network}: {error}") from None


def _of_study(args: argparse.Namespace) -> "tuple[Network, list[Shape], int]":
    study, layout = open_study(args)
    if args.model not in study.models:
        raise UserError(f"unknown model {args.model!r}{nearest(args.model, list(study.models))}")
    model = study.models[args.model]
    if model.network is None:
        raise UserError(f"{args.model} is a classifier ({model.method.type}); it has no layers")

    from deepself.training.fits import classes_of, network_on_paper, shapes_of

    shapes = shapes_of(study, layout, args.model)
    unknown = [name for name, shape in shapes.items() if shape is None]
    if unknown:
        raise UserError(f"{args.model}: the recordings decide its input's shape; run check first")
    known = {name: shape for name, shape in shapes.items() if shape is not None}
    classes = args.classes or classes_of(study, layout)
    network = network_on_paper(study, args.model, known, classes)
    return network, list(known.values()), model.training.batch_size


def _lines(
    network: "Network", found: "Summary", shapes: list[Shape], batch_size: int
) -> Iterator[str]:
    yield f"{type(network).__name__} over {' and '.join(map(_shape, shapes))}"
    yield ""
    head = ("layer", "type", "gives", "parameters", "multiply-adds")
    rows = [
        (
            layer.name,
            layer.type,
            _shape(layer.shape),
            _count(layer.parameters),
            _count(layer.multiply_adds),
        )
        for layer in found.layers
    ]
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    for row in [head, *rows]:
        left = "  ".join(cell.ljust(width) for cell, width in zip(row[:3], widths[:3], strict=True))
        right = "  ".join(
            cell.rjust(width) for cell, width in zip(row[3:], widths[3:], strict=True)
        )
        yield f"{left}  {right}".rstrip()
    yield ""
    yield f"embedding       {network.embedding_size}"
    yield f"parameters      {found.parameters:,}"
    yield f"multiply-adds   {found.multiply_adds:,} an item"
    yield f"weights         {_bytes(found.weights)}"
    yield f"activations     {_bytes(found.activations)} an item"
    yield (
        f"training        {_bytes(found.training(batch_size))} at least, in batches of {batch_size}"
        " by Adam, without the library's own buffers"
    )


def _shape(shape: Shape) -> str:
    return " × ".join(map(str, shape)) or "1"


def _count(number: int) -> str:
    return f"{number:,}" if number else "–"


def _bytes(size: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            break
        size /= 1000
    return f"{size:.3g} {unit}"
