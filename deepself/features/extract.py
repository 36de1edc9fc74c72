"""`extract`: one feature of all recordings, into one file that is whole or absent."""

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from deepself.errors import UserError
from deepself.features.embedding import embed
from deepself.features.prepare import prepare
from deepself.features.transforms import Axes, axes, transform
from deepself.store.features import FeatureWriter
from deepself.store.files import read_table
from deepself.study.dataset import AnyModality
from deepself.study.features import Computed, Embedding
from deepself.study.identity import feature_file, feature_specification
from deepself.study.layout import Layout
from deepself.study.schema import Study
from deepself.versions import versions

BATCH = 32
"""Recordings transformed at once: enough for the FFTs, little memory."""


def extract(study: Study, layout: Layout, name: str, workers: int) -> Path:
    """Make a feature file, unless it stands.

    Parameters
    ----------
    study, layout
        The study, and where its results lie.
    name
        The feature.
    workers
        Threads that decode and transform.

    Raises
    ------
    UserError
        A recording cannot be read, has changed, or does not suit the transform.
    """
    path = feature_file(study, layout, name)
    if path.exists():
        return path
    torch.set_num_threads(workers)
    spec = study.features[name]
    if isinstance(spec, Embedding):
        source = feature_file(study, layout, spec.of)
        ids, batches, scales = embed(spec, source, layout.results)
    else:
        modality = study.dataset.modalities[spec.modality]
        scales = axes(spec, getattr(modality, "sample_rate", None))
        rows = [r for r in read_table(layout.inventory) if r["modality"] == spec.modality]
        ids, batches = [row["id"] for row in rows], _compute(name, spec, modality, rows, workers)
    _write(path, ids, batches, scales, feature_specification(study, layout, name))
    return path


def _compute(
    name: str, spec: Computed, modality: AnyModality, rows: list[dict[str, str]], workers: int
) -> Iterator[np.ndarray]:
    rate = getattr(modality, "sample_rate", None)
    with ThreadPoolExecutor(workers) as pool:
        for start in range(0, len(rows), BATCH):
            part = rows[start : start + BATCH]
            signals = pool.map(lambda r: prepare(modality, Path(r["path"]), r["sha256"]), part)
            batch = torch.from_numpy(_stack(list(signals), part))
            try:
                yield transform(spec, batch, rate).numpy()
            except ValueError as error:
                raise UserError(f"features.{name}: {error}") from None


def _stack(signals: list[np.ndarray], rows: list[dict[str, str]]) -> np.ndarray:
    for signal, row in zip(signals, rows, strict=True):
        if signal.shape != signals[0].shape:
            raise UserError(
                f"{row['path']}: has shape {signal.shape}, {rows[0]['path']} has "
                f"{signals[0].shape}; set the modality's duration"
            )
    return np.stack(signals)


def _write(
    path: Path, ids: list[str], batches: Iterator[np.ndarray], scales: Axes, specification: dict
) -> None:
    bar = tqdm(total=len(ids), desc=path.stem, unit="item", disable=not sys.stderr.isatty())
    made_by = versions("torch", "numpy", "scipy", "librosa", "h5py")
    writer = FeatureWriter(
        path,
        ids,
        specification,
        made_by,
        frequencies=scales.frequencies,
        frame_rate=scales.frame_rate,
    )
    with bar, writer:
        for batch in batches:
            writer.append(batch)
            bar.update(len(batch))
