"""`deepself extract` without a study: vectors of files, as DeepSpectrum makes them."""

import argparse
import os
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deepself.cli.extract_options import (
    KINDS,
    OF_NETWORK,
    check_network,
    embedding_study,
    given,
)
from deepself.cli.fetch import bring_missing
from deepself.errors import UserError
from deepself.study import Study
from deepself.study.dataset import AnyModality
from deepself.study.features import Embedding
from deepself.study.layout import RESULTS

if TYPE_CHECKING:
    from deepself.inference.embeddings import Maker
    from deepself.inference.items import Item
    from deepself.inference.pieces import Window
    from deepself.inference.vector_tables import VectorTable

PACKAGES = ("torch", "torchvision", "timm", "numpy", "scipy", "librosa", "soxr", "soundfile")
"""What vectors depend on, beside their specification."""


def extract_files(args: argparse.Namespace) -> None:
    """Write a table of vectors of files, and list those that cannot be read."""
    from deepself.inference.growing import check_output
    from deepself.inference.vector_tables import FORMATS

    if args.output is None:
        raise UserError("--output: name the table to write: *.csv, *.arff, *.parquet or *.h5")
    check_output(args.output, FORMATS)
    if args.hop is not None and args.windows is None:
        raise UserError("--hop: belongs to --windows")
    maker, items, about, window = _of_network(args) if args.bundle is None else _of_bundle(args)
    _write(args, maker, items, about, window)


Prepared = tuple["Maker", list["Item"], dict[str, Any], "Window | None"]
"""What makes vectors, of which items and windows, and what a table says of that."""


def _of_network(args: argparse.Namespace) -> Prepared:
    if args.run_name is not None:
        raise UserError("--run: belongs to --bundle")
    check_network(args, None)
    paths = [Path(path) for path in args.paths]
    for path in paths:
        if not path.exists():
            raise UserError(f"{path}: no such file or folder")
    study = embedding_study(args, args.modality or _kind(args, paths))
    modality = next(iter(study.dataset.modalities.values()))
    window = None if args.windows is None else _window(args)

    from deepself.inference.items import find_items

    items = find_items(paths, study.dataset.modalities)
    spec = next(one for one in study.features.values() if isinstance(one, Embedding))
    bring_missing(RESULTS, spec.network, spec.weights)

    from deepself.inference.embeddings import NetworkVectors, count_channels
    from deepself.training.devices import choose_device

    channels = count_channels(modality, [next(iter(item.paths.values())) for item in items])
    device = choose_device(args.device or "auto")
    try:
        maker = NetworkVectors(study, RESULTS, channels, device)
    except UserError as error:
        raise UserError(str(error).replace("--network.layer:", "--layer:", 1)) from None
    return maker, items, _about(study, modality, spec, window), window


def _of_bundle(args: argparse.Namespace) -> Prepared:
    alone = given(args, ("feature", *OF_NETWORK))
    if alone:
        raise UserError(f"{alone[0]}: belongs to --network; a bundle has its own")

    from deepself.inference.bundle import Bundle
    from deepself.inference.bundle_vectors import RunVectors
    from deepself.inference.items import find_items

    bundle = Bundle(args.bundle, args.device or "auto")
    maker = RunVectors(bundle, args.run_name)
    window = None if args.windows is None else bundle.window(args.windows, args.hop)
    about = {"study": bundle.spec.study, "run": maker.name, "made_by": bundle.spec.made_by}
    items = find_items([Path(path) for path in args.paths], maker.modalities)
    return maker, items, about | _shown(window), window


def _window(args: argparse.Namespace) -> "Window":
    from deepself.inference.pieces import Window

    try:
        return Window(args.windows, args.windows if args.hop is None else args.hop)
    except ValueError as error:
        option = "--windows" if str(error).startswith("seconds") else "--hop"
        raise UserError(f"{option}: {error}") from None


