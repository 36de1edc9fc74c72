"""Checkpoints: all that a run needs to go on, bit by bit, where it was killed."""

import io
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from deepself.store.checksums import file_digest
from deepself.store.features import FeatureFile
from deepself.store.files import atomic_path
from deepself.study.identity import digest
from deepself.training.job import Job
from deepself.versions import NETWORK_PACKAGES, versions

CHECKPOINT = ".checkpoint"
"""Its name in a run's folder: undeclared to the workflow, which so keeps it for the next start."""

FORMAT = 3
"""Raised whenever the content of a checkpoint changes: others are never read."""

EVERY = 60.0
"""Seconds between two checkpoints, unless asked otherwise."""


class Checkpoints:
    """The checkpoint of a run: one file beside its results.

    Parameters
    ----------
    file
        Where it lies.
    identity
        Digest of all that the run's numbers depend on. What was written for another is never read.
    every
        Seconds between two.
    keep
        Whether the last one is kept when the run is whole: its job goes on with other runs.
    """

    def __init__(self, file: Path, identity: str, every: float = EVERY, keep: bool = False):
        self.file, self.keep, self._identity, self._every = file, keep, identity, every
        self._last, self._failed = time.monotonic(), False

    def wants(self, seconds: float) -> bool:
        """Whether a training that took so long is worth a last one, before its predictions."""
        return self.keep or seconds > self._every

    def due(self) -> bool:
        """Whether it is time for the next one."""
        return time.monotonic() - self._last >= self._every

    def write(self, state: Mapping[str, Any]) -> None:
        """Write a state: whole, or not at all; where that fails, say so once and go on."""
        self._last = time.monotonic()
        content = io.BytesIO()
        torch.save({"identity": self._identity, **state}, content)
        try:
            with atomic_path(self.file) as temporary:
                temporary.write_bytes(content.getbuffer())
        except OSError as error:
            if not self._failed:
                print(
                    f"{self.file}: {error.strerror}; training goes on, but could not if killed",
                    flush=True,
                )
            self._failed = True

    def read(self) -> dict[str, Any] | None:
        """The state of this very run, if there is one; never code, only tensors and numbers."""
        if not self.file.exists():
            return None
        try:
            state = torch.load(self.file, map_location="cpu", weights_only=True)
        except Exception as error:
            # Whatever is wrong with it, the run can begin again; pickle raises all sorts.
            print(
                f"{self.file}: cannot be read ({type(error).__name__}); starting anew", flush=True
            )
            return None
        if state.pop("identity", None) != self._identity:
            print(f"{self.file}: is of other settings, data or versions; starting anew", flush=True)
            return None
        return state

    def remove(self) -> None:
        """Delete it: the run is whole."""
        self.file.unlink(missing_ok=True)


def identity_of(job: Job, device: str) -> str:
    """Digest of what the numbers of a run depend on, its device and PyTorch's version included."""
    return digest(
        {
            "format": FORMAT,
            "specification": job.specification,
            "network": job.method.model_dump(mode="json"),
            "run": [job.run.model, job.run.fold, job.run.seed],
            "features": {name: _made(source.file) for name, source in job.inputs.items()},
            "weights": {
                name: file_digest(source.weights)
                for name, source in job.inputs.items()
                # What is missing is said where it is needed.
                if source.weights is not None and source.weights.exists()
            },
            "folds": file_digest(job.folds),
            "classes": job.classes,
            "device": device.partition(":")[0],
            "versions": versions("torch", *NETWORK_PACKAGES),
        }
    )


def _made(feature: Path) -> dict[str, Any]:
    """What a feature's items are: how they were made, and of which recordings."""
    with FeatureFile(feature) as file:
        made = {"specification": file.specification, "versions": file.versions}
        return {**made, "ids": file.ids, "checksums": file.checksums}


class Generators:
    """The random numbers of a run: of its weights and drop-out, its order, its augmentation.

    Parameters
    ----------
    order
        Draws the order of the training items; on the CPU.
    augmentation
        Draws the changes of the items; on the device.
    """

    def __init__(self, order: torch.Generator, augmentation: torch.Generator):
        self.order, self.augmentation = order, augmentation

    def of_network(self) -> dict[str, Tensor]:
        """Where those stand that a network draws from."""
        state = {"global": torch.get_rng_state()}
        if self.augmentation.device.type == "cuda":
            state["cuda"] = torch.cuda.get_rng_state(self.augmentation.device)
        return state

    def state(self) -> dict[str, Tensor]:
        """Where each of them stands."""
        return {
            **self.of_network(),
            "order": self.order.get_state(),
            "augmentation": self.augmentation.get_state(),
        }

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Go back to where they stood."""
        torch.set_rng_state(state["global"])
        for name, generator in (("order", self.order), ("augmentation", self.augmentation)):
            if name in state:
                generator.set_state(state[name])
        if "cuda" in state:
            torch.cuda.set_rng_state(state["cuda"], self.augmentation.device)
