"""Features that are computed from recordings: read, prepared, transformed, one at a time.

No recording shares a transform with another, so its items are the same bits whichever others
are made beside it: a feature to which a recording was added equals one made anew.
"""

from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import torch

from deepself.dataset.recordings import Recording
from deepself.errors import UserError
from deepself.features.prepare import prepare, read_verified, target_samples
from deepself.features.transforms import Axes, axes, frames, transform
from deepself.store.feature_writer import Batch
from deepself.study.dataset import AnyModality, ImageModality, VideoModality
from deepself.study.features import Computed, SignalFeature

PIECES = 64
"""Windows transformed at once: enough for the FFTs, little memory."""


class Transformer:
    """How one feature is made of a recording that was read.

    Parameters
    ----------
    name, spec, modality
        The feature, and what it is made from.
    samples
        Length to which signals or films are brought; None leaves them.

    Attributes
    ----------
    axes
        Frequencies and frame rate of what is made.
    """

    def __init__(self, name: str, spec: Computed, modality: AnyModality, samples: int | None):
        self._name, self._spec, self._modality, self._samples = name, spec, modality, samples
        self._rate = 0.0
        if not isinstance(modality, ImageModality | VideoModality):
            self._rate = modality.sample_rate
        self.axes = self._axes()
        duration = getattr(modality, "duration", None)
        masked = duration is not None and duration.shorter == "mask"
        self._masked = masked and getattr(spec, "window", None) is None

    def __call__(self, recording: Recording) -> Batch:
        """Items of one recording.

        Raises
        ------
        ValueError
            It does not suit the filter or the transform, or is shorter than a window.
        """
        prepared = prepare(self._modality, self._spec, recording, self._samples)
        if not len(prepared.pieces):
            raise ValueError(f"is shorter than a window of features.{self._name}")
        items = self._transformed(prepared.pieces)
        lengths = None
        if self._masked:
            items, lengths = self._filled(items)
        starts = None if prepared.starts is None else np.array(prepared.starts)
        return Batch(items, [len(items)], starts, lengths)

    def _transformed(self, pieces: np.ndarray) -> np.ndarray:
        if not isinstance(self._spec, SignalFeature):
            return pieces
        made = []
        for start in range(0, len(pieces), PIECES):  # windows overlap in memory until here
            part = np.require(pieces[start : start + PIECES], requirements=["C", "W"])
            made.append(transform(self._spec, torch.from_numpy(part), self._rate))
        return torch.cat(made).numpy()

    def _filled(self, items: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Fill up with zeros what has its true length, which networks are told."""
        assert self._samples is not None
        axis = 2 if isinstance(self._modality, VideoModality) else items.ndim - 1
        whole = self._samples
        if isinstance(self._spec, SignalFeature):
            whole = frames(self._spec, self._samples)
        widths = [(0, 0)] * items.ndim
        widths[axis] = (0, whole - items.shape[axis])
        return np.pad(items, widths), np.array([items.shape[axis]])

    def _axes(self) -> Axes:
        if isinstance(self._spec, SignalFeature):
            return axes(self._spec, self._rate)
        rate = getattr(self._modality, "frame_rate", None)
        return Axes(frame_rate=rate)


class Computation(AbstractContextManager):
    """How one feature is computed of a study's recordings.

    Parameters
    ----------
    name, spec, modality
        The feature, and what it is made from.
    rows
        The inventory's rows of all recordings of the modality.

    Attributes
    ----------
    axes
        Frequencies and frame rate of what is made.
    samples
        Length to which signals or films are brought; None leaves them.
    """

    def __init__(
        self, name: str, spec: Computed, modality: AnyModality, rows: list[dict[str, str]]
    ):
        self._name, self._modality = name, modality
        self._checksums = {row["id"]: row["sha256"] for row in rows}
        self._paths = {row["id"]: Path(row["path"]) for row in rows}
        self.samples = target_samples(modality, rows)
        self._transformer = Transformer(name, spec, modality, self.samples)
        self.axes = self._transformer.axes

    def make(self, recording: str) -> Batch:
        """Items of one recording."""
        path = self._paths[recording]
        read = read_verified(self._modality, path, self._checksums[recording])
        try:
            return self._transformer(read)
        except ValueError as error:
            raise UserError(f"features.{self._name}: {path}: {error}") from None

    def __exit__(self, *_: object) -> None:
        """Nothing is held open."""
