"""Arrays and tables, written by their formats' own writers, are read as they were meant."""

import io
from pathlib import Path

import h5py
import numpy as np
import pytest
from scipy.io import savemat

from deepself.dataset.readers import ReadError, read
from deepself.study.dataset import SensorModality

TABLE = np.array([[1.5, -2], [3, 4e-3], [5, 6]])


def read_array(content, name, **settings):
    return read(SensorModality(kind="sensor", sample_rate=100, **settings), Path(name), content)


def npy(array, **settings):
    content = io.BytesIO()
    np.save(content, array, **settings)
    return content.getvalue()


def npz(**arrays):
    content = io.BytesIO()
    np.savez(content, **arrays)
    return content.getvalue()


def mat(**arrays):
    content = io.BytesIO()
    savemat(content, arrays)
    return content.getvalue()


def hdf5(arrays, attributes=()):
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        for name, array in arrays.items():
            file.create_dataset(name, data=array).attrs.update(attributes)
    return content.getvalue()


def matlab73(tmp_path, **arrays):
    """Write as MATLAB does: text, then HDF5, with rows and columns swapped."""
    classes = {"f": b"double", "b": b"logical", "u": b"uint16"}
    path = tmp_path / "written.mat"
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, array in arrays.items():
            array = np.atleast_2d(array)
            data = file.create_dataset(name, data=array.T)
            data.attrs["MATLAB_class"] = np.bytes_(classes.get(array.dtype.kind, b"struct"))
    with path.open("r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\0\x02IM")
    return path.read_bytes()


WRITERS = [
    ("a.npy", npy),
    ("a.npz", lambda x: npz(x=x)),
    ("a.mat", lambda x: mat(x=x)),
    ("a.h5", lambda x: hdf5({"x": x})),
    ("a.hdf5", lambda x: hdf5({"group/x": x})),
]


@pytest.mark.parametrize(("name", "write"), WRITERS)
def test_rows_are_samples_and_columns_channels(name, write):
    found = read_array(write(TABLE), name)
    assert found.values.dtype == np.float32
    assert found.values.flags.c_contiguous
    np.testing.assert_array_equal(found.values, TABLE.T.astype(np.float32))
    assert (found.sample_rate, found.names) == (None, ())


@pytest.mark.parametrize(("name", "write"), WRITERS)
@pytest.mark.parametrize("shape", [(6,), (6, 1), (1, 6)])
def test_a_vector_is_one_channel(name, write, shape):
    found = read_array(write(np.arange(6.0).reshape(shape)), name).values
    assert found.tolist() == [[0, 1, 2, 3, 4, 5]]


@pytest.mark.parametrize(("name", "write"), WRITERS)
@pytest.mark.parametrize("kind", ["int8", "uint16", "int64", "float16", "float32", "bool", ">f8"])
def test_all_real_numbers_are_read(name, write, kind):
    array = np.array([[0, 1], [1, 1], [1, 0]]).astype(kind)
    assert read_array(write(array), name).values.tolist() == [[0, 1, 1], [1, 1, 0]]


@pytest.mark.parametrize(("name", "write"), WRITERS)
def test_channels_are_chosen(name, write):
    assert read_array(write(TABLE), name, channels=[1]).values.shape == (1, 3)


@pytest.mark.parametrize(("name", "write"), WRITERS)
def test_other_than_real_numbers_is_refused(name, write):
    with pytest.raises(ReadError, match="complex|no array of real numbers"):
        read_array(write(np.array([1j, 2])), name)
    with pytest.raises(ReadError, match="3 axes; expected samples in rows, channels in columns"):
        read_array(write(np.zeros((2, 3, 4))), name)


def test_objects_are_never_unpickled():
    objects = np.array([{}], dtype=object)
    with pytest.raises(ReadError, match="cannot be decoded as NPY"):
        read_array(npy(objects, allow_pickle=True), "a.npy")
    with pytest.raises(ReadError, match="cell array or objects"):
        read_array(npz(x=objects), "a.npz", variable="x")
    assert read_array(npz(x=objects, y=TABLE), "a.npz").values.shape == (2, 3)


def test_text_is_refused():
    with pytest.raises(ReadError, match="does not hold one array of real numbers but is text"):
        read_array(npy(np.array(["a"])), "a.npy")


def test_archives_and_arrays_are_told_apart():
    with pytest.raises(ReadError, match="as NPZ: does not begin as one"):
        read_array(npy(TABLE), "a.npz")
    with pytest.raises(ReadError, match="as NPY: does not begin as one"):
        read_array(npz(x=TABLE), "a.npy")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.npz", npz(data=TABLE, other=TABLE, fs=100)),
        ("a.mat", mat(data=TABLE, other=TABLE, fs=100)),
        ("a.h5", hdf5({"data": TABLE, "other": TABLE, "fs": 100})),
    ],
)
def test_one_of_several_arrays_is_named(name, content):
    assert read_array(content, name, variable="other").values.shape == (2, 3)
    with pytest.raises(ReadError, match=r"several arrays \(data, other\); name one by variable"):
        read_array(content, name)
    with pytest.raises(ReadError, match=r"has no array 'dat', did you mean 'data'\? \(has data, "):
        read_array(content, name, variable="dat")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.npz", npz(data=TABLE, fs=100, label="x")),
        ("a.mat", mat(data=TABLE, fs=100, label="x", info={"age": 3})),
        ("a.h5", hdf5({"data": TABLE, "fs": 100, "label": "x"})),
    ],
)
def test_single_numbers_and_words_beside_the_array_are_passed_over(name, content):
    assert read_array(content, name).values.shape == (2, 3)


