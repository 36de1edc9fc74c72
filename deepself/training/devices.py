"""Which device a job uses: GPUs of one machine are claimed, one a job."""

import fcntl
import os
import stat
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import torch

from deepself.errors import UserError

WAIT = 0.5
"""Seconds between two looks for a device that has become free."""


@contextmanager
def claim_device(wanted: str) -> Iterator[str]:
    """Hold a device for a job: the first GPU that no other job of this user holds, or the CPU.

    Where all are taken it waits. Claims are of processes on one machine: where a cluster gives
    each job its own GPUs, the first is free.

    Parameters
    ----------
    wanted
        `auto`: a GPU where there is one; `cpu`; `cuda`; or one that is held already, such as
        `cuda:1`.

    Yields
    ------
    str
        `cpu`, or a GPU such as `cuda:1`, which is then torch's current one.

    Raises
    ------
    UserError
        A GPU is wanted, and there is none.
    """
    if wanted.startswith("cuda:"):
        yield wanted
        return
    if choose_device(wanted) == "cpu":
        yield "cpu"
        return
    with claim_one(_gpus(), claims_folder(), partial(print, flush=True)) as number:
        torch.cuda.set_device(number)
        yield f"cuda:{number}"


def choose_device(wanted: str) -> str:
    """`auto` is the GPU where there is one that this job may use."""
    if wanted == "cpu" or (wanted == "auto" and not torch.cuda.is_available()):
        return "cpu"
    if not torch.cuda.is_available():
        raise UserError("--device cuda: this PyTorch sees no GPU; use --device cpu")
    if wanted == "auto" and _without_gpu(os.environ):
        print("this SLURM job has no GPU of its own, and leaves those that it sees to others")
        return "cpu"
    return "cuda"


def _without_gpu(environ: Mapping[str, str]) -> bool:
    """Whether this is a job of SLURM that was given no GPU: it may see other jobs' ones."""
    given = ("SLURM_JOB_GPUS", "SLURM_STEP_GPUS", "GPU_DEVICE_ORDINAL", "CUDA_VISIBLE_DEVICES")
    return "SLURM_JOB_ID" in environ and not any(environ.get(name) for name in given)


def _gpus() -> list[str]:
    """Names of the GPUs that this process sees, which mean the same to all processes."""
    # A number does not: it depends on CUDA_VISIBLE_DEVICES.
    return [
        str(torch.cuda.get_device_properties(number).uuid)
        for number in range(torch.cuda.device_count())
    ]


def claims_folder() -> Path:
    """The folder of this user's claims, which no one else can write to.

    Raises
    ------
    UserError
        Someone else has made it.
    """
    folder = Path(tempfile.gettempdir()) / f"deepself-{os.getuid()}"
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o022:
        raise UserError(f"{folder}: is not a folder of yours alone; set TMPDIR to another place")
    return folder


@contextmanager
def claim_one(
    devices: Sequence[str], folder: Path, say: Callable[[str], object] = print
) -> Iterator[int]:
    """Hold the first of some devices that no other process holds; wait where all are taken.

    A claim is a lock of the operating system on a file: it ends with its process, however that
    ends.

    Parameters
    ----------
    devices
        Their names, the same in all processes.
    folder
        Where the files are, one a device.
    say
        Told once which processes are waited for.

    Yields
    ------
    int
        The number of the device in `devices`.
    """
    told = False
    while True:
        for number, device in enumerate(devices):
            file = _lock(folder / f"{device}.lock")
            if file is None:
                continue
            try:
                yield number
            finally:
                os.close(file)
            return
        if not told:
            holders = ", ".join(_holder(folder / f"{device}.lock") for device in devices)
            what = "the GPU is" if len(devices) == 1 else f"all {len(devices)} GPUs are"
            say(f"{what} taken, by process {holders}; waiting for one")
            told = True
        time.sleep(WAIT)


def _lock(path: Path) -> int | None:
    """The open file, locked and with this process's number in it; None where another holds it."""
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        return None
    os.truncate(file, 0)
    os.write(file, str(os.getpid()).encode())
    return file


def _holder(path: Path) -> str:
    with suppress(OSError):
        return path.read_text() or "?"
    return "?"
