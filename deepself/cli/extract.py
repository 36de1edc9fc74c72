"""`deepself extract`."""

import argparse
from pathlib import Path

from deepself.cli.common import add_overrides, open_study, positive
from deepself.cli.extract_options import add_file_options, given
from deepself.cli.fetch import bring_missing
from deepself.errors import UserError
from deepself.study import Layout, Study
from deepself.study.explain import nearest
from deepself.study.features import Embedding, sources_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.epilog = (
        "With a study: one of its features. Without: vectors that a pretrained --network, or a "
        "run of a --bundle, makes of files."
    )
    parser.add_argument(
        "paths",
        nargs="+",
        metavar="STUDY|PATH",
        help="the study's YAML file; or files, folders, or a manifest: a CSV table with a column "
        "audio, sensor or image, and perhaps id and label",
    )
    parser.add_argument(
        "--feature",
        metavar="NAME",
        help="a feature of the study; or, with --network, the kind of feature that it reads",
    )
    parser.add_argument(
        "--output",
        metavar="FILE",
        type=Path,
        help="the file of a study's feature, or of a shard, in place of --feature; or the table "
        "of vectors: *.csv, *.arff, *.parquet or *.h5",
    )
    parser.add_argument("--threads", type=positive, default=1, help="threads that read and compute")
    add_overrides(parser)
    add_file_options(parser)


def run(args: argparse.Namespace) -> None:
    """Make one feature of all recordings of a study, or vectors of files."""
    if args.network is None and args.bundle is None:
        _extract_feature(args)
        return
    if args.set:
        raise UserError("--set: belongs to a study; --feature-set sets what --network reads")

    from deepself.cli.extract_files import extract_files

    extract_files(args)


def _extract_feature(args: argparse.Namespace) -> None:
    alone = given(args)
    if alone:
        raise UserError(f"{alone[0]}: belongs to --network or --bundle; give one of them")
    if len(args.paths) > 1:
        raise UserError("give one study; or files with --network or --bundle")
    if (args.feature is None) == (args.output is None):
        raise UserError("give --feature or --output, to say which feature of the study to make")
    args.study = args.paths[0]
    if _is_recording(Path(args.study)):
        raise UserError(f"{args.study}: is no study; files need --network or --bundle")
    study, layout = open_study(args)
    name, shard = args.feature, None
    if name is None:
        name, shard = _made(study, layout, args.output)
    if name not in study.features:
        raise UserError(f"--feature: unknown feature {name!r}{nearest(name, list(study.features))}")

    _bring_weights(study, layout, name)

    from deepself.features.extract import extract, extract_shard

    if shard is None:
        path = extract(study, layout, name, args.threads)
    else:
        path = extract_shard(study, layout, name, shard, args.threads)
    print(f"{name}: {path}")


def _is_recording(path: Path) -> bool:
    from deepself.dataset.suffixes import SUFFIXES

    return path.is_dir() or any(path.suffix.lower() in own for own in SUFFIXES.values())


def _bring_weights(study: Study, layout: Layout, name: str) -> None:
    """Fetch what a feature and those that it is made from need: files are named after it too."""
    spec = study.features[name]
    if isinstance(spec, Embedding):
        bring_missing(layout.results, spec.network, spec.weights)
    for source in sources_of(spec):
        _bring_weights(study, layout, source)


def _made(study: Study, layout: Layout, path: Path) -> tuple[str, int | None]:
    """The feature, and perhaps which of its shards, that a file is."""
    from deepself.study.identity import feature_file, shard_files

    for name in study.features:
        if feature_file(study, layout, name) == path:
            return name, None
        shards = shard_files(study, layout, name)
        if path in shards:
            return name, shards.index(path)
    raise UserError(f"{path}: no feature of this study has this file; the study has changed since")
