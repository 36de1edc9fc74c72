"""A run that is killed anywhere and started again ends bit for bit as one undisturbed."""

import fcntl
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import pytest
import torch
from torch import nn

from deepself.cli import main
from deepself.study.training import Training
from deepself.training.checkpoints import Checkpoints
from deepself.training.signals import Signals
from tests.forking import Forked
from tests.tiny import make_study
from tests.training.toys import make_loop

# All that draws random numbers or keeps a state.
SETTINGS = Training(
    epochs=4,
    batch_size=8,
    lr=0.05,
    averaging=0.9,
    patience=3,
    sampling="balanced",
    schedule={"type": "plateau", "patience": 1, "factor": 0.5, "warmup": 1},
    augmentation=[{"type": "mix_up", "alpha": 0.4}],
)
BATCHES = 4 * 5


def network():
    torch.manual_seed(5)
    return nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 2))


class StopAfter(Signals):
    """SIGTERM after so many batches."""

    def __init__(self, batches):
        self.left = batches

    @property
    def save(self):
        self.left -= 1
        return self.left < 0

    @save.setter
    def save(self, value):
        pass

    @property
    def stop(self):
        return self.left < 0


def run(checkpoints=None, signals=None, settings=SETTINGS):
    loop = make_loop(
        settings, network=network(), checkpoints=checkpoints, signals=signals or Signals()
    )
    loop.run()
    loop.keep_best()
    return loop


def comparable(loop):
    return [row[:-1] for row in loop.course.history], loop.course.best.epoch


@pytest.mark.parametrize("batch", [1, 2, 5, 6, 13, 19, 23])
def test_stopped_after_any_batch_it_goes_on_bit_by_bit(tmp_path, batch):
    """Five batches an epoch, and a look at the signals after each epoch."""
    expected = run()
    file = tmp_path / "checkpoint"
    with pytest.raises(SystemExit) as stopped:
        run(Checkpoints(file, "same"), StopAfter(batch))
    assert stopped.value.code == 143
    found = run(Checkpoints(file, "same"))
    assert comparable(found) == comparable(expected)
    for name, value in expected.network.state_dict().items():
        assert torch.equal(found.network.state_dict()[name], value), name


def test_stopped_again_and_again(tmp_path):
    expected = run()
    file, stops = tmp_path / "checkpoint", 0
    while True:
        try:
            found = run(Checkpoints(file, "same"), StopAfter(3))
            break
        except SystemExit:
            stops += 1
    assert stops > 4
    assert comparable(found) == comparable(expected)
    assert torch.equal(found.network[0].weight, expected.network[0].weight)


def test_checkpoint_of_another_specification_is_not_read(tmp_path, capsys):
    file = tmp_path / "checkpoint"
    with pytest.raises(SystemExit):
        run(Checkpoints(file, "one"), StopAfter(7))
    found = run(Checkpoints(file, "other"))
    assert "is of other settings, data or versions; starting anew" in capsys.readouterr().out
    assert torch.equal(found.network[0].weight, run().network[0].weight)


@pytest.mark.parametrize(
    "damage", [lambda b: b[:100], lambda b: b"", lambda b: b[:-30] + b"x" * 30]
)
def test_damaged_checkpoint_is_said_and_not_read(tmp_path, capsys, damage):
    file = tmp_path / "checkpoint"
    with pytest.raises(SystemExit):
        run(Checkpoints(file, "same"), StopAfter(7))
    file.write_bytes(damage(file.read_bytes()))
    found = run(Checkpoints(file, "same"))
    assert "starting anew" in capsys.readouterr().out
    assert torch.equal(found.network[0].weight, run().network[0].weight)


def test_a_checkpoint_that_cannot_be_written_does_not_end_the_training(tmp_path, capsys):
    folder = tmp_path / "file"
    folder.write_text("where a folder should be")
    found = run(Checkpoints(folder / "checkpoint", "same", every=0))
    printed = capsys.readouterr().out
    assert printed.count("training goes on, but could not if killed") == 1
    assert torch.equal(found.network[0].weight, run().network[0].weight)


def test_checkpoints_are_written_at_their_interval(tmp_path):
    written = []

    class Counting(Checkpoints):
        def write(self, state):
            written.append(state["step"])
            super().write(state)

    run(Counting(tmp_path / "a", "same", every=0))
    # After each batch and each epoch, and once at the end.
    assert len(written) == BATCHES + 4 + 1
    written.clear()
    run(Counting(tmp_path / "b", "same", every=3600))
    assert written == []


# The whole verb, killed from outside.

