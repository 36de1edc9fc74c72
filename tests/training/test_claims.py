"""Jobs on one machine take different GPUs, and a killed one lets go of its own."""

import os
import signal
from types import SimpleNamespace

import pytest
import torch

from deepself.errors import UserError
from deepself.training import devices
from deepself.training.devices import claim_device, claim_one, claims_folder
from tests.forking import Forked

JOB = """
import sys, time
from pathlib import Path
from deepself.training import devices

def say(text):
    print(text, flush=True)

devices.WAIT = 0.02
with devices.claim_one(["GPU-a", "GPU-b"], Path(sys.argv[1]), say) as number:
    print(number, flush=True)
    sys.stdin.read()  # until it is told to end
"""


class Job:
    """A process that holds one of two devices until it is ended."""

    def __init__(self, folder):
        self.process = Forked([str(folder)], code=JOB)

    def says(self):
        return self.process.stdout.readline().strip()

    def ends(self):
        self.process.stdin.close()
        return self.process.wait()


@pytest.fixture
def start(tmp_path):
    jobs = []

    def begin():
        jobs.append(Job(tmp_path))
        return jobs[-1]

    yield begin
    for job in jobs:
        job.process.kill()
        job.process.wait()
        job.process.stdout.close()


def test_jobs_take_different_devices_and_a_third_waits_until_one_is_killed(start, tmp_path):
    first, second = start(), start()
    assert {first.says(), second.says()} == {"0", "1"}
    third = start()
    said = third.says()
    assert said.startswith("all 2 GPUs are taken, by process ")
    assert str(first.process.pid) in said and str(second.process.pid) in said
    assert said.endswith("waiting for one")
    freed = (tmp_path / "GPU-a.lock").read_text() == str(second.process.pid)
    os.kill(second.process.pid, signal.SIGKILL)
    assert third.says() == ("0" if freed else "1")  # it said only once that it waits
    assert first.ends() == 0
    fourth = start()
    assert fourth.says() == ("1" if freed else "0")


def test_a_claim_ends_with_its_block_even_by_an_error(tmp_path):
    for _ in range(2):
        with pytest.raises(RuntimeError), claim_one(["GPU-a"], tmp_path) as number:
            assert number == 0
            raise RuntimeError


def test_two_claims_of_one_process_are_different(tmp_path):
    with claim_one(["a", "b"], tmp_path) as one, claim_one(["a", "b"], tmp_path) as other:
        assert {one, other} == {0, 1}


def test_without_a_gpu_it_is_the_cpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for wanted in ("auto", "cpu"):
        with claim_device(wanted) as device:
            assert device == "cpu"
    words = "--device cuda: this PyTorch sees no GPU; use --device cpu"
    with pytest.raises(UserError, match=words), claim_device("cuda"):
        pass


@pytest.fixture
def gpus(monkeypatch, tmp_path):
    """Two GPUs that are not there; gives those that became the current one."""
    current = []
    monkeypatch.setattr(devices, "claims_folder", lambda: tmp_path)
    for name, fake in {
        "is_available": lambda: True,
        "device_count": lambda: 2,
        "get_device_properties": lambda number: SimpleNamespace(uuid=f"GPU-{'ab'[number]}"),
        "set_device": current.append,
    }.items():
        monkeypatch.setattr(torch.cuda, name, fake)
    return current


def test_gpus_are_claimed_by_what_they_are_not_by_their_number(gpus, start, tmp_path):
    assert start().says() == "0"
    for wanted in ("auto", "cuda"):
        with claim_device(wanted) as device:
            assert device == "cuda:1"
    assert gpus == [1, 1]
    with claim_device("cpu") as device:
        assert device == "cpu"
    assert gpus == [1, 1]


def test_a_slurm_job_takes_no_gpu_that_it_was_not_given(gpus, monkeypatch, capsys):
    for name in ("SLURM_JOB_GPUS", "SLURM_STEP_GPUS", "GPU_DEVICE_ORDINAL", "CUDA_VISIBLE_DEVICES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    with claim_device("auto") as device:
        assert device == "cpu"
    assert "this SLURM job has no GPU of its own" in capsys.readouterr().out
    with claim_device("cuda") as device:  # asked for by name
        assert device == "cuda:0"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    with claim_device("auto") as device:
        assert device == "cuda:0"


def test_folder_of_claims_is_the_users_alone(monkeypatch, tmp_path):
    monkeypatch.setattr(devices.tempfile, "gettempdir", lambda: str(tmp_path))
    folder = claims_folder()
    assert folder.stat().st_mode & 0o777 == 0o700
    assert claims_folder() == folder
    folder.chmod(0o777)
    with pytest.raises(UserError, match="TMPDIR"):
        claims_folder()
    folder.rmdir()
    folder.symlink_to(tmp_path)  # as someone else might, to have a file of ours written
    with pytest.raises(UserError, match="not a folder of yours alone"):
        claims_folder()
