"""Public data sets: where each has its home, and how to tell that it is whole."""

import zipfile
from dataclasses import dataclass
from pathlib import Path

from deepself.dataset.importers.bonn import import_bonn
from deepself.dataset.importers.bonn import problems as bonn_problems
from deepself.dataset.importers.collection import Collection
from deepself.dataset.importers.esc50 import import_esc50
from deepself.dataset.importers.esc50 import problems as esc50_problems
from deepself.dataset.importers.fer2013 import import_fer2013
from deepself.dataset.importers.fer2013 import problems as fer2013_problems
from deepself.dataset.importers.write import Target, write
from deepself.errors import UserError
from deepself.store.download import Remote, cache_folder, download
from deepself.store.files import read_json, write_json
from deepself.store.published import file_digest


@dataclass(frozen=True)
class PublicSet:
    """A data set that its authors publish.

    Attributes
    ----------
    files
        What to download. An MD5 is as good as what others publish: it tells damage, not malice.
    cache
        Folder of the downloads, below the user's cache.
    page
        Its page, for a download by hand.
    arguments
        Of `deepself import`, before the files.
    """

    files: tuple[Remote, ...]
    cache: str
    page: str
    arguments: str

    def remedy(self, folder: Path) -> str:
        """How to go on where it cannot be downloaded."""
        names = " ".join(remote.file for remote in self.files)
        kind, *options = self.arguments.split()
        command = " ".join(["deepself import", kind, names, *options, "--to", str(folder)])
        place = cache_folder("data") / self.cache
        return (
            f"get {names} from {self.page} by hand, then run `{command}`, or put it into {place} "
            "and run this again"
        )


_ESC50 = Remote(
    "ESC-50-master.zip",
    "https://github.com/karolpiczak/ESC-50/archive/master.zip",
    # As soundata, HEAR's preprocessing and PaddleSpeech state it; the authors state none.
    "md5:7771e4b9d86d0945acce719c7a59305a",
)
_ESC50_PAGE = "https://github.com/karolpiczak/ESC-50"

_UPF = "https://www.upf.edu/documents/229517819/234490509"
_BONN = {
    "Z.zip": f"{_UPF}/Z.zip/9c4a0084-c0d6-3cf6-fe48-8a8767713e67",
    "O.zip": f"{_UPF}/O.zip/f324f98f-1ade-e912-b89d-e313ac362b6a",
    "N.zip": f"{_UPF}/N.zip/d4f08e2d-3b27-1a6a-20fe-96dcf644902b",
    "F.zip": f"{_UPF}/F.zip/8219dcdd-d184-0474-e0e9-1ccbba43aaee",
    "S.zip": f"{_UPF}/S.zip/7647d3f7-c6bb-6d72-57f7-8f12972896a6",
}
"""Nobody publishes their checksums: what was downloaded is recorded, and its content counted."""

FER2013_CHECKSUMS = {
    "fer2013.csv": "md5:f8428a1edbd21e88f42c73edd2a14f95",  # torchvision
    "icml_face_data.csv": "md5:b114b9e04e6949e5fe8b6a98b3892b1d",  # torchvision
    "fer2013.tar.gz": "md5:ca95d94fe42f6ce65aaae694d18c628a",  # torchvision for R
}
"""As these packages state them, by file."""

PUBLIC = {
    "esc50": PublicSet((_ESC50,), "esc50", _ESC50_PAGE, "esc50"),
    "esc10": PublicSet((_ESC50,), "esc50", _ESC50_PAGE, "esc50 --esc10"),
    "bonn": PublicSet(
        tuple(Remote(file, url, None) for file, url in _BONN.items()),
        "bonn",
        "https://www.upf.edu/web/ntsa/downloads",
        "bonn",
    ),
    "fer2013": PublicSet(
        (Remote("fer2013.csv", "", FER2013_CHECKSUMS["fer2013.csv"]),),
        "fer2013",
        "https://www.kaggle.com/c/"
        "challenges-in-representation-learning-facial-expression-recognition-challenge",
        "fer2013",
    ),
}
"""Public data sets by name."""


