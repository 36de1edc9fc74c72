"""What a GPU has taken while a network was trained, by its own counter."""

from contextlib import suppress
from importlib import import_module
from typing import Any

import torch


def joules_of(gpu: str, nvml: Any) -> float | None:
    """Joules that a GPU has taken since its driver was loaded; None where that cannot be known.

    Parameters
    ----------
    gpu
        Its UUID, such as `GPU-…`.
    nvml
        NVIDIA's Management Library, as the module `pynvml` of nvidia-ml-py gives it.
    """
    # Older GPUs and parts of one (MIG) have no counter, drivers and libraries may not go together;
    # of all that can be wrong, nothing is worth a run.
    with suppress(Exception):
        nvml.nvmlInit()
        try:
            handle = nvml.nvmlDeviceGetHandleByUUID(gpu)
            return float(nvml.nvmlDeviceGetTotalEnergyConsumption(handle)) / 1000  # it counts in mJ
        finally:
            nvml.nvmlShutdown()
    return None


class Energy:
    """The energy that a GPU takes while one training goes on, also one that was killed meanwhile.

    It is that of the whole GPU, whoever else uses it.

    Parameters
    ----------
    device
        The training's; a CPU's energy is not known.
    nvml
        In place of the module `pynvml`.
    """

    def __init__(self, device: torch.device, nvml: Any = None):
        self._nvml = nvml
        self._gpu: str | None = None
        self._start: float | None = None
        self._before: float | None = 0.0
        if device.type != "cuda":
            return
        with suppress(Exception):  # as above; most have not installed it
            self._nvml = nvml or import_module("pynvml")
            self._gpu = _name(str(torch.cuda.get_device_properties(device).uuid))

    def begin(self, before: float | None = 0.0) -> None:
        """Training begins, or goes on after it has taken so many joules; None: nobody knows."""
        self._before, self._start = before, self._now()

    @property
    def joules(self) -> float | None:
        """Joules since training began; None where they are not known."""
        now = self._now()
        if now is None or self._start is None or self._before is None:
            return None
        return self._before + now - self._start

    def _now(self) -> float | None:
        return None if self._gpu is None else joules_of(self._gpu, self._nvml)


def _name(uuid: str) -> str:
    """A UUID as NVML names it, from what torch gives."""
    return uuid if uuid.startswith(("GPU-", "MIG-")) else f"GPU-{uuid}"
