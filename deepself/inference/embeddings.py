"""Vectors of new recordings: what a pretrained network makes of files, without a study's results.

Recordings pass one by one, or window by window: only a few are in memory at a time.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Protocol

import numpy as np
import torch

from deepself.dataset.readers import ReadError
from deepself.dataset.recordings import Recording
from deepself.errors import UserError
from deepself.features.ahead import in_order
from deepself.features.chain import Chain, Sizes
from deepself.features.derive import ROWS, Deriver, Embed, Embedder
from deepself.features.prepare import target_samples
from deepself.inference.answers import UNREADABLE
from deepself.inference.opening import Opener
from deepself.inference.pieces import Piece, Window, pieces
from deepself.inference.spec import Known
from deepself.malloc import keep_freed_memory
from deepself.store.published import weights_file
from deepself.study import Study
from deepself.study.dataset import AnyModality, SignalModality, VisualModality
from deepself.study.features import Computed, Embedding, SignalFeature
from deepself.study.limits import filter_samples, transform_samples

Recordings = Mapping[str, Recording]
"""Of one item, or of a window of it, by modality."""


class Maker(Protocol):
    """What makes vectors of recordings; several threads may ask at once.

    Attributes
    ----------
    size
        Length of a vector.
    windowed
        Whether the feature itself has windows, each of which is a vector.
    modalities, openers
        What is read, and how.
    """

    size: int
    windowed: bool
    modalities: Mapping[str, AnyModality]
    openers: Mapping[str, Opener]

    def whole(self, recordings: Recordings) -> tuple[np.ndarray, list[float] | None]:
        """Vectors float32 (rows, size) of one item: one, unless the feature itself has windows.

        Then also the second at which each begins.
        """

    def windows(self, group: Sequence[Recordings]) -> np.ndarray:
        """Vectors float32 (windows, size) of some windows, one each."""


class NetworkVectors:
    """Vectors that a pretrained network makes, as a study's feature of kind `embedding`.

    Parameters
    ----------
    study
        Has one modality, one feature of kind `embedding`, and what that is made from.
    results
        Below which published weights lie.
    channels
        How many all recordings have once they are chosen or mixed; see `count_channels`.
    device
        `cpu`, or a GPU such as `cuda`.

    Raises
    ------
    UserError
        The network, its weights, its layer and its input do not fit each other.
    """

    def __init__(self, study: Study, results: Path, channels: int, device: str = "cpu"):
        self.modalities: Mapping[str, AnyModality] = study.dataset.modalities
        ((name, modality),) = self.modalities.items()
        self.openers: Mapping[str, Opener] = {name: _AsTheyAre(modality, channels)}
        cut = [getattr(one, "window", None) for one in study.features.values()]
        self.windowed = any(one is not None for one in cut)
        spec = next(one for one in study.features.values() if isinstance(one, Embedding))
        self._of = spec.of
        samples = target_samples(modality, [])
        before = {key: one for key, one in study.features.items() if one is not spec}
        self._chain = Chain(self.modalities, before, Sizes({name: samples}, {}), {})
        trial = {name: _trial(study, modality, channels)}
        try:
            items = self._chain.make([self._of], trial)[self._of].items
        except ValueError as error:
            raise UserError(f"--feature: {_said(error)}") from None
        path = weights_file(results, spec.network, spec.weights)
        embed = Embedder.of(spec).built("--network", items.shape[1:], path, device)
        self._derive = Deriver(spec, _on(device, embed))
        try:
            self.size = self._derive(items, None).shape[1]
        except ValueError as error:
            raise UserError(f"--network: {error}") from None

    def whole(self, recordings: Recordings) -> tuple[np.ndarray, list[float] | None]:
        """See `Maker`."""
        made = self._chain.make([self._of], recordings)[self._of]
        vectors = self._vectors(made.items, made.lengths)
        return vectors, None if made.starts is None else made.starts.tolist()

    def windows(self, group: Sequence[Recordings]) -> np.ndarray:
        """See `Maker`."""
        made = [self._chain.make([self._of], one)[self._of] for one in group]
        alike = len({one.items.shape for one in made}) == 1
        if alike and all(one.lengths is None for one in made):
            return self._vectors(np.concatenate([one.items for one in made]), None)
        return np.concatenate([self._vectors(one.items, one.lengths) for one in made])

    def _vectors(self, items: np.ndarray, lengths: np.ndarray | None) -> np.ndarray:
        parts = np.array_split(np.arange(len(items)), -(-len(items) // ROWS))
        found = np.concatenate(
            [self._derive(items[p], None if lengths is None else lengths[p]) for p in parts]
        )
        if not np.isfinite(found).all():
            raise ValueError("gives values that are not finite")
        return found


class _AsTheyAre(Opener):
    """Recordings as their modality says; nothing was learnt from others, from which to differ."""

    def __init__(self, modality: AnyModality, channels: int):
        super().__init__(modality, Known(channels=channels))
        self._wanted = channels

    def suited(self, recording: Recording) -> tuple[Recording, list[str]]:
        self._require_size(recording)
        found = len(recording.values)
        if found != self._wanted:
            has = f"{found} channel{'s' * (found > 1)}"
            raise ReadError(f"has {has}, the first recording {self._wanted}; choose by --channels")
        return recording, []


def count_channels(modality: AnyModality, paths: Sequence[Path]) -> int:
    """How many channels recordings have once they are chosen or mixed.

    Parameters
    ----------
    modality
        What they are.
    paths
        The files, of which the first that can be read is looked at where all channels are kept.
    """
    if isinstance(modality, VisualModality):
        return 3 if modality.channels == "rgb" else 1
    if not isinstance(modality.channels, str):
        return len(modality.channels)
    if modality.channels != "keep":
        return 1
    looking = modality.model_copy(update={"constant": "keep"})
    openers = {"": _Looking(looking, Known(channels=1))}
    for path in paths:
        try:  # of sound, only a second is read
            cut = pieces(openers, {"": looking}, {"": path}, None, Window(1.0, 1.0))
            with closing(cut):  # type: ignore[type-var]
                return len(next(cut).recordings[""].values)
        except UNREADABLE:
            continue
    return 1  # each will be said to be unreadable


class _Looking(Opener):
    def suited(self, recording: Recording) -> tuple[Recording, list[str]]:
        return recording, []


def _trial(study: Study, modality: AnyModality, channels: int) -> Recording:
    """Noise of a second, or of as much as the feature needs: what does not fit shows before all."""
    if isinstance(modality, VisualModality):
        values = np.zeros((channels, modality.height, modality.width), dtype=np.float32)
        return Recording(values, None, 0, "")
    assert isinstance(modality, SignalModality)
    samples, rate = 1, modality.sample_rate
    for spec in study.features.values():
        if isinstance(spec, Computed):
            samples = max(samples, round(rate), transform_samples(spec))
        if isinstance(spec, SignalFeature):
            seconds = 0.0 if spec.window is None else spec.window.seconds
            samples = max(samples, filter_samples(spec.filter), round(seconds * rate))
    noise = np.random.default_rng(0).standard_normal((channels, samples))
    return Recording(noise.astype(np.float32) / 10, rate, 0, "")


def _on(device: str, embed: Embed) -> Embed:
    """The same of items in this machine's memory."""
    return embed if device == "cpu" else lambda items: embed(items.to(device)).cpu()


