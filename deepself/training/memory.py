"""How much memory a job may still take."""

import os
import resource
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import torch

MB = 2**20
ROOT = Path("/")

RECLAIMABLE = ("inactive_file", "active_file", "slab_reclaimable")
"""What the kernel counts as used, but gives back to whoever asks: pages of files, above all."""


def free_host_memory(root: Path = ROOT, environ: Mapping[str, str] = os.environ) -> int:
    """Bytes that this job may still take: the least of what the machine, its group and SLURM leave.

    Parameters
    ----------
    root
        Where `proc` and `sys` are.
    environ
        Where SLURM says what it has given to the job.
    """
    limits = [*_machine(root), *_groups(root), *_slurm(root, environ)]
    if not limits:  # no Linux
        limits = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") - peak_memory(root)]
    return max(0, min(limits))


def free_device_memory(device: str) -> int:
    """Bytes that a GPU has free."""
    return torch.cuda.mem_get_info(torch.device(device))[0]


def _machine(root: Path) -> Iterator[int]:
    with suppress(OSError):
        for line in (root / "proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                yield int(line.split()[1]) * 1024


def _groups(root: Path) -> Iterator[int]:
    """What each control group that this process is in, and each one above it, has left."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            base, names = root / "sys/fs/cgroup", ("memory.max", "memory.current", "")
        elif "memory" in controllers.split(","):
            base = root / "sys/fs/cgroup/memory"
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_")
        else:
            continue
        # In a container the path may be the host's: only what is there is asked.
        own = base / path.lstrip("/")
        for folder in (own, *own.parents):
            if folder.is_relative_to(base):
                yield from _left(folder, *names)


def _left(folder: Path, limit: str, usage: str, prefix: str) -> Iterator[int]:
    try:
        most, used = ((folder / name).read_text().strip() for name in (limit, usage))
        if most == "max":
            return
        kept = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
    except OSError:
        return
    yield int(most) - int(used) + sum(int(kept.get(prefix + name, 0)) for name in RECLAIMABLE)


def _slurm(root: Path, environ: Mapping[str, str]) -> Iterator[int]:
    """What SLURM has given to the job on this machine, without what this process has."""
    node, cpu, on_node, per_task = (
        int(text) if (text := environ.get(f"SLURM_{name}", "")).isdecimal() else 0
        for name in ("MEM_PER_NODE", "MEM_PER_CPU", "CPUS_ON_NODE", "CPUS_PER_TASK")
    )
    given = node or cpu * (on_node or per_task or 1)  # 0: the whole machine
    if given:
        yield given * MB - _resident(root)


def _resident(root: Path) -> int:
    try:
        pages = int((root / "proc/self/statm").read_text().split()[1])
    except OSError:
        return peak_memory(root)
    return pages * os.sysconf("SC_PAGE_SIZE")


def peak_memory(root: Path = ROOT) -> int:
    """Most bytes that this process has ever had resident."""
    # Linux also knows the peak as `ru_maxrss`, but there it begins with that of the process which
    # started this one.
    with suppress(OSError):
        for line in (root / "proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
