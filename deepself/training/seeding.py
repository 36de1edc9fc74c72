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
    drawn = int.from_bytes(hashlib.sha256(f"{seed}/{fold}".encode()).digest()[:7], "big")
    torch.manual_seed(drawn)
    torch.use_deterministic_algorithms(True)
    # It would also fill all memory that it hands out, to show reads of what nothing has written.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    return torch.Generator().manual_seed(drawn)
