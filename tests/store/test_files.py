"""A file is whole or absent."""

import pytest

from deepself.errors import UserError
from deepself.store.files import atomic_path, read_json, read_table, write_json, write_table


def test_failed_write_keeps_the_old_file_and_leaves_no_other(tmp_path):
    file = tmp_path / "a.txt"
    file.write_text("old")
    with pytest.raises(RuntimeError), atomic_path(file) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


def test_table_round_trip_with_hostile_text(tmp_path):
    rows = [["a,b", 'say "x"'], ["line\nbreak", "ümlaut"]]
    write_table(tmp_path / "t.csv", ["one", "two"], rows)
    assert [list(row.values()) for row in read_table(tmp_path / "t.csv")] == rows


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n3\n", "row 3 has 1 fields, the header 2"),
        ("a,b\n1,2,3\n", "row 2 has 3 fields, the header 2"),
        ("a,a\n1,2\n", "column 'a' stands there twice"),
    ],
)
def test_table_with_odd_columns_is_refused(tmp_path, text, message):
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(UserError, match=message):
        read_table(tmp_path / "t.csv")


def test_missing_file_names_the_verb_that_makes_it(tmp_path):
    with pytest.raises(UserError, match=r"inventory\.csv: not found; run check"):
        read_table(tmp_path / "inventory.csv")


def test_damaged_json_is_named(tmp_path):
    write_json(tmp_path / "a.json", {"a": 1})
    (tmp_path / "a.json").write_text('{"a":')
    with pytest.raises(UserError, match=r"a\.json: not valid JSON"):
        read_json(tmp_path / "a.json")
