"""Delimited text is read as it was meant, and never as other columns than it has."""

import time
from pathlib import Path

import numpy as np
import pytest

from deepself.dataset.readers import ReadError, read
from deepself.study.dataset import SensorModality

TABLE = np.array([[1.5, -2], [3, 4e-3], [5, 6]])


def read_text(text, name="a.csv", **settings):
    content = text if isinstance(text, bytes) else text.encode()
    return read(SensorModality(kind="sensor", sample_rate=100, **settings), Path(name), content)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", "1.5,-2\n3,4e-3\n5,6\n"),
        ("a.csv", "1.5, -2\n3, 4e-3\n5, 6\n"),
        ("a.tsv", "1.5\t-2\n3\t4e-3\n5\t6"),
        ("a.txt", "  1.5   -2\r\n3 4e-3\r\n\r\n5 6\r\n"),
        ("a.asc", "1.5;-2\n3;4e-3\n5;6\n"),
        ("a.dat", "1.5|-2\n3|4e-3\n5|6\n"),
        ("a.dat", "1.5 | -2\n3 | 4e-3\n5 | 6\n"),
        ("a.csv", "1.5,-2,\n3,4e-3,\n5,6,\n"),
        ("a.csv", "1,5;-2\n3;4e-3\n5;6\n"),
        ("a.csv", "1,5;-2,0\n3,0;0,004\n5,0;6,0\n"),
        ("a.txt", "1,5\t-2,0\n3,0\t4e-3\n5,0\t6,0\n"),
        ("a.txt", "1,5 -2,0\n3,0 0,004\n5,0 6,0\n"),
        ("a.csv", "\ufeff1.5,-2\n3,4e-3\n5,6\n"),
        ("a.txt", "1.5 -2\n3 4e-3\n5 6\n\x1a"),
    ],
)
def test_forms_of_numbers(name, text):
    found = read_text(text, name)
    np.testing.assert_allclose(found.values, TABLE.T, rtol=1e-6)
    assert found.names == ()
    assert found.sample_rate is None
    assert found.values.dtype == np.float32


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("left,right\n1.5,-2\n3,4e-3\n5,6\n", ("left", "right")),
        ("left, right\n1.5, -2\n3, 4e-3\n5, 6\n", ("left", "right")),
        ('"Fp1, left","Fp2"\n1.5,-2\n3,4e-3\n5,6\n', ("Fp1, left", "Fp2")),
        ("left right\n1.5 -2\n3 4e-3\n5 6\n", ("left", "right")),
        ("left (uV);right (uV)\n1,5;-2\n3;0,004\n5;6\n", ("left (uV)", "right (uV)")),
        ("# by hand\n% twice\nleft|right\n1.5|-2\n3|4e-3\n5|6\n", ("left", "right")),
        (",right\n1.5,-2\n3,4e-3\n5,6\n", ("", "right")),
        ("left,right,\n1.5,-2,\n3,4e-3,\n5,6,\n", ("left", "right")),
    ],
)
def test_a_header_names_the_channels(text, names):
    found = read_text(text)
    assert found.names == names
    np.testing.assert_allclose(found.values, TABLE.T, rtol=1e-6)


def test_a_header_of_one_channel_may_have_spaces():
    assert read_text("Fp1 (uV)\n1\n2\n").names == ("Fp1 (uV)",)
    assert read_text("Fp1\n1\n2\n").names == ("Fp1",)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
def test_a_header_in_other_letters(encoding):
    assert read_text("EEG µV,x\n1,2\n".encode(encoding)).names == ("EEG µV", "x")


def test_comments_before_the_data_are_passed_over():
    found = read_text("# 1,2\n\n  % made, by; hand\n1.5,-2\n3,4e-3\n5,6\n")
    np.testing.assert_allclose(found.values, TABLE.T)


def test_a_comma_alone_parts_two_numbers_unless_it_is_said_to_be_decimal():
    assert read_text("1,5\n2,5\n").values.tolist() == [[1, 2], [5, 5]]
    assert read_text("1,5\n2,5\n", decimal="comma").values.tolist() == [[1.5, 2.5]]
    assert read_text("1,5 2\n2,5 3\n", decimal="comma").values.tolist() == [[1.5, 2.5], [2, 3]]


