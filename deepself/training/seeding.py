"""Random numbers: one seed a run, whatever else runs."""

import hashlib
import os

import torch


def seed_everything(seed: int, fold: str) -> torch.Generator:
    """Seed torch's global generator, ask for deterministic operators, and give one for the order.

    The seed of a run is drawn from the study's seed and the fold, so that folds differ, and that
    all models of a fold see their items in the same order. It must be called before a network is
    built: its first weights are drawn from the global generator.
    """
    os.environ.setdefault(
        "CUBLAS_WORKSPACE_CONFIG", ":4096:8"
    )  # else cuBLAS varies, and torch stops
    torch.manual_seed(_drawn(f"{seed}/{fold}"))
    # As torch.use_deterministic_algorithms(True), which also imports the compiler: a second a job.
    torch.set_deterministic_debug_mode("error")
    # It would also fill all memory that it hands out, to show reads of what nothing has written.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    return generator(seed, fold, "order")


def generator(seed: int, fold: str, purpose: str, device: str = "cpu") -> torch.Generator:
    """A generator of a run for one purpose: no two draw the same numbers."""
    return torch.Generator(device).manual_seed(_drawn(f"{seed}/{fold}/{purpose}"))


def _drawn(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:7], "big")
