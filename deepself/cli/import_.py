"""`deepself import`."""

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deepself.dataset.importers.collection import Collection
    from deepself.dataset.importers.write import Target

KINDS = {
    "folders": "a folder a class, with recordings below it",
    "table": "a table with a column of files and one of labels",
    "esc50": "ESC-50, or its part ESC-10, from its archive or folder",
    "bonn": "the Bonn EEG, from its five archives or a folder",
    "fer2013": "FER2013, from its table of pixels or an archive that holds it",
}
MODALITIES = ("audio", "image", "sensor", "video")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments, a parser a kind."""
    kinds = parser.add_subparsers(dest="kind", metavar="KIND", required=True)
    subs = {kind: kinds.add_parser(kind, help=text) for kind, text in KINDS.items()}
    for kind, sub in subs.items():
        many = "+" if kind == "bonn" else None
        sub.add_argument("source", metavar="SOURCE", type=Path, nargs=many, help=KINDS[kind])
        add_target(sub, "the source's own folder, or data/NAME for archives")
    subs["esc50"].add_argument("--esc10", action="store_true", help="only ESC-10's ten classes")
    subs["bonn"].add_argument(
        "--task",
        choices=("seizure", "three", "five"),
        default="seizure",
        help="E against the rest; healthy, interictal, ictal; or each set (default: seizure)",
    )
    for name in ("folders", "table"):
        subs[name].add_argument("--modality", choices=MODALITIES, help="default: by suffix")
        subs[name].add_argument("--sample-rate", type=float, metavar="HZ", help="of sensor files")
    table = subs["table"]
    table.add_argument("--path", required=True, metavar="COLUMN", help="column of the files")
    table.add_argument("--label", required=True, metavar="COLUMN", help="column of the classes")
    for name in ("id", "fold", "group", "partition"):
        table.add_argument(f"--{name}", metavar="COLUMN", help=f"column of the {name}, if any")
    table.add_argument("--root", type=Path, help="folder of the files; default: the table's")
    table.add_argument("--suffix", default="", help="to put after each file's name, as .jpg")


def add_target(parser: argparse._ActionsContainer, default: str) -> None:
    """Add where an import writes to."""
    parser.add_argument("--to", type=Path, metavar="FOLDER", help=f"default: {default}")
    parser.add_argument("--name", help="of the study")
    parser.add_argument("--study", type=Path, metavar="FILE", help="default: config/NAME.yaml")
    parser.add_argument("--force", action="store_true", help="replace what is there")


def run(args: argparse.Namespace) -> None:
    """Write a manifest and a starting study."""
    from deepself.dataset.importers.public import PUBLIC, as_published, differences
    from deepself.dataset.importers.write import write

    target = _target(args)
    target.verify()
    collection = _import(args, target)
    lines = write(target, collection)
    name = "esc10" if getattr(args, "esc10", False) else args.kind
    if name in PUBLIC:
        lines = as_published(differences(name, collection, target.folder)) + lines
    print("\n".join(lines))


def make_target(args: argparse.Namespace, folder: Path, name: str, shipped: bool) -> "Target":
    """Where to write: as given, or else by these defaults."""
    from deepself.dataset.importers.write import Target

    chosen = args.name or name
    return Target(
        folder=args.to or folder,
        name=chosen,
        study=args.study or Path("config") / f"{chosen}.yaml",
        force=args.force,
        # A study that comes with deepself reads such a manifest too.
        keep=shipped and not args.name and not args.study,
    )


def _target(args: argparse.Namespace) -> "Target":
    if args.kind == "folders":
        return make_target(args, args.source, _name_of(args.source), shipped=False)
    if args.kind == "table":
        parent = args.source.parent
        return make_target(args, parent, _name_of(parent), shipped=False)
    sources = args.source if isinstance(args.source, list) else [args.source]
    name = args.kind
    if getattr(args, "esc10", False):
        name = "esc10"
    if getattr(args, "task", "seizure") != "seizure":
        name = f"bonn_{args.task}"
    unpacked = len(sources) == 1 and sources[0].is_dir() and not list(sources[0].glob("*.zip"))
    folder = sources[0] if unpacked else Path("data") / (args.name or name)
    return make_target(args, folder, name, shipped=True)


def _import(args: argparse.Namespace, target: "Target") -> "Collection":
    folder = target.folder
    if args.kind == "folders":
        from deepself.dataset.importers.folders import import_folders

        return import_folders(args.source, folder, args.modality, args.sample_rate)
    if args.kind == "table":
        from deepself.dataset.importers.table import Columns, import_table

        names = ("path", "label", "id", "fold", "group", "partition")
        columns = Columns(**{name: getattr(args, name) for name in names})
        root = args.root or args.source.parent
        rest = (args.suffix, args.modality, args.sample_rate)
        return import_table(args.source, folder, columns, root, *rest)
    if args.kind == "esc50":
        from deepself.dataset.importers.esc50 import import_esc50

        return import_esc50(args.source, folder, args.esc10, args.force)
    if args.kind == "bonn":
        from deepself.dataset.importers.bonn import import_bonn

        return import_bonn(args.source, folder, args.task, args.force)
    from deepself.dataset.importers.fer2013 import import_fer2013

    return import_fer2013(args.source, folder, args.force)


def _name_of(folder: Path) -> str:
    """A study's name from a folder's."""
    return re.sub(r"[^A-Za-z0-9_-]+", "_", folder.resolve().name).strip("_-") or "study"
