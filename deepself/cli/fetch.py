"""`deepself fetch`."""

import argparse
from dataclasses import replace
from pathlib import Path

from deepself.cli.import_ import add_target, make_target
from deepself.errors import UserError
from deepself.store.published import (
    HUB,
    TIMM_FILE,
    Published,
    published,
    published_files,
    timm_weights,
    weights_file,
)

DATA = ("esc10", "esc50", "bonn", "fer2013")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument(
        "file",
        metavar="NAME",
        help=f"a public data set: {', '.join(DATA)}; or the file of published weights, under the "
        "name that the workflow gives it in results/weights/: resnet18-f37072fd.pth, or of timm's "
        "timm-ARCHITECTURE.TAG.safetensors",
    )
    data = parser.add_argument_group("data sets")
    add_target(data, "data/NAME")
    data.add_argument(
        "--url",
        help="address of the file, or of a folder that holds it, in place of its home; for all "
        "downloads, DEEPSELF_MIRROR names such a folder",
    )
    weights = parser.add_argument_group("weights")
    weights.add_argument("--output", type=Path, metavar="PATH", help="where to put the file")


def run(args: argparse.Namespace) -> None:
    """Fetch a public data set and import it, or a published weights file."""
    if args.file in DATA:
        from deepself.dataset.importers.public import fetch_public

        folder = Path("data") / (args.name or args.file)
        target = make_target(args, folder, args.file, shipped=True)
        print("\n".join(fetch_public(args.file, target, args.url)))
        return
    known = _known(args.file)
    if args.output is None:
        raise UserError(f"{args.file}: say by --output where to put it")
    print(f"{args.output}: {bring(known, args.output)}")


def bring_missing(results: Path, network: str, weights: str) -> None:
    """Bring published weights to where the stages look for them, unless they are there.

    In a workflow, a rule has done it before.
    """
    known, path = published(network, weights), weights_file(results, network, weights)
    if known is not None and not path.exists():
        print(f"{path}: {bring(known, path)}")


def bring(known: Published, output: Path) -> str:
    """Bring a published weights file to `output`; say where it came from, and how it was verified.

    Raises
    ------
    UserError
        It cannot be had, or is not what was published.
    """
    from deepself.store.weights import fetch_weights, find_weights

    of_timm = TIMM_FILE.fullmatch(known.file)
    if of_timm and find_weights(known) is None:
        known = replace(known, url=_on_hub(*of_timm.groups()))
    return fetch_weights(known, output)


def _known(file: str) -> Published:
    """The published weights that a file's name stands for."""
    of_timm = TIMM_FILE.fullmatch(file)
    if of_timm:
        return timm_weights(*of_timm.groups())
    files = published_files()
    if file not in files:
        from deepself.study.explain import nearest

        near = nearest(file, [*DATA, *files]).partition("did you mean")
        hint = f"; did you mean{near[2]}" if near[1] else ""
        weights = "files of published weights"
        raise UserError(f"{file}: not published; known: {', '.join(DATA)}, and {weights}{hint}")
    return files[file]


def _on_hub(architecture: str, tag: str) -> str:
    """The address of timm's weights, which the installed timm knows."""
    try:
        from deepself.networks._torchvision import import_torchvision

        import_torchvision()  # timm imports it, and would stop where its operators do not load
        import timm
    except ImportError:
        raise UserError("timm's weights need timm: pip install timm") from None
    from deepself.study.explain import nearest

    if not timm.is_model(architecture):
        known = nearest(architecture, timm.list_models()).partition("; known")[0]
        raise UserError(f"timm has no architecture {architecture!r}{known}")
    whole = f"{architecture}.{tag}"
    names = [n for n in timm.list_pretrained() if n.partition(".")[0] == architecture]
    if whole not in names:
        tags = [name.partition(".")[2] for name in names]
        raise UserError(f"timm/{architecture} has no weights {tag!r}{nearest(tag, tags)}")
    source = timm.get_pretrained_cfg(whole)
    assert source is not None
    if not source.hf_hub_id:
        raise UserError(
            f"timm's weights {whole} have their home at {source.url}: download them there, and "
            "give the file's path as weights"
        )
    return f"{HUB}/{source.hf_hub_id}/resolve/main/{source.hf_hub_filename or 'model.safetensors'}"
