"""Tables that name files and labels, as Hugging Face and Kaggle have them."""

import pytest

from deepself.store.files import read_table
from deepself.study import load
from tests.dataset.importers.public_forms import write_png, write_wav


def pictures(folder, count=12):
    for number in range(count):
        write_png(folder / f"img/{number}.png", seed=number)
    return folder


def table(path, header, rows, mark=","):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(mark.join(map(str, row)) for row in [header, *rows]) + "\n")
    return path


def test_hugging_face_metadata(run, tmp_path):
    folder = pictures(tmp_path / "hf")
    rows = [(f"img/{n}.png", "ab"[n % 2]) for n in range(12)]
    table(folder / "metadata.csv", ["file_name", "label"], rows)
    assert (
        run("import", "table", "hf/metadata.csv", "--path", "file_name", "--label", "label")[0] == 0
    )
    assert read_table("hf/manifest.csv")[3] == {"id": "3", "image": "img/3.png", "label": "b"}
    assert run("check", "config/hf.yaml")[0] == 0


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_kaggle_names_without_suffix(run, tmp_path, mark):
    pictures(tmp_path / "k/train")
    rows = [(n, "ab"[n % 2], n // 2, f"s{n // 4}") for n in range(12)]
    source = table(tmp_path / "k/train.csv", ["image_id", "breed", "fold", "subject"], rows, mark)
    arguments = ["--path", "image_id", "--label", "breed", "--root", "k/train/img"]
    arguments += ["--suffix", ".png", "--group", "subject", "--id", "image_id"]
    assert run("import", "table", source, *arguments, "--to", "out", "--name", "dogs")[0] == 0
    rows = read_table("out/manifest.csv")
    assert rows[5] == {"id": "5", "image": "../k/train/img/5.png", "label": "b", "group": "s1"}
    study = load("config/dogs.yaml")
    assert study.splits.method == "grouped" and study.splits.folds == 3
    assert run("check", "config/dogs.yaml")[0] == 0
    assert run("split", "config/dogs.yaml")[0] == 0


def test_folds_and_partitions(run, tmp_path):
    folder = tmp_path / "s"
    names = ["Training", "valid", "Testing"]
    rows = []
    for number in range(12):
        write_wav(folder / f"{number}.wav", seed=number, rate=8000)
        rows.append((f"{number}.wav", "ab"[number % 2], number % 3, names[number % 3]))
    table(folder / "t.csv", ["path", "label", "cv", "split"], rows)
    common = ["import", "table", "s/t.csv", "--path", "path", "--label", "label"]
    assert run(*common, "--partition", "split", "--name", "parts")[0] == 0
    assert {row["partition"] for row in read_table("s/manifest.csv")} == {"train", "dev", "test"}
    assert load("config/parts.yaml").splits.method == "partition"
    assert run("check", "config/parts.yaml")[0] == 0
    assert run("split", "config/parts.yaml")[0] == 0
    assert run(*common, "--fold", "cv", "--name", "folds", "--to", "other")[0] == 0
    assert load("config/folds.yaml").splits.method == "given"
    assert run("check", "config/folds.yaml")[0] == 0
    assert run("split", "config/folds.yaml")[0] == 0


def test_groups_in_two_folds_are_named(run, tmp_path):
    pictures(tmp_path / "g", 6)
    rows = [(f"img/{n}.png", "ab"[n % 2], n % 3, "same") for n in range(6)]
    table(tmp_path / "g/t.csv", ["path", "label", "fold", "who"], rows)
    arguments = ["--path", "path", "--label", "label", "--fold", "fold", "--group", "who"]
    status, out, _ = run("import", "table", "g/t.csv", *arguments)
    assert status == 0 and "group 'same' lies in more than one fold: a leak" in out


@pytest.mark.parametrize(
    ("header", "rows", "more", "message"),
    [
        (["file", "label"], [("img/0.png", "a")], [], "no column 'path' (has file, label)"),
        (["path", "label"], [], [], "holds no rows"),
        (["path", "label"], [("img/0.png", "a"), ("", "b")], [], "1 cells are empty: path (row 3)"),
        (
            ["path", "label"],
            [("img/0.png", "a"), ("x.png", "b"), ("y.png", "b")],
            [],
            "2 files are missing; --root and --suffix say where they are: t/x.png (row 3), "
            "t/y.png (row 4)",
        ),
        (
            ["path", "label"],
            [("img/0.png", "a"), ("img/0.png", "b")],
            [],
            "1 rows stand there twice: img/0.png (rows 2 and 3)",
        ),
        (
            ["path", "label", "name"],
            [("img/0.png", "a", "x"), ("img/1.png", "b", "x")],
            ["--id", "name"],
            "x (rows 2 and 3)",
        ),
        (
            ["path", "label", "split"],
            [("img/0.png", "a", "holdout")],
            ["--partition", "split"],
            "row 2: split 'holdout' is none of train",
        ),
        (
            ["path", "label", "cv"],
            [("img/0.png", "a", "1/2")],
            ["--fold", "cv"],
            "row 2: cv is '1/2'",
        ),
        (["path", "label"], [("t.csv", "a"), ("img/1.png", "b")], [], "files of several kinds"),
        (["path", "label"], [("odd", "a")], [], "odd has no known suffix"),
        (["path", "label"], [("img/0.png",)], [], "row 2 has 1 fields, the header 2"),
    ],
)
def test_what_is_wrong_is_one_line_with_its_row(run, tmp_path, header, rows, more, message):
    folder = pictures(tmp_path / "t", 3)
    (folder / "odd").touch()
    table(folder / "t.csv", header, rows)
    status, _, error = run(
        "import", "table", "t/t.csv", "--path", "path", "--label", "label", *more
    )
    assert status == 1 and message in error and "t/t.csv" in error
    assert not (folder / "manifest.csv").exists()


def test_the_table_itself_is_never_replaced(run, tmp_path):
    folder = pictures(tmp_path / "m", 4)
    rows = [(f"img/{n}.png", "ab"[n % 2]) for n in range(4)]
    source = table(folder / "manifest.csv", ["path", "label"], rows)
    before = source.read_text()
    arguments = ["--path", "path", "--label", "label", "--force"]
    status, _, error = run("import", "table", source, *arguments)
    assert status == 1 and "is itself where the manifest goes" in error
    assert source.read_text() == before
