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


def test_damaged_json_is_named(tmp_path):
    write_json(tmp_path / "a.json", {"a": 1})
    (tmp_path / "a.json").write_text('{"a":')
    with pytest.raises(UserError, match=r"a\.json: not valid JSON"):
        read_json(tmp_path / "a.json")
