"""Bonn EEG: five sets of 100 single-channel recordings, 4097 samples at 173.61 Hz.

R. G. Andrzejak et al., Phys. Rev. E 64, 061907, 2001. The form read here is that of its authors:
an archive a set, with one text file a recording, `.TXT` in N.zip and `.txt` elsewhere.
"""

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from deepself.dataset.importers.archive import open_archive
from deepself.dataset.importers.collection import Collection, Entry, relative
from deepself.errors import UserError

SETS = {"Z": "A", "O": "B", "N": "C", "F": "D", "S": "E"}
"""The archives' letters, and what the paper calls the sets."""

TASKS = {
    "seizure": dict.fromkeys("ABCD", "non_seizure") | {"E": "seizure"},
    "three": {"A": "healthy", "B": "healthy", "C": "interictal", "D": "interictal", "E": "ictal"},
    "five": {name: name for name in "ABCDE"},
}
"""Label of each set, by task."""

SAMPLE_RATE = 173.61
SAMPLES = 4097
PER_SET = 100
RECORDING = re.compile(r"([ZONFS])(\d{3})\.txt", re.IGNORECASE)


def import_bonn(
    sources: Sequence[Path], folder: Path, task: str = "seizure", force: bool = False
) -> Collection:
    """Read the Bonn EEG from its archives, or from a folder that holds them or their files.

    Parameters
    ----------
    sources
        Archives, or one folder.
    folder
        Of the manifest. Recordings from archives are written to `eeg/A/` to `eeg/E/` in it.
    task
        `seizure` (E against the rest), `three` (healthy, interictal, ictal) or `five` (each set).
    force
        Whether files with another content are replaced.

    Raises
    ------
    UserError
        A source holds no recordings, two hold the same one, or an archive is damaged.
    """
    paths: dict[str, str] = {}
    for source in _archives(sources):
        if source.is_dir():
            _merge(paths, _from_folder(source, folder), source)
        else:
            _merge(paths, _from_archive(source, folder, force), source)
    entries = []
    for name in sorted(paths):
        letter = SETS[name[0]]
        entries.append(Entry(name, paths[name], TASKS[task][letter], {"set": letter}))
    what = {
        "seizure": "seizure (set E) against the rest",
        "three": "healthy (A, B), interictal (C, D), ictal (E)",
        "five": "five sets, A to E",
    }[task]
    return Collection(
        about=f"Bonn EEG (Andrzejak et al. 2001): {what}; single channel, 173.61 Hz.",
        modality="eeg",
        kind="sensor",
        entries=entries,
        sample_rate=SAMPLE_RATE,
    )


def problems(collection: Collection, folder: Path) -> list[str]:
    """What differs from the published sets: 100 files of 4097 numbers each."""
    counts = Counter(entry.extra["set"] for entry in collection.entries)
    found = [
        f"set {name} has {counts[name]} recordings, {PER_SET} were published"
        for name in "ABCDE"
        if counts[name] != PER_SET
    ]
    odd = []
    for entry in collection.entries:
        samples = len((folder / entry.path).read_bytes().split())
        if samples != SAMPLES:
            odd.append(f"{entry.id} ({samples})")
    if odd:
        found.append(f"{len(odd)} recordings have not {SAMPLES} samples: {', '.join(odd[:3])}")
    return found


def _archives(sources: Sequence[Path]) -> list[Path]:
    """The archives in a folder, if it holds them; otherwise the sources as they are."""
    if len(sources) == 1 and sources[0].is_dir():
        inside = [sources[0] / f"{letter}{end}" for letter in SETS for end in (".zip", ".ZIP")]
        return [path for path in inside if path.is_file()] or list(sources)
    return list(sources)


def _from_archive(source: Path, folder: Path, force: bool) -> dict[str, str]:
    found: dict[str, str] = {}
    with open_archive(source) as archive:
        for member in archive.names:
            match = RECORDING.fullmatch(PurePosixPath(member).name)
            if match and "__MACOSX" not in member:
                name = PurePosixPath(member).name
                path = f"eeg/{SETS[match[1].upper()]}/{name}"
                _merge(found, {_id(match): path}, source)
                archive.extract(member, folder / path, force)
    _refuse_none(found, source)
    return found


def _from_folder(source: Path, folder: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    for path in sorted(source.rglob("*")):
        match = RECORDING.fullmatch(path.name)
        if match and path.is_file():
            _merge(found, {_id(match): relative(path, folder)}, source)
    _refuse_none(found, source)
    return found


def _id(match: re.Match[str]) -> str:
    return f"{match[1].upper()}{match[2]}"


def _merge(into: dict[str, str], found: dict[str, str], source: Path) -> None:
    for name, path in found.items():
        if name in into:
            raise UserError(f"{source}: recording {name} is there twice; give each archive once")
        into[name] = path


def _refuse_none(found: dict[str, str], source: Path) -> None:
    if not found:
        raise UserError(
            f"{source}: holds no recordings of the Bonn EEG (Z001.txt, N001.TXT and the like)"
        )
