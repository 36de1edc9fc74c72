"""A model or fusion in use: recordings in, labels and probabilities out."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch

from deepself.dataset.readers import ReadError
from deepself.dataset.recordings import Recording
from deepself.errors import UserError
from deepself.features.chain import Chain, Sizes
from deepself.features.derive import Embedder
from deepself.inference.answers import NO_ANSWER, UNREADABLE, Answer, Asked, Prediction
from deepself.inference.combining import Combining, combining
from deepself.inference.fitting import fitting_weights
from deepself.inference.folder import SPECIFICATION, read_specification
from deepself.inference.learnt import FILE as LEARNT
from deepself.inference.learnt import Learnt, identified
from deepself.inference.opening import Opener, Source, as_sources, require_rate
from deepself.inference.pieces import Window, pieces
from deepself.inference.running import Items, LoadedRun
from deepself.inference.spec import BundleSpec
from deepself.store.feature_writer import Batch
from deepself.store.predictions import means
from deepself.study.features import Embedding

AT_ONCE = 16
"""Recordings, or windows of one, that networks are given together."""

WHOLE = Asked()
"""Recordings as a whole, by all parts."""


@dataclass(frozen=True)
class _Made:
    """Features of a recording or window, ready for the networks."""

    batches: dict[str, Batch]
    start: float | None = None
    end: float | None = None
    notes: tuple[str, ...] = ()


class Bundle:
    """A model or fusion of a study, exported; see `deepself.load`.

    Parameters
    ----------
    folder
        The bundle.
    device
        `auto`, a GPU where there is one; `cpu`; or `cuda`.

    Attributes
    ----------
    spec
        What the bundle says of itself.
    classes
        In the order of the probabilities.
    runs
        Its trained networks and classifiers, by name.

    Raises
    ------
    UserError
        It is no bundle, damaged, or of another version.
    """

    def __init__(self, folder: str | Path, device: str = "auto"):
        self.folder = Path(folder)
        self.spec: BundleSpec = read_specification(self.folder)
        self.device = _device(device)
        self.classes = tuple(self.spec.classes)
        self.runs = {
            name: LoadedRun(name, run, self.folder / run.weights, len(self.classes), self.device)
            for name, run in self.spec.runs.items()
        }
        self._parts = [combining(part, self.classes) for part in self.spec.parts]
        self.chain = self._chain()
        self._learnt = Learnt(self.folder / LEARNT)
        self.openers = {
            name: Opener(modality, self.spec.known[name])
            for name, modality in self.spec.modalities.items()
        }
        read = (one.feature for run in self.spec.runs.values() for one in run.inputs.values())
        self.features = list(dict.fromkeys(read))

    def __repr__(self) -> str:
        return f"<Bundle: {self.spec.kind} {self.spec.name} of study {self.spec.study}>"

    def predict(
        self,
        source: Source | Mapping[str, Source],
        sample_rate: float | None = None,
        *,
        fold: str | None = None,
        calibrated: bool = False,
        unsure: float | None = None,
    ) -> Prediction:
        """Say which class a recording is of.

        Parameters
        ----------
        source
            A path; the bytes of a file; or an array: a signal (samples,) or (channels, samples);
            a picture (height, width) or (channels, height, width) in [0, 1], or uint8 (height,
            width) or (height, width, 3). Where the model reads several modalities, one of each,
            by name.
        sample_rate
            Of an array, or of a sensor's file that names none, in Hz.
        fold
            The fold whose part shall answer; default: all, together.
        calibrated
            Bring probabilities to what they were worth on dev, by a temperature.
        unsure
            Probability of the label below which the answer counts as unsure.

        Raises
        ------
        UserError
            The recording cannot be read, or the model cannot take it.
        """
        asked = Asked(fold, calibrated, unsure, None, sample_rate)
        (found,) = self._one(source, asked)
        return found

    def predict_windows(
        self,
        source: Source | Mapping[str, Source],
        sample_rate: float | None = None,
        *,
        seconds: float | None = None,
        hop: float | None = None,
        fold: str | None = None,
        calibrated: bool = False,
        unsure: float | None = None,
    ) -> list[Prediction]:
        """Say which class each window of a long recording is of, as if it were one by itself.

        Parameters
        ----------
        source, sample_rate, fold, calibrated, unsure
            As in `predict`.
        seconds
            Length of a window; default: that of the recordings which the model has learnt from.
        hop
            Seconds from the start of one window to that of the next; default: no overlap.

        Raises
        ------
        UserError
            The recording cannot be read, is no signal, or the model cannot take it.
        """
        window = self.window(seconds, hop)
        asked = Asked(fold, calibrated, unsure, window, sample_rate)
        return self._one(source, asked)

    def window(self, seconds: float | None = None, hop: float | None = None) -> Window:
        """Windows of some length, or of the model's own.

        Raises
        ------
        UserError
            The length must be given, as the model has none, or one is not above 0.
        """
        length = self.spec.seconds if seconds is None else seconds
        if length is None:
            raise UserError("windows: the model has no length of its own; say how many seconds")
        try:
            return Window(length, length if hop is None else hop)
        except ValueError as error:
            raise UserError(f"windows: {error}") from None

    def stream(
        self,
        items: Iterable[tuple[str, Source | Mapping[str, Source]]],
        asked: Asked = WHOLE,
        workers: int = 1,
    ) -> Iterator[Answer]:
        """Answer for many recordings, in their order; a few are in memory at a time.

        Parameters
        ----------
        items
            A name and a source each, see `predict`.
        asked
            How to answer.
        workers
            Threads that read and make features while the networks compute.

        Yields
        ------
        Answer
            Predictions, or why a recording has none.
        """
        parts = self._answering(asked)
        if asked.window is not None:
            for name, source in items:
                yield self._windows_of(name, source, asked, parts)
            return
        with ThreadPoolExecutor(workers) as pool:
            waiting = iter(items)
            ahead: list[Any] = []

            def read_on() -> None:
                for name, source in islice(waiting, AT_ONCE + workers - len(ahead)):
                    ahead.append((name, pool.submit(self._read, source, asked)))

            read_on()
            while ahead:
                group, ahead[:] = ahead[:AT_ONCE], ahead[AT_ONCE:]
                read_on()
                yield from self._answers(group, asked, parts)

    def _answers(self, group: list[Any], asked: Asked, parts: list[Combining]) -> Iterator[Answer]:
        """Answers for some recordings at once."""
        problems: dict[int, str] = {}
        made: dict[int, _Made] = {}
        for place, (_, future) in enumerate(group):
            try:
                made[place] = future.result()
            except UNREADABLE as error:
                problems[place] = str(error)
        found = dict(zip(made, self._say(list(made.values()), asked, parts), strict=True))
        for place, (name, _) in enumerate(group):
            if place not in found:
                yield Answer(name, problem=problems[place])
            elif math.isnan(found[place].probability):
                yield Answer(name, problem=NO_ANSWER)
            else:
                yield Answer(name, [found[place]])

    def _one(self, source: Any, asked: Asked) -> list[Prediction]:
        name = str(source) if isinstance(source, str | Path) else "recording"
        if asked.window is None:
            answer = next(iter(self.stream([(name, source)], asked)))
        else:
            answer = self._windows_of(name, source, asked, self._answering(asked))
        if answer.problem:
            raise UserError(f"{name}: {answer.problem}")
        return answer.predictions

    def _read(self, source: Any, asked: Asked) -> _Made:
        recordings, notes = {}, list[str]()
        for name, own in as_sources(source, self.spec.modalities).items():
            try:
                recordings[name], said = self.openers[name].open(own, asked.sample_rate)
            except ReadError as error:
                where = f"{name}: " if len(self.openers) > 1 else ""
                raise ReadError(f"{where}{error}") from None
            notes += said
        notes += self.learnt_notes(recordings, asked)
        return _Made(self.chain.make(self.features, recordings), notes=tuple(dict.fromkeys(notes)))

    def learnt_notes(self, recordings: Mapping[str, Recording], asked: Asked = WHOLE) -> list[str]:
        """Say so where a file is one that the runs which answer were trained on or chosen by."""
        runs = {run for part in self._answering(asked) for run in part.runs}
        return self._learnt.notes(recordings.values(), [self.spec.runs[run].fold for run in runs])

    def _windows_of(self, name: str, source: Any, asked: Asked, parts: list[Combining]) -> Answer:
        assert asked.window is not None
        predictions: list[Prediction] = []
        try:
            cut = self._pieces(source, asked)
            while group := list(islice(cut, AT_ONCE)):
                said = self._say(group, asked, parts)
                if any(math.isnan(one.probability) for one in said):
                    raise ValueError(NO_ANSWER)
                predictions += said
        except UNREADABLE as error:
            return Answer(name, predictions, str(error))
        return Answer(name, predictions)

    def _pieces(self, source: Any, asked: Asked) -> Iterator[_Made]:
        assert asked.window is not None
        sources = as_sources(source, self.spec.modalities)
        cut = pieces(self.openers, self.spec.modalities, sources, asked.sample_rate, asked.window)
        learnt: list[str] | None = None
        for piece in cut:
            if learnt is None:  # all are of the same files
                own = {n: identified(one, sources[n]) for n, one in piece.recordings.items()}
                learnt = self.learnt_notes(own, asked)
            batches = self.chain.make(self.features, piece.recordings)
            yield _Made(batches, piece.start, piece.end, (*piece.notes, *learnt))

    def _say(self, made: list[_Made], asked: Asked, parts: list[Combining]) -> list[Prediction]:
        if not made:
            return []
        found = self._shares([one.batches for one in made], asked, parts)
        return [
            self._prediction(row, asked.unsure, one) for row, one in zip(found, made, strict=True)
        ]

    def of_runs(
        self, batches: Sequence[Mapping[str, Batch]], names: Iterable[str]
    ) -> dict[str, np.ndarray]:
        """What single runs say of some recordings, given their features.

        Returns
        -------
        dict
            Probabilities (recordings, classes) by the run's name; of windows, their mean.
        """
        features = {name: _items([one[name] for one in batches]) for name in self.features}
        found = {}
        for name in sorted(names):
            run = self.runs[name]
            lead = next(iter(run.spec.inputs.values())).feature
            counts = [len(one[lead].items) for one in batches]
            rows = run.probabilities(features)
            found[name] = means(rows, np.repeat(np.arange(len(batches)), counts), len(batches))
        return found

    def of_features(
        self, batches: Sequence[Mapping[str, Batch]], asked: Asked = WHOLE
    ) -> np.ndarray:
        """Probabilities (recordings, classes) of some recordings, given their features."""
        return self._shares(batches, asked, self._answering(asked))

    def _shares(
        self, batches: Sequence[Mapping[str, Batch]], asked: Asked, parts: list[Combining]
    ) -> np.ndarray:
        by_run = self.of_runs(batches, {run for part in parts for run in part.runs})
        return np.mean([part.combine(by_run, asked.calibrated) for part in parts], axis=0)

    def features_of(self, recordings: Mapping[str, Recording]) -> dict[str, Batch]:
        """Features of one item's recordings, those that any run reads."""
        return self.chain.make(self.features, recordings)

    def _prediction(self, row: np.ndarray, unsure: float | None, made: _Made) -> Prediction:
        best = int(row.argmax())
        return Prediction(
            self.classes[best],
            dict(zip(self.classes, row.tolist(), strict=True)),
            unsure is not None and float(row[best]) < unsure,
            made.start,
            made.end,
            made.notes,
        )

    def check(self, asked: Asked) -> None:
        """Refuse what cannot be asked.

        Raises
        ------
        UserError
            There is no such fold, or a number is out of its range.
        """
        self._answering(asked)
        try:
            require_rate(asked.sample_rate)
        except ReadError as error:
            raise UserError(str(error)) from None

    def _answering(self, asked: Asked) -> list[Combining]:
        """The parts that are asked."""
        if asked.unsure is not None and not 0 <= asked.unsure <= 1:
            raise UserError(f"unsure: a probability from 0 to 1, not {asked.unsure:g}")
        fold = self.spec.known_fold(asked.fold)
        return [part for part in self._parts if fold in (None, part.fold)]

    def _chain(self) -> Chain:
        spec = self.spec
        embed = {}
        for name, own in spec.embedders.items():
            feature = spec.features[name]
            assert isinstance(feature, Embedding)
            embedder = Embedder(own.network, own.settings, feature.layer, feature.pool)
            shape, weights = spec.shapes[feature.of], self.folder / own.weights
            state = fitting_weights(own.settings, shape, weights, embedder.on)
            embed[name] = embedder.built(f"features.{name}", shape, weights, state=state)
        samples = {name: known.samples for name, known in spec.known.items()}
        try:
            return Chain(spec.modalities, spec.features, Sizes(samples, spec.shapes), embed)
        except ValueError as error:
            raise UserError(f"{self.folder / SPECIFICATION}: features: {error}") from None


def _items(batches: list[Batch]) -> Items:
    """Rows of several recordings, one after the other."""
    values = np.concatenate([one.items for one in batches])
    known = [one.lengths for one in batches if one.lengths is not None]
    return Items(values, np.concatenate(known) if len(known) == len(batches) else None)


def _device(wanted: str) -> str:
    if wanted not in ("auto", "cpu") and not wanted.startswith("cuda"):
        raise UserError(f"device: auto, cpu or cuda, not {wanted!r}")
    available = torch.cuda.is_available()
    if wanted.startswith("cuda") and not available:
        raise UserError(f"device {wanted}: this PyTorch sees no GPU; use cpu")
    return ("cuda" if available else "cpu") if wanted == "auto" else wanted
