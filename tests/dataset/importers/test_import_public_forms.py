"""ESC-50, the Bonn EEG and FER2013 are read in the forms in which people have them."""

import csv
import io
import tarfile
import zipfile
from collections import Counter

import pytest
from PIL import Image

from deepself.store.files import read_table
from deepself.study import load
from tests.dataset.importers.public_forms import (
    ESC_COLUMNS,
    bonn_text,
    bonn_zips,
    esc50_zip,
    fer_csv,
    fer_rows,
)


def test_esc50_from_its_archive(run, tmp_path):
    status, out, _ = run("import", "esc50", esc50_zip(tmp_path / "ESC-50-master.zip"))
    assert status == 0
    assert "not as published: 15 sounds, 2000 were published" in out
    rows = read_table("data/esc50/manifest.csv")
    assert len(rows) == 15
    assert list(rows[0]) == ["id", "audio", "label", "fold", "group"]
    assert rows[0]["audio"] == "audio/1-1010-A-0.wav"
    assert (rows[0]["label"], rows[0]["fold"], rows[0]["group"]) == ("dog", "1", "1010")
    study = load("config/esc50.yaml")
    assert study.splits.method == "given" and study.dataset.group == "group"
    assert study.dataset.modalities["audio"].sample_rate == 44100
    assert run("check", "config/esc50.yaml")[0] == 0
    assert run("split", "config/esc50.yaml")[0] == 0


def test_esc10_is_a_part_of_it(run, tmp_path):
    run("import", "esc50", esc50_zip(tmp_path / "m.zip"), "--esc10", "--to", "e")
    assert {row["label"] for row in read_table("e/manifest.csv")} == {"dog", "rain"}
    assert len(list((tmp_path / "e/audio").iterdir())) == 10
    assert load("config/esc10.yaml").dataset.root == "e"


def test_esc50_from_its_folder_stays_where_it_is(run, tmp_path):
    with zipfile.ZipFile(esc50_zip(tmp_path / "m.zip")) as packed:
        packed.extractall(tmp_path)
    assert run("import", "esc50", "ESC-50-master")[0] == 0
    assert read_table("ESC-50-master/manifest.csv")[0]["audio"] == "audio/1-1010-A-0.wav"
    assert run("check", "config/esc50.yaml")[0] == 0


def test_an_interrupted_import_can_be_repeated(run, tmp_path):
    source = esc50_zip(tmp_path / "m.zip")
    run("import", "esc50", source)
    (tmp_path / "data/esc50/manifest.csv").unlink()
    (tmp_path / "config/esc50.yaml").unlink()
    (tmp_path / "data/esc50/audio/1-1010-A-0.wav").unlink()
    assert run("import", "esc50", source)[0] == 0
    (tmp_path / "data/esc50/manifest.csv").unlink()
    (tmp_path / "data/esc50/audio/1-1010-A-0.wav").write_bytes(b"mine")
    status, _, error = run("import", "esc50", source)
    assert status == 1 and "1-1010-A-0.wav: is there already, with another content" in error
    assert run("import", "esc50", source, "--force")[0] == 0


def test_a_new_study_is_said_to_be_new_and_takes_its_name_with_it(run, tmp_path):
    archive = esc50_zip(tmp_path / "master.zip")
    status, out, _ = run("import", "esc50", archive, "--name", "mine")
    assert status == 0
    assert "config/mine.yaml: a study to start from; next: deepself check config/mine.yaml" in out
    assert (tmp_path / "data/mine/manifest.csv").exists()
    assert "config/esc50.yaml: a study to start from" in run("import", "esc50", archive)[1]


