"""Features that are made by joining others of the same recordings: early fusion."""

import math
from collections.abc import Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from deepself.errors import UserError
from deepself.features.transforms import Axes
from deepself.store.feature_writer import Batch
from deepself.store.features import FeatureFile
from deepself.study.identity import digest
from deepself.study.joined import AnyJoined, JoinedVectors

Shape = tuple[int, ...]

SLACK = 1
"""Samples or frames by which two sources may differ: their transforms round lengths differently."""

SHIFT = 0.1
"""Share of the distance between windows by which the beginnings of two sources' may differ."""

REMEDIES = {
    "channels": "choose channels of the modalities (mix or a list), and deltas, so that both have "
    "as many",
    "bins": "join along bins, or give both as many",
    "frames": "choose hop_length, and the modalities' duration or frame_rate, so that both have as "
    "many; of spectral images, rendered makes pictures of one size",
    "samples": "give both modalities one sample_rate and duration",
    "height": "give both the same height, of spectral images by rendered",
    "width": "give both the same width, of spectral images by rendered",
}
"""What to do where features differ along an axis that has to agree."""


@dataclass(frozen=True)
class Source:
    """A feature that is joined: its name, the shape of an item, samples or frames a second."""

    name: str
    shape: Shape
    rate: float | None


def joined_shape(spec: AnyJoined, sources: list[Source]) -> Shape:
    """Shape of an item that is joined of others.

    Parameters
    ----------
    spec
        The joined feature.
    sources
        What is joined, in order. Along time they may differ by `SLACK`: what is over is cut off.

    Raises
    ------
    ValueError
        They do not fit one another.
    """
    if isinstance(spec, JoinedVectors):
        return (sum(math.prod(source.shape) for source in sources),)
    shape = []
    for axis, counted in enumerate(spec.axes):
        sizes = [source.shape[axis] for source in sources]
        if axis == spec.axis:
            shape.append(sum(sizes))
            continue
        if max(sizes) - min(sizes) > (SLACK if axis == spec.time_axis else 0):
            pair = sorted((sizes.index(min(sizes)), sizes.index(max(sizes))))
            first, second = (sources[i] for i in pair)
            raise ValueError(
                f"joins {first.name} {first.shape} and {second.name} {second.shape}, which have "
                f"{first.shape[axis]} and {second.shape[axis]} {counted}; {REMEDIES[counted]}"
            )
        shape.append(min(sizes))
    if spec.time_axis is not None:
        _require_one_time(spec, sources, shape[spec.time_axis])
    return tuple(shape)


def _require_one_time(spec: AnyJoined, sources: list[Source], steps: int) -> None:
    """Steps that stand beside one another must be of the same moment, to within one."""
    assert spec.time_axis is not None
    last = {source.name: steps / source.rate for source in sources if source.rate}
    ordered = sorted(last, key=last.__getitem__)
    if ordered and (last[ordered[-1]] - last[ordered[0]]) * steps > SLACK * last[ordered[0]]:
        first, second = (name for name in last if name in (ordered[0], ordered[-1]))
        counted = spec.axes[spec.time_axis]
        raise ValueError(
            f"joins {first} and {second}, of which {steps} {counted} last {last[first]:.4g} and "
            f"{last[second]:.4g} s; {REMEDIES[counted]}"
        )


class Joining(AbstractContextManager):
    """How one feature is joined of others.

    Parameters
    ----------
    name, spec
        The feature.
    files
        The file of each feature that it is joined of, by its name, in order.

    Attributes
    ----------
    ids, checksums
        Of the recordings: a checksum is of the checksums of all files of a recording.
    axes
        Frequencies, where the rows of all are the same, and frame rate.
    samples
        Lengths to which the sources' recordings were brought, which shape what is made of them.
    parts
        How much of the axis along which they are joined each source has.

    Raises
    ------
    UserError
        The sources do not fit one another.
    """

    def __init__(self, name: str, spec: AnyJoined, files: dict[str, Path]):
        self._name, self._spec = name, spec
        with ExitStack() as stack:
            self._files = {of: stack.enter_context(FeatureFile(p)) for of, p in files.items()}
            sources = [Source(of, f.shape, f.frame_rate) for of, f in self._files.items()]
            try:
                self._shape = joined_shape(spec, sources)
            except ValueError as error:
                raise UserError(f"features.{name}: {error}") from None
            self._require_fit()
            self._stack = stack.pop_all()
        self._join = Joiner(spec, self._shape)
        first = next(iter(self._files.values()))
        every = list(self._files.values())
        self.ids = first.ids
        self.checksums = [
            sums[0] if len(set(sums)) == 1 else digest(sums)
            for sums in zip(*(file.checksums for file in every), strict=True)
        ]
        self.samples = [file.specification["samples"] for file in every]
        self.axes = self._axes(every)
        vectors = isinstance(spec, JoinedVectors)
        self.parts = [
            math.prod(source.shape) if vectors else source.shape[spec.axis] for source in sources
        ]

    def make(self, recording: str) -> Batch:
        """Items of one recording."""
        found = {}
        for name, file in self._files.items():
            rows = file.rows([recording])
            starts, lengths = (
                None if values is None else values[rows] for values in (file.starts, file.lengths)
            )
            found[name] = Batch(file.read_rows(rows), [len(rows)], starts, lengths)
        try:
            return self._join(found)
        except ValueError as error:
            raise UserError(f"features.{self._name}: {recording}: {error}") from None

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _require_fit(self) -> None:
        """Compare what two files must have in common, besides the shapes."""
        (first, one), *others = self._files.items()
        for other, file in others:
            if file.ids != one.ids:
                raise UserError(
                    f"features.{self._name}: {first} and {other} are of other recordings; run "
                    "extract again for both"
                )
        for of, file in self._files.items():
            if self._spec.time_axis is None and file.lengths is not None:
                raise UserError(
                    f"features.{self._name}: {of} has true lengths, and {self._spec.kind} needs "
                    "items of one length: fill them with another `shorter`, or join an embedding "
                    "of them"
                )
            whole = file.starts is None and any(f.starts is not None for f in self._files.values())
            if self._spec.time_axis is not None and whole:
                raise UserError(
                    f"features.{self._name}: {of} has no windows, others have; give all the same"
                )

    def _axes(self, files: list[FeatureFile]) -> Axes:
        if self._spec.time_axis is None:
            return Axes()
        rate = next((file.frame_rate for file in files if file.frame_rate), None)
        rows = files[0].frequencies
        same = self._spec.along == "channels" and all(
            rows is not None
            and file.frequencies is not None
            and np.array_equal(rows, file.frequencies)
            for file in files
        )
        return Axes(rows if same else None, rate)


