"""Mistakes in a manifest are listed with their rows."""

import pytest

from deepself.dataset.manifest import classes_of, fingerprint, read_manifest
from deepself.errors import UserError
from deepself.study import load
from tests.tiny import make_study


@pytest.fixture
def study(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return load(make_study(tmp_path))


def edit(tmp_path, old, new, count=1):
    file = tmp_path / "recordings/manifest.csv"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, count))


def test_duplicate_id_names_both_rows(study, tmp_path):
    edit(tmp_path, "\nlow-1,", "\nhigh-0,")
    with pytest.raises(UserError, match=r"row 9: id 'high-0' stands in row 2 too"):
        read_manifest(study.dataset)


def test_empty_cells_are_named(study, tmp_path):
    edit(tmp_path, "high-1,files/high-1.wav", ",")
    with pytest.raises(UserError) as error:
        read_manifest(study.dataset)
    assert "row 3: id is empty" in str(error.value)
    assert "row 3: audio is empty" in str(error.value)


def test_stray_space_is_named(study, tmp_path):
    edit(tmp_path, ",low,", ",low ,")
    with pytest.raises(UserError, match="row 8: label begins or ends with a space: 'low '"):
        read_manifest(study.dataset)


def test_missing_column_names_the_key_to_set(study, tmp_path):
    edit(tmp_path, "id,audio", "id,sound")
    message = r"no column 'audio' \(has id, sound.*set dataset.modalities.audio.column"
    with pytest.raises(UserError, match=message):
        read_manifest(study.dataset)


def test_label_outside_the_declared_classes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    study = load(make_study(tmp_path, dataset__classes=["high", "low"]))
    with pytest.raises(UserError, match=r"row 14: label 'noise' is none of dataset.classes"):
        read_manifest(study.dataset)


def test_data_set_is_found_below_deepself_data(study, tmp_path, monkeypatch):
    monkeypatch.delenv("DEEPSELF_DATA", raising=False)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    with pytest.raises(UserError, match="no manifest .*DEEPSELF_DATA"):
        read_manifest(study.dataset)
    monkeypatch.setenv("DEEPSELF_DATA", str(tmp_path))
    assert len(read_manifest(study.dataset)) == 18


def test_numbers_are_ordered_by_value(study):
    items = read_manifest(study.dataset)
    renamed = [type(i)(i.row, i.id, label, "", {}, {}) for i, label in zip(items, ["10", "9", "a"])]  # noqa: B905
    assert classes_of(study.dataset, renamed) == ["9", "10", "a"]


def test_fingerprint_sees_a_changed_and_a_missing_file(study, tmp_path):
    first = fingerprint(study.dataset)
    assert fingerprint(study.dataset) == first
    (tmp_path / "recordings/files/high-0.wav").write_bytes(b"changed")
    second = fingerprint(study.dataset)
    (tmp_path / "recordings/files/high-0.wav").unlink()
    assert len({first, second, fingerprint(study.dataset)}) == 3


def test_merged_labels_are_one_class(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    study = load(make_study(tmp_path, dataset__merge={"tone": ["high", "low"]}))
    items = read_manifest(study.dataset)
    assert classes_of(study.dataset, items) == ["noise", "tone"]
    assert sum(item.label == "tone" for item in items) == 12


def test_a_merged_label_that_no_row_has_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    study = load(make_study(tmp_path, dataset__merge={"tone": ["high", "lwo"]}))
    with pytest.raises(UserError, match=r"no row has the label 'lwo'.*low.*see dataset.merge.tone"):
        read_manifest(study.dataset)


def test_a_label_belongs_to_one_class(tmp_path):
    merge = {"tone": ["high", "low"], "rest": ["noise", "low"]}
    with pytest.raises(UserError, match=r"dataset.merge: .*'low' stands there twice"):
        load(make_study(tmp_path, dataset__merge=merge))
