"""`deepself explain`."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from deepself.cli.common import add_bundle, add_device, add_part, add_sample_rate
from deepself.errors import UserError

if TYPE_CHECKING:
    from deepself.inference.explaining import Explanation

METHODS = ("integrated_gradients", "grad_cam", "occlusion")
FORMATS = (".html", ".png", ".npz")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    add_bundle(parser)
    parser.add_argument(
        "files",
        nargs="+",
        metavar="FILE",
        help="one recording; of a model of several modalities MODALITY=FILE each",
    )
    parser.add_argument(
        "--method",
        choices=METHODS,
        help="default: integrated gradients of networks, occlusion of classifiers",
    )
    parser.add_argument(
        "--target", metavar="CLASS", help="what the evidence is for (default: the label)"
    )
    add_part(parser, calibrated=False)
    add_sample_rate(parser)
    parser.add_argument(
        "--output",
        type=Path,
        metavar="FILE",
        help="*.html, *.png, or *.npz with the numbers (default: explained-FILE.html here)",
    )
    add_device(parser)


def run(args: argparse.Namespace) -> None:
    """Explain one recording, print what each member contributes, and write what was found."""
    first = Path(args.files[0].partition("=")[2] or args.files[0])
    output = args.output or Path(f"explained-{first.stem}.html")
    if output.suffix.lower() not in FORMATS:
        raise UserError(f"--output {output}: name it {', '.join('*' + one for one in FORMATS)}")
    if output.is_dir():
        raise UserError(f"--output {output}: is a folder; name a file")

    from deepself.inference.bundle import Bundle
    from deepself.inference.explaining import explain

    bundle = Bundle(args.bundle, args.device)
    found = explain(
        bundle,
        _sources(args.files, list(bundle.spec.modalities)),
        args.sample_rate,
        method=args.method,
        target=args.target,
        fold=args.fold,
    )
    output.parent.mkdir(parents=True, exist_ok=True)
    _write(found, output)
    _print(found)
    print(output)


def _sources(files: list[str], modalities: list[str]) -> Path | dict[str, Path]:
    """The files of each modality; of one modality, its file alone."""
    if len(modalities) == 1:
        if len(files) > 1:
            raise UserError(f"{files[1]}: one recording at a time; give a single FILE")
        return Path(files[0].removeprefix(f"{modalities[0]}="))
    found = {}
    for file in files:
        name, equals, path = file.partition("=")
        if not equals or name not in modalities or name in found:
            wanted = " ".join(f"{one}=FILE" for one in modalities)
            raise UserError(f"{file}: the model reads {len(modalities)} modalities: give {wanted}")
        found[name] = Path(path)
    return found  # one that lacks is named where the recording is read


def _write(found: "Explanation", output: Path) -> None:
    suffix = output.suffix.lower()
    if suffix == ".npz":
        found.save(output)
        return

    from deepself.report.explained import write_explanation, write_picture

    write = write_picture if suffix == ".png" else write_explanation
    write(found, output)


def _print(found: "Explanation") -> None:
    print(f"{found.recording}: {found.label} ({found.probabilities[found.label]:.3f})")
    for note in found.notes:
        print(f"note: {note}")
    if found.target != found.label:
        print(f"evidence for {found.target} ({found.probability:.3f})")
    for member in found.members:
        share = f", share {member.share:.3f}" if len(found.members) > 1 else ""
        missed = ""
        if member.completeness is not None:
            missed = f"; sum within {100 * member.completeness.error:.2g} % of the logit's change"
        print(
            f"{member.name}: {member.method} of the {member.quantity}, {member.about}{missed}; "
            f"probability {member.probability:.3f}{share}"
        )
    if found.rule:
        print(f"share: {found.rule}")