class Joiner:
    """How items of several features become one, of one recording.

    Parameters
    ----------
    spec
        The feature that is made.
    shape
        Of one of its items.
    """

    def __init__(self, spec: AnyJoined, shape: Shape):
        self._spec, self._shape = spec, shape

    def __call__(self, sources: Mapping[str, Batch]) -> Batch:
        """Items of a recording, joined of those of each source, in the study's order.

        Raises
        ------
        ValueError
            Their windows or true lengths do not fit one another.
        """
        starts = self._starts(sources)
        lengths = self._lengths(sources)
        items = []
        for one in sources.values():
            values = self._cut(one.items, lengths)
            if starts is not None and one.starts is None:  # it is of the recording as a whole
                values = np.repeat(values, len(starts), axis=0)
            items.append(values)
        joined = np.concatenate(items, axis=1 + self._spec.axis)
        return Batch(joined, [len(joined)], starts, lengths)

    def _starts(self, sources: Mapping[str, Batch]) -> np.ndarray | None:
        """Where each window begins: of all sources that have windows, to within `SHIFT`."""
        found = {of: one.starts for of, one in sources.items() if one.starts is not None}
        if not found:
            return None
        (first, starts), *others = found.items()
        apart = SHIFT * float(np.diff(starts).min()) if len(starts) > 1 else 0.0
        for other, its in others:
            if len(its) != len(starts):
                raise ValueError(
                    f"{first} and {other} have {len(starts)} and {len(its)} windows; give both "
                    "modalities one duration"
                )
            far = np.abs(its - starts)
            if far.max() > apart + 1e-6:
                worst = int(far.argmax())
                raise ValueError(
                    f"window {worst + 1} of {first} begins at {starts[worst]:.4g} s and of {other} "
                    f"at {its[worst]:.4g} s; choose a window whose seconds are whole samples of "
                    "both modalities"
                )
        return starts

    def _lengths(self, sources: Mapping[str, Batch]) -> np.ndarray | None:
        """True lengths that all sources have, to within `SLACK`; None where nothing is padded."""
        time = self._spec.time_axis
        if time is None or all(one.lengths is None for one in sources.values()):
            return None
        found = np.stack(
            [
                np.full(len(one.items), one.items.shape[1 + time])
                if one.lengths is None
                else one.lengths
                for one in sources.values()
            ]
        )
        if (np.ptp(found, axis=0) > SLACK).any():
            worst = int(np.ptp(found, axis=0).argmax())
            each = ", ".join(f"{of} {n}" for of, n in zip(sources, found[:, worst], strict=True))
            raise ValueError(
                f"true lengths differ by more than one of the {self._spec.axes[time]}: {each}; "
                "cut the recording's files to one length, or render spectral images to one size"
            )
        return found.min(axis=0)

    def _cut(self, items: np.ndarray, lengths: np.ndarray | None) -> np.ndarray:
        """Items of a source as long as all sources are, with zeros behind their true lengths."""
        if isinstance(self._spec, JoinedVectors):
            return items.reshape(len(items), -1)
        time = self._spec.time_axis
        if time is None:
            return items
        steps = self._shape[time]
        items = items[(slice(None),) * (1 + time) + (slice(steps),)]
        if lengths is not None:
            ends = lengths.reshape(-1, *(1,) * (items.ndim - 1))
            place = np.arange(steps).reshape(-1, *(1,) * (items.ndim - 2 - time))
            items = np.where(place < ends, items, np.float32(0))
        return items
