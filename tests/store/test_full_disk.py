"""A feature file that the disk has no room for: named, kept as far as it is whole, gone on with.

A limit of a file's size stands for a disk that is full: it refuses the same writes.
"""

import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from deepself.store.feature_writer import FeatureWriter
from tests.store.test_features import batch, header

IDS = [str(number) for number in range(24)]
ITEMS = np.random.default_rng(0).standard_normal((24, 1, 100, 200)).astype(np.float32)

LIMITED = """
import resource, sys
sys.path.insert(0, sys.argv[3])
from pathlib import Path
from deepself.store import feature_writer
from tests.store.test_full_disk import write

_, most = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), most))
let_go = feature_writer.let_go

def without_limit(file):  # what goes nowhere is on no disk
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    let_go(file)

feature_writer.let_go = without_limit
try:
    write(Path(sys.argv[1]))
except OSError as error:
    print(error.filename, error.strerror, sep="|")
"""


def write(path):
    """Write all items from where the last writer stopped; return where that was."""
    with FeatureWriter(path, header(IDS)) as writer:
        begun = writer.done
        for start in range(begun, len(IDS), 4):
            writer.append(batch(ITEMS[start : start + 4]))
    return begun


@pytest.mark.parametrize(
    ("room", "kept"),
    [(1_500_000, (4, 16)), (50_000, (0,))],
    ids=["items", "beginning"],
)
def test_writer_that_runs_out_of_room_ends_well_and_the_next_goes_on(tmp_path, room, kept):
    path = tmp_path / "f.h5"
    code = [sys.executable, "-c", LIMITED, str(path), str(room), str(Path(__file__).parents[2])]
    done = subprocess.run(code, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")  # HDF5 does not crash when Python ends
    name, reason = done.stdout.strip().split("|")
    assert name.startswith(str(path)) and "recordings are kept" in name
    assert reason == "File too large"
    assert not path.exists()
    begun = write(path)
    assert kept[0] <= begun <= kept[-1]
    assert f"({begun} of 24 recordings are kept)" in name
    with h5py.File(path) as file:
        np.testing.assert_array_equal(file["items"][:], ITEMS)
        assert file["offsets"][-1] == 24
    assert [file.name for file in tmp_path.iterdir()] == ["f.h5"]
    assert path.stat().st_size < ITEMS.nbytes + 50_000  # room that was taken is given back


def test_writer_that_is_interrupted_at_its_very_end_is_whole(tmp_path, monkeypatch):
    path = tmp_path / "f.h5"

    def refuse(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("deepself.store.feature_writer.os.replace", refuse)
        with pytest.raises(KeyboardInterrupt):
            write(path)
    assert not path.exists()
    assert write(path) == len(IDS)
    with h5py.File(path) as file:
        np.testing.assert_array_equal(file["items"][:], ITEMS)
        assert file["offsets"][-1] == 24