def import_public(name: str, files: list[Path], folder: Path, force: bool) -> Collection:
    """Import a public data set from its files."""
    if name == "bonn":
        return import_bonn(files, folder, force=force)
    if name == "fer2013":
        return import_fer2013(files[0], folder, force)
    return import_esc50(files[0], folder, esc10=name == "esc10", force=force)


def differences(name: str, collection: Collection, folder: Path) -> list[str]:
    """How an import differs from the set as it was published."""
    if name == "bonn":
        return bonn_problems(collection, folder)
    if name == "fer2013":
        return fer2013_problems(collection)
    return esc50_problems(collection, esc10=name == "esc10")


def as_published(wrong: list[str]) -> list[str]:
    """Lines that say whether a set is as it was published."""
    lines = [f"not as published: {line}" for line in wrong]
    return lines or ["as many items, classes and splits as were published"]


def fetch_public(name: str, target: Target, url: str | None = None) -> list[str]:
    """Download a public data set and import it.

    Parameters
    ----------
    name
        One of `PUBLIC`.
    target
        Where the import writes to.
    url
        Address of the file, or of a folder that holds all of them, in place of their home.

    Returns
    -------
    list of str
        Lines that say what was written.

    Raises
    ------
    UserError
        It cannot be downloaded, is not what was published or what was downloaded before, or what
        it would write is there already. The message says how to go on.
    """
    target.verify()
    known = PUBLIC[name]
    remotes = [_named(remote, url).mirrored(url) for remote in known.files]
    files = [_download(remote, known, target.folder) for remote in remotes]
    record = _record(remotes, files)
    _refuse_change(target, record)
    collection = import_public(name, files, target.folder, target.force)
    wrong = differences(name, collection, target.folder)
    if wrong and not target.force:
        raise UserError(
            f"{name} is not as it was published: {'; '.join(wrong)}; --force imports it anyway"
        )
    lines = [*as_published(wrong), *write(target, collection)]
    write_json(target.folder / "source.json", record)
    lines.append(f"{target.folder / 'source.json'}: where it came from")
    lines.append(f"{files[0].parent}: the download, which may be deleted now")
    return lines


def _named(remote: Remote, url: str | None) -> Remote:
    """A file of another name at `url` is another form of the same set, with its own checksum."""
    file = (url or "").split("?")[0].rpartition("/")[2]
    if file in FER2013_CHECKSUMS and remote.file in FER2013_CHECKSUMS:
        return Remote(file, remote.url, FER2013_CHECKSUMS[file])
    return remote


def _download(remote: Remote, known: PublicSet, folder: Path) -> Path:
    place = cache_folder("data") / known.cache
    if not remote.url and not (place / remote.file).is_file():
        raise UserError(f"{remote.file} needs an account: {known.remedy(folder)}; or give --url")
    path = download(remote, place, known.remedy(folder))
    if path.suffix == ".zip" and not zipfile.is_zipfile(path):
        path.unlink()
        raise UserError(
            f"{remote.url} is no archive, perhaps a page for browsers: {known.remedy(folder)}"
        )
    return path


def _record(remotes: list[Remote], files: list[Path]) -> list[dict[str, object]]:
    return [
        {
            "file": remote.file,
            "url": remote.url,
            "bytes": path.stat().st_size,
            "sha256": file_digest(path),
            "published_checksum": remote.checksum,
        }
        for remote, path in zip(remotes, files, strict=True)
    ]


def _refuse_change(target: Target, record: list[dict[str, object]]) -> None:
    """Refuse files that differ from those of an earlier fetch into the same folder."""
    path = target.folder / "source.json"
    if target.force or not path.is_file():
        return
    before = {entry["file"]: entry["sha256"] for entry in read_json(path)}
    changed = [
        str(entry["file"])
        for entry in record
        if before.get(entry["file"], entry["sha256"]) != entry["sha256"]
    ]
    if changed:
        raise UserError(
            f"{', '.join(changed)} differs from what {path} records of an earlier download; "
            "--force takes it all the same"
        )