EPOCHS = 200  # the log holds 45 of them: where it is read late, the signal still is in time
CHANGES = {
    "models__cnn__network": {"type": "cnn2d", "channels": [4], "dropout": 0.3},
    "models__cnn__training": {
        "epochs": EPOCHS,
        "batch_size": 4,
        "averaging": 0.9,
        "schedule": {"type": "cosine", "warmup": 2},
        "augmentation": [{"type": "time_mask"}, {"type": "time_shift"}],
    },
}
TRAIN = ["train", "study.yaml", "--model", "cnn", "--fold", "1"]


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A study with its features, and what a run of it gives undisturbed."""
    folder = tmp_path_factory.mktemp("resume")
    file = make_study(folder, **CHANGES)
    before = os.getcwd()
    os.chdir(folder)
    try:
        for verb in (["check"], ["split"], ["extract", "--feature", "log_mel"]):
            assert main([verb[0], str(file), *verb[1:]]) == 0
        undisturbed = [sys.executable, "-m", "deepself", *TRAIN]
        assert subprocess.run(undisturbed, capture_output=True).returncode == 0
    finally:
        os.chdir(before)
    return folder, bytes_of(folder)


def bytes_of(folder):
    run = folder / "results/tiny/runs/cnn/fold-1/seed-0"
    return {name: (run / name).read_bytes() for name in ("weights.safetensors", "predictions.csv")}


def train(folder, every="0.05", *more):
    process = Forked([*TRAIN, "--checkpoint", every, *more], folder)
    if hasattr(fcntl, "F_SETPIPE_SZ"):  # 4 KiB, where it would be 64
        fcntl.fcntl(process.stdout, fcntl.F_SETPIPE_SZ, 4096)
    return process


def wait_for(process, epoch):
    """Read its log until it has come to an epoch, and no byte more."""
    lines = []
    for line in iter(process.stdout.buffer.raw.readline, b""):
        lines.append(line.decode())
        if lines[-1].startswith(f"epoch {epoch}/"):
            return
    raise AssertionError("".join(lines))


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGTERM])
@pytest.mark.parametrize("epoch", [2, EPOCHS // 3, EPOCHS // 2])
def test_killed_run_goes_on_and_ends_the_same(study, sign, epoch):
    folder, expected = study
    run = folder / "results/tiny/runs/cnn/fold-1/seed-0"
    shutil.rmtree(run)
    run.mkdir()
    process = train(folder)
    wait_for(process, epoch)
    if sign == signal.SIGKILL:
        time.sleep(0.1)  # let there be a checkpoint
    process.send_signal(sign)
    process.stdout.read()
    assert process.wait() == (143 if sign == signal.SIGTERM else -9)
    assert not (run / "run.json").exists()
    assert (run / ".checkpoint").exists()
    again = train(folder)
    log = again.communicate()[0]
    assert again.returncode == 0, log
    went_on = re.search(r"^goes on from epoch (\d+), batch (\d+)$", log, re.MULTILINE)
    assert went_on, log
    assert int(went_on[1]) >= (epoch if sign == signal.SIGTERM else 2)
    assert bytes_of(folder) == expected
    assert not (run / ".checkpoint").exists()


def test_sigusr1_saves_and_goes_on(study):
    folder, expected = study
    run = folder / "results/tiny/runs/cnn/fold-1/seed-0"
    process = train(folder, "3600")
    wait_for(process, 2)
    assert not (run / ".checkpoint").exists()
    process.send_signal(signal.SIGUSR1)
    wait_for(process, EPOCHS // 2)
    assert (run / ".checkpoint").exists()
    process.stdout.read()
    assert process.wait() == 0
    assert bytes_of(folder) == expected


def test_checkpoint_of_other_settings_is_not_resumed(study):
    folder, _ = study
    process = train(folder)
    wait_for(process, 5)
    process.send_signal(signal.SIGTERM)
    process.stdout.read()
    process.wait()
    other = train(folder, "0.05", "--set", "models.cnn.training.lr=0.02")
    log = other.communicate()[0]
    assert "is of other settings, data or versions; starting anew" in log
    assert "goes on" not in log


def test_checkpoint_of_streamed_items_is_not_resumed_in_memory(tmp_path, capsys):
    """The two see the items in another order."""
    file = tmp_path / "checkpoint"
    with pytest.raises(SystemExit):
        run(Checkpoints(file, "same"), StopAfter(7))
    state = Checkpoints(file, "same").read()
    Checkpoints(file, "same").write({**state, "streamed": True})
    found = run(Checkpoints(file, "same"))
    assert "from another place than before" in capsys.readouterr().out
    assert torch.equal(found.network[0].weight, run().network[0].weight)
