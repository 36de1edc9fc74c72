"""Progress: a line an epoch in a log, a bar on a terminal, a file for `watch`; and its cost."""

import io
import sys
import time
from itertools import pairwise

import pytest

from deepself.store.files import read_json
from deepself.training import progress
from deepself.training.progress import FILE, Progress, duration
from tests.importing import imported


@pytest.fixture
def clock(monkeypatch):
    """A clock that the test moves: `clock.now += 1`."""

    class Clock:
        now = 100.0

    monkeypatch.setattr(progress.time, "monotonic", lambda: Clock.now)
    return Clock


class Loss:
    """A loss on a GPU: to look at it is to wait."""

    looks = 0

    def __float__(self):
        self.looks += 1
        return 0.5


def train(told, clock, epochs, batches=4, seconds=1.0, loss=None):
    for epoch in epochs:
        told.begin_epoch(epoch)
        for _ in range(batches):
            clock.now += seconds
            told.batch(10, loss)
        told.end_epoch(epoch, 0.4, 0.6, 0.7, 0.75)


def test_one_line_an_epoch_with_speed_and_time_left(clock, capsys):
    told = Progress("cnn fold 1", epochs=3, items=40)
    train(told, clock, (1, 2, 3))
    told.close("finished")
    scores = "train loss 0.4000 dev loss 0.6000 dev UAR 70.0% best 75.0%"
    assert capsys.readouterr().out.splitlines() == [
        f"epoch {epoch}/3 {scores} 10 items/s 0:{left} left"
        for epoch, left in ((1, "08"), (2, "04"), (3, "00"))
    ]


def test_long_epoch_has_a_line_every_half_minute(clock, capsys):
    told = Progress("", epochs=1, items=70)
    train(told, clock, [1], batches=7, seconds=10, loss=Loss())
    assert capsys.readouterr().out.splitlines() == [
        "epoch 1/1 43% loss 0.5000 1 items/s 0:40 left",
        "epoch 1/1 86% loss 0.5000 1 items/s 0:10 left",
        "epoch 1/1 train loss 0.4000 dev loss 0.6000 dev UAR 70.0% best 75.0% 1 items/s 0:00 left",
    ]


def test_evaluation_is_in_the_time_left_and_not_in_the_speed(clock):
    told = Progress("", epochs=2, items=40)
    told.begin_epoch(1)
    clock.now += 4
    told.batch(40)
    clock.now += 6  # dev
    told.end_epoch(1, 0.4, 0.6, 0.7, 0.7)
    assert told.sign.items_per_second == 10
    assert told.sign.seconds_left == 10


def test_what_an_earlier_process_did_is_no_speed_of_this_one(clock, tmp_path):
    told = Progress("", epochs=4, items=40, folder=tmp_path)
    told.begin_epoch(3, done=20)
    clock.now += 2
    told.batch(10)
    sign = read_json(tmp_path / FILE)
    assert (sign["epoch"], sign["share"]) == (3, 0.75)
    assert sign["items_per_second"] == 5
    assert sign["seconds_left"] == (0.25 + 1) * 40 / 5


def test_loss_is_looked_at_only_when_something_is_due(clock, tmp_path):
    loss = Loss()
    told = Progress("", epochs=1, items=10_000, folder=tmp_path)
    told.begin_epoch(1)
    for _ in range(1000):
        clock.now += 0.0101
        told.batch(10, loss)
    assert loss.looks == 10


def test_loss_may_be_a_function(clock, tmp_path):
    told = Progress("", epochs=1, items=10, folder=tmp_path)
    told.begin_epoch(1)
    clock.now += 2
    told.batch(5, lambda: 0.25)
    assert read_json(tmp_path / FILE)["loss"] == 0.25


def test_file_says_how_far_the_run_is(clock, tmp_path):
    told = Progress("cnn fold 1 seed 0", epochs=3, items=40, folder=tmp_path)
    before = time.time()
    train(told, clock, [1])
    clock.now += 2
    train(told, clock, [2])
    clock.now += 2
    told.batch(0)  # a sign of life
    sign = read_json(tmp_path / FILE)
    assert before <= sign.pop("written") <= time.time()
    assert sign.pop("host") and sign.pop("pid")
    assert (sign.pop("share"), sign.pop("loss")) == (1.0, 0.4)
    assert sign == {
        "label": "cnn fold 1 seed 0", "epochs": 3, "epoch": 2, "dev_uar": 0.7, "best": 0.75,
        "items_per_second": 10.0, "seconds_left": 6.0, "state": "running",
    }  # fmt: skip
    told.close("stopped")
    told.close("failed")
    assert read_json(tmp_path / FILE)["state"] == "stopped"
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


def test_file_is_written_once_a_second_at_most(clock, tmp_path, monkeypatch):
    written = []
    monkeypatch.setattr(progress, "write_json", lambda path, value: written.append(clock.now))
    told = Progress("", epochs=50, items=40, folder=tmp_path)
    train(told, clock, range(1, 51), seconds=0.05)
    assert 8 <= len(written) <= 11  # in ten seconds
    assert min(b - a for a, b in pairwise(written)) >= 0.99


def test_training_does_not_stop_where_the_file_cannot_be_written(clock, tmp_path, capsys):
    (tmp_path / "run").write_text("a file, not a folder")
    told = Progress("", epochs=5, items=40, folder=tmp_path / "run")
    train(told, clock, range(1, 6))
    told.close("finished")
    assert capsys.readouterr().out.count("watch may not see this run") == 1


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_bar_on_a_terminal_moves_within_an_epoch(clock, monkeypatch, capsys):
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("COLUMNS", "140")
    told = Progress("cnn fold 1", epochs=2, items=40)
    assert screen.getvalue() == ""  # a run that waits for its turn draws nothing
    train(told, clock, [1], loss=Loss())
    train(told, clock, [2], batches=2, loss=Loss())
    told.close("finished")
    drawn = screen.getvalue().split("\r")
    within = [
        line for line in drawn if "cnn fold 1 epoch 1/2 loss 0.5000 10 items/s 0:05 left" in line
    ]
    assert within and all(line.startswith(" 38%|") for line in within)
    assert any("epoch 2/2 loss 0.5000 dev UAR 70.0% best 75.0% 10 items/s" in x for x in drawn)
    assert capsys.readouterr().out == ""  # no lines of a log beside it


@pytest.mark.parametrize("file", [True, False])
def test_batch_costs_next_to_nothing(tmp_path, file):
    told = Progress("", epochs=1, items=10**9, folder=tmp_path if file else None)
    told.begin_epoch(1)
    loss, count = Loss(), 20_000
    start = time.perf_counter()
    for _ in range(count):
        told.batch(8, loss)
    assert (time.perf_counter() - start) / count < 20e-6


def test_times_are_short():
    assert [duration(s) for s in (0, 59.6, 61, 3600, 36_061)] == [
        "0:00", "1:00", "1:01", "1:00:00", "10:01:01"
    ]  # fmt: skip


def test_import_brings_no_torch():
    assert not imported("import deepself.training.progress", ("torch", "numpy", "tqdm"))