def test_hdf5_by_its_path():
    content = hdf5({"run/one/data": TABLE, "run/two": TABLE})
    assert read_array(content, "a.h5", variable="/run/one/data").values.shape == (2, 3)
    with pytest.raises(ReadError, match="'run' is a group; name one of run/one/data, run/two in"):
        read_array(content, "a.h5", variable="run")


def test_structs_and_cells_of_matlab_are_refused():
    content = mat(EEG={"data": TABLE, "rate": 100}, cells=np.array([TABLE, "x"], dtype=object))
    with pytest.raises(ReadError, match="is a struct; save the field with the samples"):
        read_array(content, "a.mat", variable="EEG")
    with pytest.raises(ReadError, match="a cell array"):
        read_array(content, "a.mat", variable="cells")
    with pytest.raises(ReadError, match=r"no array of real numbers \(EEG: a struct, cells: a cell"):
        read_array(content, "a.mat")


def test_sparse_arrays_of_matlab():
    from scipy.sparse import csc_matrix

    assert read_array(mat(x=csc_matrix(TABLE)), "a.mat").values.shape == (2, 3)


def test_versions_of_matlab_agree(tmp_path):
    new = matlab73(tmp_path, x=TABLE, fs=100.0)
    np.testing.assert_array_equal(
        read_array(new, "a.mat").values, read_array(mat(x=TABLE), "a.mat").values
    )
    np.testing.assert_array_equal(read_array(new, "a.h5").values, TABLE.T.astype(np.float32))
    assert read_array(matlab73(tmp_path, x=np.arange(5.0)), "a.mat").values.shape == (1, 5)
    old = io.BytesIO()
    savemat(old, {"x": TABLE}, format="4")
    assert read_array(old.getvalue(), "a.mat").values.shape == (2, 3)


def test_characters_and_empty_arrays_of_matlab():
    letters = hdf5({"x": np.array([[65], [66]], np.uint16)}, {"MATLAB_class": np.bytes_("char")})
    with pytest.raises(ReadError, match="is text"):
        read_array(letters, "a.mat", variable="x")
    with pytest.raises(ReadError, match="no array of real numbers"):
        read_array(letters, "a.mat")
    empty = hdf5({"x": np.array([0, 3])}, {"MATLAB_empty": 1})
    with pytest.raises(ReadError, match="holds no samples"):
        read_array(empty, "a.mat", variable="x")


@pytest.mark.parametrize(("name", "write"), WRITERS)
def test_cut_off_arrays_are_refused(name, write):
    content = write(np.random.default_rng(0).normal(size=(500, 4)))
    for share in (0.05, 0.5, 0.95):
        with pytest.raises(ReadError, match="cannot be decoded as|does not hold"):
            read_array(content[: int(share * len(content))], name)


def parquet(columns, **settings):
    import pandas

    content = io.BytesIO()
    pandas.DataFrame(columns).to_parquet(content, **settings)
    return content.getvalue()


def test_columns_of_parquet_are_named_channels():
    found = read_array(parquet({"Fp1": TABLE[:, 0], "Fp2": TABLE[:, 1]}), "a.parquet")
    np.testing.assert_array_equal(found.values, TABLE.T.astype(np.float32))
    assert found.names == ("Fp1", "Fp2")


def test_columns_of_other_than_numbers_may_stand_beside_those_wanted():
    content = parquet({"when": ["a", "b"], "Fp1": [1, 2], "on": [True, False]})
    with pytest.raises(ReadError, match=r"no numbers \(when: .*string\); choose others by chan"):
        read_array(content, "a.parquet")
    found = read_array(content, "a.parquet", channels=["on", 1])
    assert found.values.tolist() == [[1, 0], [1, 2]]
    assert found.names == ("on", "Fp1")


def test_missing_cells_of_parquet_are_nan():
    import pyarrow
    from pyarrow import parquet as writer

    content = io.BytesIO()
    writer.write_table(pyarrow.table({"a": [1, None, 3]}), content)
    np.testing.assert_equal(read_array(content.getvalue(), "a.parquet").values, [[1, np.nan, 3]])


def test_an_index_of_pandas_is_no_channel():
    import pandas

    content = io.BytesIO()
    index = pandas.Index([0.0, 0.1], name="time")
    pandas.DataFrame({"a": [1, 2]}, index=index).to_parquet(content)
    assert read_array(content.getvalue(), "a.parquet").names == ("a",)