def test_what_is_said_is_not_looked_for():
    assert read_text("1 5\n2 5\n", delimiter="space").values.shape == (2, 2)
    assert read_text("1,5\n2,5\n", delimiter="space").values.tolist() == [[1.5, 2.5]]
    with pytest.raises(ReadError, match="line 1 is not numeric: '1;5'"):
        read_text("1;5\n2;5\n", delimiter="tab")
    with pytest.raises(ReadError, match="line 1 is not numeric: '1,5;2'"):
        read_text("1,5;2\n2,5;3\n", decimal="point")
    with pytest.raises(ReadError, match="comma as both"):
        read_text("1,5\n2,5\n", delimiter="comma", decimal="comma")


def test_a_row_is_one_sample_and_a_column_one_channel():
    assert read_text("12\n-4\n7\n").values.tolist() == [[12, -4, 7]]
    assert read_text("12,-4,7\n").values.tolist() == [[12], [-4], [7]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,2\n3,x\n", "line 2 is not numeric: '3,x'"),
        ("a,b\n\n# no\n1,2\n", "line 3 is not numeric: '# no'"),
        ("# a\n\n1,2\n3,4\n5\n", "line 5 has 1 values, the first 2"),
        ("1,2,3\n,5,6\n", "line 2 is not numeric: ',5,6'"),
        ("1,2,3\n4,5,\n", "line 2 has 2 values, the first 3"),
        ("1,2,3\n4,5,,\n", "line 2 is not numeric"),
        ("1,,3\n4,5,6\n", "line 1 is not numeric: '1,,3'"),
        ("NA,NA\n1,2\n", "line 1 is not numeric: 'NA,NA'"),
        ("12a,3\n1,2\n", "line 1 is not numeric: '12a,3'"),
        ("1,5\n1\n2\n", "line 2 has 1 values, the first 2"),
        ("1,2\n3\n4,5\n", "line 2 has 1 values, the first 2"),
        ("1;2\n3\n", "line 1 is not numeric: '1;2'"),
        ("1\n2,5\n", "line 2 has 2 values, the first 1"),
        ("1.234,5;2\n1;2\n", "line 1 is not numeric"),
        ("1,5;2\n1.5;2\n", "line 2 is not numeric: '1.5;2'"),
        ('"1,5","2,5"\n"1,5","2,5"\n', "line 1 is not numeric"),
        ("a,b\nuV,uV\n1,2\n", "line 2 is not numeric: 'uV,uV'"),
        ("1_0\n1\n", "line 1 is not numeric"),
        ("a,b,c\n1,2\n", r"line 1 names 3 channels \(a, b, c\), the data have 2"),
        ("a,b\n", "holds no samples, only a header"),
        ("# nothing\n\n", "holds no samples"),
        (b"1\n\x00\x01", "is not a text file"),
        (b"1\n\xff\xfd\n", "line 2 is not numeric"),
    ],
)
def test_text_at_fault_is_refused_by_its_line(text, message):
    with pytest.raises(ReadError, match=message):
        read_text(text)


def test_numbers_that_are_not_finite_are_read_as_such():
    found = read_text("nan,1\ninf,-inf\n1e300,2\n").values
    np.testing.assert_equal(found, [[np.nan, np.inf, np.inf], [1, -np.inf, 2]])


def test_a_signal_file_of_wfdb_is_sent_to_its_header(tmp_path):
    (tmp_path / "r.hea").write_text("r 1 250 10\nr.dat 16\n")
    path = tmp_path / "r.dat"
    with pytest.raises(ReadError, match=r"is a signal file of WFDB; name its header r\.hea"):
        read(SensorModality(kind="sensor", sample_rate=250), path, b"\x00\x01")


def test_the_line_by_line_reader_reads_as_the_quick_one():
    values = np.random.default_rng(0).normal(size=(50, 3))
    clean = "\n".join(",".join(map(repr, row)) for row in values.tolist())
    quick = read_text(clean).values
    slow = read_text(clean.replace("\n", "\n \n", 1)).values
    np.testing.assert_array_equal(quick, slow)
    np.testing.assert_array_equal(quick, values.T.astype(np.float32))


def test_clean_text_is_read_fast():
    text = "\r\n".join(str(v) for v in np.random.default_rng(0).integers(-900, 900, 4097))
    took = []
    for _ in range(5):
        begin = time.perf_counter()
        read_text(text, "Z001.txt")
        took.append(time.perf_counter() - begin)
    assert min(took) < 0.02  # 1 ms on a machine of 2024; line by line takes 4
