"""Real recordings, packed as their authors pack them, give the manifest that they come with."""

import os
import zipfile
from pathlib import Path

import pytest

from deepself.store.files import read_table
from tests.dataset.importers.public_forms import SETS

DATA = os.environ.get("DEEPSELF_DATA")
pytestmark = pytest.mark.skipif(
    DATA is None, reason="set DEEPSELF_DATA to a folder with bonn/ and its manifest.csv"
)


def test_the_bonn_eeg_gives_its_manifest(run, tmp_path):
    folder = Path(str(DATA)) / "bonn"
    shipped = {row["id"]: row for row in read_table(folder / "manifest.csv")}
    wanted = {f"{letter}{number:03d}" for letter in SETS for number in (1, 2, 3, 50, 100)}
    for letter in SETS:
        with zipfile.ZipFile(tmp_path / f"{letter}.zip", "w", zipfile.ZIP_DEFLATED) as packed:
            for name in sorted(wanted):
                if name.startswith(letter):
                    path = folder / shipped[name]["eeg"]
                    packed.write(path, path.name)
    status, out, _ = run("import", "bonn", *sorted(tmp_path.glob("*.zip")), "--to", "bonn")
    assert status == 0 and "samples" not in out
    rows = read_table("bonn/manifest.csv")
    assert rows == [shipped[name] for name in sorted(wanted)]
    for row in rows:
        assert (tmp_path / "bonn" / row["eeg"]).read_bytes() == (folder / row["eeg"]).read_bytes()
    assert run("check", "config/bonn.yaml")[0] == 0


def test_esc10_by_its_folders_gives_the_same_classes(run, tmp_path):
    folder = Path(str(DATA)) / "esc10"
    status, out, _ = run("import", "folders", folder / "audio", "--to", "esc10")
    assert status == 0 and "400 rows, 10 classes" in out
    shipped = {row["id"]: row["label"] for row in read_table(folder / "manifest.csv")}
    assert {row["id"]: row["label"] for row in read_table("esc10/manifest.csv")} == shipped
    text = (tmp_path / "config/audio.yaml").read_text()
    assert "sample_rate: 44100" in text and "seconds: 5," in text