def _write(
    args: argparse.Namespace,
    maker: "Maker",
    items: "list[Item]",
    about: dict[str, Any],
    window: "Window | None",
) -> None:
    from tqdm import tqdm

    from deepself.inference.vector_tables import Form, VectorTable
    from deepself.versions import versions

    labels = [_label(args, item) for item in items]
    known = [label for label in labels if label is not None]
    form = Form(
        maker.size,
        window is not None or maker.windowed,
        known or None,
        {"specification": about, "versions": versions(*PACKAGES)},
    )
    bar = tqdm(total=len(items), unit="file", disable=not sys.stderr.isatty())
    with VectorTable(args.output, form) as table, bar:
        rows, problems = _fill(args, table, maker, items, labels, window, bar)
    done = len(items) - len(problems)
    print(f"{args.output}: {done} of {len(items)} files, {rows} vectors of {maker.size} values")
    if problems:
        said = [f"{items[place].name}: {problem}" for place, problem in problems.items()]
        said.append(f"{len(problems)} of {len(items)} files could not be read or used")
        raise UserError("\n".join(said))


def _fill(
    args: argparse.Namespace,
    table: "VectorTable",
    maker: "Maker",
    items: "Sequence[Item]",
    labels: Sequence[str | None],
    window: "Window | None",
    bar: Any,
) -> tuple[int, dict[int, str]]:
    """Write all rows; return how many, and the first problem of each item that has one."""
    from deepself.inference.embeddings import stream
    from deepself.inference.vector_tables import Rows

    rate = None if args.bundle is None else args.sample_rate
    rows, problems = 0, dict[int, str]()
    for made in stream(maker, [item.paths for item in items], window, args.threads, rate):
        if made.values is None:
            problems.setdefault(made.place, made.problem)
        else:
            name, label = items[made.place].name, labels[made.place]
            table.write(Rows(name, made.values, made.starts, label))
            rows += len(made.values)
        bar.update(made.place - bar.n)
    bar.update(len(items) - bar.n)
    return rows, problems


def _label(args: argparse.Namespace, item: "Item") -> str | None:
    if args.label is not None:
        return str(args.label)
    if args.labels_from_folders:
        # A link's own folder, not that of what it leads to.
        return Path(os.path.abspath(next(iter(item.paths.values())))).parent.name
    return item.label


def _about(
    study: Study, modality: AnyModality, spec: Embedding, window: "Window | None"
) -> dict[str, Any]:
    """What a table says of how its vectors were made."""
    from deepself.store.published import weights_digest

    features = study.features.values()
    said = {
        "modality": modality.model_dump(mode="json", exclude={"column"}),
        "features": [one.model_dump(mode="json") for one in features],
        "weights": weights_digest(spec.network, spec.weights),
    }
    return said | _shown(window)


def _shown(window: "Window | None") -> dict[str, Any]:
    return {} if window is None else {"windows": {"seconds": window.seconds, "hop": window.hop}}


def _kind(args: argparse.Namespace, paths: Sequence[Path]) -> str:
    """What files are: by the feature, by the manifest's column, or by their suffixes."""
    if args.feature == "picture":
        return "image"
    if len(paths) == 1 and paths[0].is_file() and paths[0].suffix.lower() in (".csv", ".tsv"):
        column = _column(paths[0])
        if column is not None:
            return column
        if args.sample_rate is None:  # as samples of a sensor, it would need one
            raise UserError(
                f"{paths[0]}: is no manifest (no column audio, sensor or image); a file of a "
                "sensor's samples needs --sample-rate"
            )

    from deepself.dataset.suffixes import SUFFIXES

    suffixes = {kind: SUFFIXES[kind] for kind in KINDS}
    found = {kind for path in paths for kind in _kinds_in(path, suffixes)}
    if len(found) > 1:
        kinds = " and ".join(sorted(found))
        raise UserError(f"--modality: there are files of kind {kinds}; say which to take")
    return found.pop() if found else KINDS[0]


def _column(path: Path) -> str | None:
    """The kind of file after which a manifest's column is called; None of other tables."""
    from deepself.inference.items import first_rows

    header = next(iter(first_rows(path)), [])
    return next((kind for kind in KINDS if kind in header), None)


def _kinds_in(path: Path, suffixes: Mapping[str, Collection[str]]) -> Iterator[str]:
    """Kinds of a file, or of the files in a folder."""
    if not path.is_dir():
        yield from (
            kind for kind, own in suffixes.items() if path.name.lower().endswith(tuple(own))
        )
        return
    for kind, own in suffixes.items():
        names = (name for _, _, files in os.walk(path) for name in files if name != "manifest.csv")
        if any(name.lower().endswith(tuple(own)) for name in names):
            yield kind