def test_a_study_that_comes_with_deepself_stays(run, tmp_path):
    (tmp_path / "config").mkdir()
    (tmp_path / "config/esc50.yaml").write_text("shipped")
    status, out, _ = run("import", "esc50", esc50_zip(tmp_path / "m.zip"))
    assert status == 0 and "config/esc50.yaml: is there already and stays" in out
    assert (tmp_path / "config/esc50.yaml").read_text() == "shipped"


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"columns": ESC_COLUMNS[:5]}, "no column 'src_file' (has filename, fold, target"),
        ({"lacking": ["1-1010-A-0.wav"]}, "1 files are not in"),
        ({"extra": [("../evil.wav", b"")]}, "'../evil.wav' would lie outside"),
        ({"extra": [("/evil.wav", b"")]}, "'/evil.wav' would lie outside"),
        ({"extra": [("a/../../evil", b"")]}, "would lie outside"),
        ({"extra": [("C:\\evil", b"")]}, "would lie outside"),
        ({"extra": [("a.txt", b"1"), ("a.txt", b"2")]}, "holds a.txt twice"),
        ({"top": "other", "columns": []}, "no column 'filename'"),
    ],
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_bad_archives_are_refused_before_anything_is_unpacked(run, tmp_path, how, message):
    status, _, error = run("import", "esc50", esc50_zip(tmp_path / "m.zip", **how))
    assert status == 1 and message in error and "m.zip" in error
    assert not (tmp_path / "data").exists() and not (tmp_path.parent / "evil.wav").exists()


def test_a_cut_archive_is_one_line(run, tmp_path):
    source = esc50_zip(tmp_path / "m.zip")
    source.write_bytes(source.read_bytes()[:-2000])
    status, _, error = run("import", "esc50", source)
    assert status == 1 and "m.zip: is no whole archive" in error
    status, _, error = run("import", "esc50", "nowhere.zip")
    assert status == 1 and "nowhere.zip: cannot be read or written: No such file" in error


def test_a_damaged_member_is_one_line_and_leaves_no_half_file(run, tmp_path):
    source = esc50_zip(tmp_path / "m.zip")
    content = bytearray(source.read_bytes())
    with zipfile.ZipFile(source) as packed:
        place = packed.getinfo("ESC-50-master/audio/3-1030-A-0.wav").header_offset
    content[place + 200 : place + 240] = bytes(40)
    source.write_bytes(bytes(content))
    status, _, error = run("import", "esc50", source)
    assert status == 1 and "m.zip: is no whole archive" in error
    left = [path.name for path in (tmp_path / "data/esc50/audio").iterdir()]
    assert left and all(name.endswith(".wav") for name in left)
    assert "3-1030-A-0.wav" not in left


@pytest.mark.parametrize(
    ("task", "labels"),
    [
        ("seizure", {"non_seizure": 12, "seizure": 3}),
        ("three", {"healthy": 6, "interictal": 6, "ictal": 3}),
        ("five", dict.fromkeys("ABCDE", 3)),
    ],
)
def test_bonn_from_its_archives(run, tmp_path, task, labels):
    zips = bonn_zips(tmp_path / "down")
    status, out, _ = run("import", "bonn", *zips, "--to", "b", "--task", task, "--name", "eeg")
    assert status == 0
    assert "not as published: set A has 3 recordings, 100 were published" in out
    assert "samples" not in out
    rows = {row["id"]: row for row in read_table("b/manifest.csv")}
    assert Counter(row["label"] for row in rows.values()) == labels
    assert rows["N001"]["eeg"] == "eeg/C/N001.TXT" and rows["N001"]["set"] == "C"
    study = load("config/eeg.yaml")
    assert study.dataset.modalities["eeg"].sample_rate == 173.61
    assert study.splits.folds == 3  # three recordings of the rarest class
    assert run("check", "config/eeg.yaml")[0] == 0


def test_bonn_from_folders(run, tmp_path):
    bonn_zips(tmp_path / "down", samples=400)
    status, out, _ = run("import", "bonn", "down", "--to", "b")
    assert status == 0 and "15 recordings have not 4097 samples: F001 (400)" in out
    (tmp_path / "b/manifest.csv").unlink()
    (tmp_path / "config/bonn.yaml").unlink()
    assert run("import", "bonn", "b")[0] == 0
    assert read_table("b/manifest.csv")[0]["eeg"] == "eeg/D/F001.txt"


