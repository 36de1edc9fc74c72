"""What all importers end with: a manifest, and a study that reads it."""

import csv
import re
from dataclasses import dataclass
from pathlib import Path

import yaml

from deepself.dataset.importers.collection import Collection
from deepself.dataset.importers.measure import measure
from deepself.dataset.importers.starter import fewest_units, starting_study
from deepself.errors import UserError
from deepself.store.files import atomic_path
from deepself.study.load import parse
from deepself.study.schema import SHARED


@dataclass(frozen=True)
class Target:
    """Where an import writes to.

    Attributes
    ----------
    folder
        Gets the manifest.
    name
        Of the study.
    study
        The study's file.
    force
        Whether what is there may be replaced.
    keep
        Whether a study that is there stays as it is, rather than being an error: those that come
        with deepself read the manifest too.
    """

    folder: Path
    name: str
    study: Path
    force: bool = False
    keep: bool = False

    @property
    def manifest(self) -> Path:
        """The manifest's file."""
        return self.folder / "manifest.csv"

    @property
    def keeps_study(self) -> bool:
        """Whether there is a study that stays."""
        return self.keep and self.study.exists()

    def verify(self) -> None:
        """Refuse, before any work, a name that no study can have and to replace what is there."""
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", self.name) or self.name in SHARED:
            raise UserError(
                f"--name {self.name}: name a study by letters, digits, _ and -, and not "
                f"{', '.join(sorted(SHARED))}"
            )
        studies = [] if self.keeps_study else [self.study]
        there = [path for path in (self.manifest, *studies) if path.exists()]
        if there and not self.force:
            verb = "are" if len(there) > 1 else "is"
            named = " and ".join(str(path) for path in there)
            raise UserError(
                f"{named} {verb} there already; --force replaces, --to and --name choose others"
            )


def write(target: Target, collection: Collection) -> list[str]:
    """Write the manifest and the starting study, both or neither.

    Returns
    -------
    list of str
        Lines that say what was written, and what to look at.
    """
    if len(collection.counts) < 2:
        only = ", ".join(collection.counts)
        raise UserError(f"one class only ({only}): nothing to tell apart")
    keeps_study = target.keeps_study  # asked before one is written
    facts = measure(collection, target.folder)
    text = starting_study(collection, facts, target.name, target.folder, target.study)
    # What the importer writes must load: a mistake is seen here, not by the user.
    parse(yaml.safe_load(text), str(target.study))
    with atomic_path(target.manifest) as manifest:
        _write_manifest(manifest, collection)
        if not keeps_study:
            with atomic_path(target.study) as study:
                study.write_text(text, encoding="utf-8")
    rows, classes = len(collection.entries), len(collection.counts)
    return [
        *collection.notes,
        *_warnings(collection),
        f"{target.manifest}: {rows} rows, {classes} classes",
        f"{target.study}: {_study_note(target, keeps_study)}",
    ]


def _write_manifest(path: Path, collection: Collection) -> None:
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["id", collection.modality, "label", *collection.extra])
        for entry in collection.entries:
            writer.writerow([entry.id, entry.path, entry.label, *entry.extra.values()])


def _study_note(target: Target, kept: bool) -> str:
    if kept:
        return f"is there already and stays; in it, dataset.root should lead to {target.folder}"
    return f"a study to start from; next: deepself check {target.study}"


def _warnings(collection: Collection) -> list[str]:
    drawn = not {"fold", "partition"} & set(collection.extra)
    if drawn and fewest_units(collection) < 3:
        return [
            "a class has fewer than 3 items or groups, too few for folds; add some or remove it"
        ]
    if "group" in collection.extra and not drawn:
        column = "fold" if "fold" in collection.extra else "partition"
        place: dict[str, str] = {}
        for entry in collection.entries:
            group, part = entry.extra["group"], entry.extra[column]
            if place.setdefault(group, part) != part:
                return [
                    f"group {group!r} lies in more than one {column}: a leak, which split refuses"
                ]
    return []
