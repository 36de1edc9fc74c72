"""`deepself convert`."""

import argparse
from pathlib import Path

from deepself.cli.common import add_bundle, add_part


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    add_bundle(parser)
    parser.add_argument(
        "--to",
        choices=("onnx", "torch"),
        required=True,
        help="onnx: a graph for ONNX Runtime and others; torch: for torch.export.load",
    )
    parser.add_argument(
        "--output", type=Path, required=True, metavar="FILE", help="as *.onnx or *.pt2"
    )
    add_part(parser)
    parser.add_argument(
        "--features",
        choices=("auto", "outside"),
        default="auto",
        help="auto: the program makes those features that it can; outside: it is given all",
    )


def run(args: argparse.Namespace) -> None:
    """Write a program, and say what it takes."""
    from deepself.inference.bundle import Bundle
    from deepself.inference.program import Program
    from deepself.inference.program.writing import write

    bundle = Bundle(args.bundle, "cpu")
    program = Program(
        bundle, fold=args.fold, calibrated=args.calibrated, outside=args.features == "outside"
    )
    written = write(bundle, program, args.to, args.output, args.calibrated, args.fold)
    print(f"{written.path}: {args.output.stat().st_size / 1e6:.1f} MB")
    for one in written.inputs:
        shape = ", ".join(map(str, one.described()["shape"]))
        print(f"takes {one.name} ({shape}): {one.to_do}")
    print(
        f"gives probabilities (batch, {len(bundle.classes)}) and label (batch): its class's place"
    )
    print(f"read back, its probabilities differ by up to {written.difference:.1e}")
    print(f"those of the bundle differ by up to {written.from_bundle:.1e}")