def test_bonn_refuses_the_same_set_twice_and_other_archives(run, tmp_path):
    zips = bonn_zips(tmp_path / "down")
    status, _, error = run("import", "bonn", zips[0], zips[0], "--to", "b")
    assert status == 1 and "recording Z001 is there twice" in error
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as packed:
        packed.writestr("a.txt", bonn_text())
    status, _, error = run("import", "bonn", "x.zip", "--to", "c")
    assert status == 1 and "x.zip: holds no recordings of the Bonn EEG" in error


def packed_tar(path, source):
    with tarfile.open(path, "w:gz") as packed:
        packed.add(source, "fer2013/fer2013.csv")
    return path


def packed_zip(path, source):
    with zipfile.ZipFile(path, "w") as packed:
        packed.write(source, "fer2013.csv")
    return path


@pytest.mark.parametrize("form", ["fer2013.csv", "fer2013.tar.gz", "fer2013.zip"])
def test_fer2013_becomes_pictures(run, tmp_path, form):
    source = fer_csv(tmp_path / "fer2013.csv")
    if form.endswith("gz"):
        source = packed_tar(tmp_path / form, source)
    elif form.endswith("zip"):
        source = packed_zip(tmp_path / form, source)
    status, out, _ = run("import", "fer2013", source)
    assert status == 0 and "not as published: partition train has 14 faces" in out
    rows = read_table("data/fer2013/manifest.csv")
    assert Counter(row["partition"] for row in rows) == {"train": 14, "dev": 14, "test": 14}
    assert rows[0]["image"] == "images/train/angry/00001.png"
    with Image.open(tmp_path / "data/fer2013" / rows[0]["image"]) as picture:
        assert (picture.size, picture.mode) == ((48, 48), "L")
        expected = bytes(map(int, next(fer_rows())[1].split()))
        assert picture.tobytes() == expected
    study = load("config/fer2013.yaml")
    modality = study.dataset.modalities["image"]
    assert (modality.height, modality.width, modality.channels) == (48, 48, "grey")
    assert study.splits.method == "partition"
    assert run("check", "config/fer2013.yaml")[0] == 0


def test_fer2013_with_the_headings_of_the_other_file(run, tmp_path):
    rows = [[row[0], row[2], row[1]] for row in fer_rows()]
    fer_csv(tmp_path / "icml_face_data.csv", rows, ["emotion", " Usage", " pixels"])
    assert run("import", "fer2013", "icml_face_data.csv")[0] == 0
    assert len(read_table("data/fer2013/manifest.csv")) == 42


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (["7", "0 " * 2304, "Training"], "row 2: emotion '7' is no number from 0 to 6"),
        (["1", "0 " * 2303, "Training"], "row 2: 2303 pixels, not 48 x 48"),
        (["1", "256 " * 2304, "Training"], "row 2: pixels are not all whole numbers"),
        (["1", "0 " * 2304, "Private"], "row 2: Usage 'Private' is none of"),
        (["1", "0 " * 2304], "row 2 has 2 fields, the header 3"),
    ],
)
def test_fer2013_names_the_row_that_is_no_face(run, tmp_path, row, message):
    fer_csv(tmp_path / "fer2013.csv", [row])
    status, _, error = run("import", "fer2013", "fer2013.csv")
    assert status == 1 and message in error


def test_fer2013_names_the_columns_there_are(run, tmp_path):
    fer_csv(tmp_path / "train.csv", [], ["emotion", "pixels"])
    status, _, error = run("import", "fer2013", "train.csv")
    assert status == 1 and "train.csv: no column 'Usage' (has emotion, pixels)" in error


def test_fer2013_that_is_no_text_is_one_line(run, tmp_path):
    text = io.StringIO()
    csv.writer(text).writerow(["emotion", "pixels", "Usage"])
    (tmp_path / "fer2013.csv").write_bytes(text.getvalue().encode() + b"\xff\xfe,1,2\n")
    status, _, error = run("import", "fer2013", "fer2013.csv")
    assert status == 1 and "not a table in UTF-8" in error
