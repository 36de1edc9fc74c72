"""`deepself extract`."""

import argparse
from pathlib import Path

from deepself.cli.common import add_study, open_study, positive
from deepself.cli.fetch import bring_missing
from deepself.errors import UserError
from deepself.study import Layout, Study
from deepself.study.explain import nearest
from deepself.study.features import Embedding, sources_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    add_study(parser)
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--feature", metavar="NAME", help="a feature of the study")
    which.add_argument(
        "--output", metavar="FILE", type=Path, help="the file of a feature, or of a shard"
    )
    parser.add_argument("--threads", type=positive, default=1, help="threads that read and compute")


def run(args: argparse.Namespace) -> None:
    """Make one feature of all recordings."""
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
