"""A recording's features as a bundle makes them, and the axes of these."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from deepself.dataset.readers import ReadError
from deepself.errors import UserError
from deepself.features.transforms import Axes, axes
from deepself.inference.answers import UNREADABLE
from deepself.inference.bundle import Bundle
from deepself.inference.opening import Source, as_sources
from deepself.inference.running import Items
from deepself.inference.spec import BundleSpec
from deepself.store.feature_writer import Batch
from deepself.study.dataset import AudioModality, SensorModality
from deepself.study.features import Computed, SignalFeature
from deepself.study.joined import Joined


@dataclass(frozen=True)
class Recorded:
    """A recording that was read.

    Attributes
    ----------
    name
        What it is called.
    batches
        Its items of each feature that any run reads.
    notes
        How it differs from the recordings that were learnt from.
    """

    name: str
    batches: Mapping[str, Batch]
    notes: tuple[str, ...] = ()

    def items(self, feature: str) -> Items:
        """Rows of a feature."""
        batch = self.batches[feature]
        return Items(np.ascontiguousarray(batch.items, dtype=np.float32), batch.lengths)


def read(
    bundle: Bundle,
    source: Source | Mapping[str, Source],
    sample_rate: float | None = None,
    name: str | None = None,
) -> Recorded:
    """Read a recording and make its features.

    Parameters
    ----------
    bundle
        Whose features.
    source, sample_rate
        As `Bundle.predict` takes them.
    name
        What the recording is called; default: its path.

    Raises
    ------
    UserError
        It cannot be read, or the model cannot take it.
    """
    called = name or _called(source)
    recordings, notes = {}, list[str]()
    try:
        for modality, own in as_sources(source, bundle.spec.modalities).items():
            try:
                recordings[modality], said = bundle.openers[modality].open(own, sample_rate)
            except ReadError as error:
                where = f"{modality}: " if len(bundle.openers) > 1 else ""
                raise ReadError(f"{where}{error}") from None
            notes += said
        notes += bundle.learnt_notes(recordings)
        return Recorded(called, bundle.features_of(recordings), tuple(dict.fromkeys(notes)))
    except UNREADABLE as error:
        raise UserError(f"{called}: {error}") from None


def axes_of(spec: BundleSpec, feature: str) -> Axes:
    """Hz of the rows of a feature, and its samples or frames a second, where it has such axes."""
    own = spec.features[feature]
    if isinstance(own, Computed):
        modality = spec.modalities[own.modality]
        if isinstance(own, SignalFeature):
            assert isinstance(modality, AudioModality | SensorModality)
            return axes(own, modality.sample_rate)
        return Axes(frame_rate=getattr(modality, "frame_rate", None))
    if not isinstance(own, Joined) or own.time_axis is None:
        return Axes()
    found = [axes_of(spec, name) for name in own.of]
    rows = [one.frequencies for one in found]
    rate = next((one.frame_rate for one in found if one.frame_rate), None)
    same = own.along == "channels" and all(
        one is not None and rows[0] is not None and np.array_equal(one, rows[0]) for one in rows
    )
    return Axes(rows[0] if same else None, rate)


def _called(source: Source | Mapping[str, Source]) -> str:
    if isinstance(source, Mapping):
        named = [str(one) for one in source.values() if isinstance(one, str | Path)]
        return ", ".join(named) or "recording"
    return str(source) if isinstance(source, str | Path) else "recording"