def _said(error: Exception) -> str:
    """What a chain of features says, in the words of a command without a study."""
    return str(error).removeprefix("features.")


@dataclass(frozen=True)
class Made:
    """Something that came of an item.

    Attributes
    ----------
    place
        Which of the items.
    values
        Vectors float32 (rows, size), perhaps not all of the item's.
    starts
        The second at which each begins; None of items as a whole.
    problem
        Why there are none, or no more.
    """

    place: int
    values: np.ndarray | None = None
    starts: list[float] | None = None
    problem: str = ""


def stream(
    maker: Maker,
    items: Sequence[Mapping[str, Path]],
    window: Window | None = None,
    workers: int = 1,
    sample_rate: float | None = None,
) -> Iterator[Made]:
    """Make vectors of many items, in their order; a few are in memory at a time.

    Parameters
    ----------
    maker
        What makes them.
    items
        Files of each, by modality.
    window
        Windows of each that are cut out and made by themselves; None for items as a whole. Of
        sound files, only a few windows are in memory.
    workers
        Threads.
    sample_rate
        Of sensors' files that name none, in Hz, where the modality does not say it.
    """
    torch.set_num_threads(1)  # the threads below are the parallelism
    keep_freed_memory()
    yield from in_order(_tasks(maker, items, window, sample_rate), workers)


def _tasks(
    maker: Maker,
    items: Sequence[Mapping[str, Path]],
    window: Window | None,
    sample_rate: float | None,
) -> Iterator[Callable[[], Made]]:
    for place, paths in enumerate(items):
        if window is None:
            yield partial(_whole, maker, place, paths, sample_rate)
            continue
        try:
            cut = pieces(maker.openers, maker.modalities, paths, sample_rate, window)
            while group := list(islice(cut, ROWS)):
                yield partial(_windows, maker, place, group)
        except UNREADABLE as error:
            yield partial(Made, place, problem=_said(error))


def _whole(maker: Maker, place: int, paths: Mapping[str, Path], sample_rate: float | None) -> Made:
    try:
        read = {
            name: maker.openers[name].open(path, sample_rate)[0] for name, path in paths.items()
        }
        return Made(place, *maker.whole(read))
    except UNREADABLE as error:
        return Made(place, problem=_said(error))


def _windows(maker: Maker, place: int, group: Sequence[Piece]) -> Made:
    try:
        vectors = maker.windows([piece.recordings for piece in group])
        return Made(place, vectors, [piece.start for piece in group])
    except UNREADABLE as error:
        return Made(place, problem=_said(error))
