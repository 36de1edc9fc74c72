"""The starting study: what an import found, as a study file with comments."""

import os
import re
import textwrap
from collections import defaultdict
from pathlib import Path

from deepself.dataset.importers.collection import Collection
from deepself.dataset.importers.measure import Facts
from deepself.dataset.importers.recipes import recipe

FOLDS = 5


def starting_study(
    collection: Collection, facts: Facts, name: str, folder: Path, file: Path
) -> str:
    """A study of a collection, as YAML text.

    Parameters
    ----------
    collection, facts
        What was found.
    name
        Of the study.
    folder
        Of the manifest.
    file
        Where the study will lie.
    """
    lines = [
        *_editor(file),
        *(f"# {line}" for line in collection.about.splitlines()),
        *textwrap.wrap(_tally(collection), 99, initial_indent="# ", subsequent_indent="# "),
        "# A start, to be changed: docs/study.md tells what each section means.",
        f"name: {name}",
        "",
        "dataset:",
        f"  root: {_text(_root(folder))} # holds manifest.csv",
        *_group(collection),
        "  modalities:",
        f"    {collection.modality}:",
        *(f"      {line}" for line in _modality(collection, facts)),
        "",
        *_splits(collection),
        "",
        *recipe(collection.kind, collection.modality, facts, len(collection.entries)),
    ]
    return "\n".join(lines) + "\n"


def _editor(file: Path) -> list[str]:
    """Where the schema lies beside the study, editors complete from it."""
    beside = (file.parent / "study.schema.json").is_file()
    return ["# yaml-language-server: $schema=study.schema.json"] if beside else []


def _tally(collection: Collection) -> str:
    counts = list(collection.counts.items())
    named = ", ".join(f"{_plain(label)} {count}" for label, count in counts[:8])
    rest = f", and {len(counts) - 8} more" if len(counts) > 8 else ""
    return f"{len(collection.entries)} recordings of {len(counts)} classes: {named}{rest}."


def _modality(collection: Collection, facts: Facts) -> list[str]:
    lines = [f"kind: {collection.kind}"]
    if collection.kind in ("audio", "sensor"):
        others = f" # of {facts.rates} rates the most common" if facts.rates > 1 else ""
        lines.append(f"sample_rate: {collection.sample_rate or facts.rate:g}{others}")
    if collection.kind == "sensor" and (
        facts.rates > 1 or facts.rate != (collection.sample_rate or facts.rate)
    ):
        lines.append("resample: true # files that say another rate")
    if collection.kind == "audio" and facts.channels > 1:
        lines.append(f"channels: mix # {facts.channels} channels, averaged; or keep")
    if collection.kind in ("image", "video"):
        shrunk = (facts.height, facts.width) != facts.size
        was = f" # files have {facts.size[0]} x {facts.size[1]}" if shrunk else ""
        lines += [f"height: {facts.height}{was}", f"width: {facts.width}"]
        lines.append(f"channels: {'grey' if facts.grey else 'rgb'}")
    if collection.kind == "video":
        lines.append(f"frame_rate: {min(facts.rate, 5):g} # files have {facts.rate:g}")
    if collection.kind != "image":
        lines += _duration(facts)
    return lines


def _duration(facts: Facts) -> list[str]:
    shortest, middle, longest = facts.seconds
    if facts.same_length:
        return []
    # To a tenth of a second, or to two digits where it is shorter than one.
    seconds = round(middle, 1) if middle >= 1 else float(f"{middle:.2g}")
    return [
        f"# {facts.files} of {facts.of} files looked at: {shortest:.3g} to {longest:.3g} s, "
        f"median {middle:.3g} s.",
        f"duration: {{seconds: {seconds:g}, longer: crop, shorter: zero}}",
    ]


def _splits(collection: Collection) -> list[str]:
    if "fold" in collection.extra:
        folds = len({entry.extra["fold"] for entry in collection.entries})
        if folds >= 3:
            return ["# Each given fold is tested once; the one after it is dev.", _GIVEN + "}"]
        return [
            f"# {folds} given folds: dev is drawn from the other one.",
            _GIVEN + ", dev: {method: holdout, fraction: 0.2}}",
        ]
    if "partition" in collection.extra:
        return ["# The manifest's partitions.", "splits: {method: partition, column: partition}"]
    grouped = "group" in collection.extra
    fewest = fewest_units(collection)
    folds = max(3, min(FOLDS, fewest))
    method = "grouped" if grouped else "stratified"
    unit = "group" if grouped else "item"
    why = [] if folds == FOLDS else [f"# The rarest class has {fewest} {unit}s."]
    return [*why, f"splits: {{method: {method}, folds: {folds}}}"]


_GIVEN = "splits: {method: given, column: fold"


def _group(collection: Collection) -> list[str]:
    return ["  group: group # never spans two partitions"] if "group" in collection.extra else []


def fewest_units(collection: Collection) -> int:
    """Items, or groups where there are some, of the rarest class."""
    units: dict[str, set[str]] = defaultdict(set)
    for entry in collection.entries:
        units[entry.label].add(entry.extra.get("group", entry.id))
    return min(len(found) for found in units.values())


def _root(folder: Path) -> str:
    """The folder as it was given, or from here where it lies below here."""
    here = Path(os.path.relpath(folder))
    return here.as_posix() if ".." not in here.parts else Path(os.path.abspath(folder)).as_posix()


def _text(value: str) -> str:
    """A YAML scalar."""
    if re.fullmatch(r"[A-Za-z/][A-Za-z0-9/._-]*", value) and value not in ("null", "true", "false"):
        return value
    return "'" + value.replace("'", "''") + "'"


def _plain(label: str) -> str:
    """A label that may stand in a comment."""
    return " ".join(label.split())
