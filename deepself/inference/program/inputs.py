"""What a program is given: recordings, or items of those features that it cannot make itself."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from deepself.inference.program.features import Windows
from deepself.inference.spec import BundleSpec
from deepself.study.dataset import ImageModality, SignalModality, VideoModality
from deepself.study.features import (
    Computed,
    Film,
    Picture,
    Rendered,
    Scalogram,
    SignalFeature,
    Waveform,
    sources_of,
)
from deepself.study.joined import Joined

Shape = tuple[int, ...]


@dataclass(frozen=True)
class ProgramInput:
    """One of a program's inputs.

    Attributes
    ----------
    name
        Of the modality or feature, or of the feature with `_lengths`.
    kind
        `recording`; `items` of a feature; or their `lengths` along time (int64).
    shape
        Without the axis of the batch; None where there are any number of windows.
    sample_rate
        Of recordings that are signals or films, in Hz or frames a second, and of waveforms.
    windowed
        Whether its first axis counts the windows of each recording.
    of
        The modality or feature.
    reason
        Why the program does not make the feature itself, in a word or two.
    """

    name: str
    kind: Literal["recording", "items", "lengths"]
    shape: tuple[int | None, ...]
    sample_rate: float | None = None
    windowed: bool = False
    of: str = field(default="", compare=False)
    reason: str = field(default="", compare=False)

    def described(self) -> dict[str, Any]:
        """For a program's metadata."""
        return {
            "name": self.name,
            "kind": self.kind,
            "of": self.of,
            "shape": ["batch", *(size or "windows" for size in self.shape)],
            "dtype": "int64" if self.kind == "lengths" else "float32",
            "sample_rate": self.sample_rate,
            "to_do": self.to_do,
        }

    @property
    def to_do(self) -> str:
        """What the caller has to do before."""
        if self.kind == "lengths":
            return f"true lengths of the items of {self.of}, along their axis of time"
        if self.kind == "items":
            windows = ", all windows of a recording" if self.windowed else ""
            rate = "" if self.sample_rate is None else f" at {self.sample_rate:g} Hz"
            return (
                f"items of the feature {self.of}{rate}, made as in the study{windows} "
                f"(outside for {self.reason})"
            )
        if self.sample_rate is None:
            return "pictures of this size, values in [0, 1]"
        if len(self.shape) > 2:
            return f"films at {self.sample_rate:g} frames a second, values in [0, 1], cut to length"
        return f"signals at {self.sample_rate:g} Hz, cut or filled to length"


@dataclass(frozen=True)
class Plan:
    """Which features a program makes, in an order in which they can be made, and its inputs."""

    made: list[str]
    inputs: list[ProgramInput]


class Planner:
    """Decides which features of a bundle a program makes by itself.

    Parameters
    ----------
    spec
        The bundle.
    outside
        Leave all features to the caller.
    """

    def __init__(self, spec: BundleSpec, outside: bool):
        self._spec, self._outside = spec, outside

    def plan(self, features: list[str]) -> Plan:
        """What is made and what is given, for the features that runs read."""
        made: list[str] = []
        inputs: dict[str, ProgramInput] = {}
        for name in features:
            self._plan(name, made, inputs)
        return Plan(made, list(inputs.values()))

    def _plan(self, name: str, made: list[str], inputs: dict[str, ProgramInput]) -> None:
        if name in made:
            return
        reason = self.reason(name)
        if reason:
            for one in self._items(name, reason):
                inputs.setdefault(one.name, one)
            return
        spec = self._spec.features[name]
        if isinstance(spec, Computed):
            one = self._recording(spec.modality)
            inputs.setdefault(one.name, one)
        for of in sources_of(spec):
            self._plan(of, made, inputs)
        made.append(name)

    def reason(self, name: str) -> str:
        """Why a program cannot make a feature; empty if it can."""
        if self._outside:
            return "--features outside"
        spec = self._spec.features[name]
        if isinstance(spec, Computed):
            return self._computed(spec)
        if any(self.lengths(of) for of in sources_of(spec)):
            return "true lengths of what it is made from"
        if isinstance(spec, Rendered) and spec.layout != "rgb" and spec.colormap != "grey":
            return f"its colour map, {spec.colormap}"
        return ""

    def _computed(self, spec: Computed) -> str:
        if isinstance(spec, Picture):
            return ""
        if self._spec.known[spec.modality].samples is None:
            return "recordings of any length"
        if self._unfilled(spec.modality):
            return "recordings with true lengths"
        if isinstance(spec, Film):
            return ""
        if isinstance(spec, Scalogram):
            return "its wavelets"
        assert isinstance(spec, SignalFeature)
        return "its filter" if spec.filter is not None else ""

    def windowed(self, name: str) -> bool:
        """Whether a recording has several items of a feature, one a window."""
        spec = self._spec.features[name]
        if isinstance(spec, Computed):
            return getattr(spec, "window", None) is not None
        return any(self.windowed(of) for of in sources_of(spec))

    def _windows(self, name: str) -> int | None:
        """How many windows a recording has; None where its length is not known."""
        spec = self._spec.features[name]
        if not isinstance(spec, SignalFeature):
            (first, *_) = (of for of in sources_of(spec) if self.windowed(of))
            return self._windows(first)
        modality, known = self._spec.modalities[spec.modality], self._spec.known[spec.modality]
        assert spec.window is not None
        assert isinstance(modality, SignalModality)
        if known.samples is None or self._unfilled(spec.modality):
            return None
        return Windows(spec.window, modality.sample_rate, known.samples).count

    def lengths(self, name: str) -> bool:
        """Whether items of a feature have true lengths."""
        spec = self._spec.features[name]
        if isinstance(spec, Computed):
            return self._masked(spec)
        timed = isinstance(spec, Joined) and spec.time_axis is not None
        return timed and any(self.lengths(of) for of in sources_of(spec))

    def _masked(self, spec: Computed) -> bool:
        return self._unfilled(spec.modality) and getattr(spec, "window", None) is None

    def _unfilled(self, modality: str) -> bool:
        """Whether short recordings stay short."""
        duration = getattr(self._spec.modalities[modality], "duration", None)
        return duration is not None and duration.shorter == "mask"

    def called(self, feature: str) -> str:
        """What an input of a feature's items is called."""
        return feature if feature not in self._spec.modalities else f"{feature}_items"

    def _items(self, name: str, reason: str) -> Iterator[ProgramInput]:
        shape: tuple[int | None, ...] = self._spec.shapes[name]
        windowed = self.windowed(name)
        if windowed:
            shape = (self._windows(name), *shape)
        called = self.called(name)
        yield ProgramInput(called, "items", shape, self._rate(name), windowed, name, reason)
        if self.lengths(name):
            yield ProgramInput(f"{called}_lengths", "lengths", (), None, False, name)

    def _rate(self, name: str) -> float | None:
        """Samples a second of a feature's items, if these are signals."""
        spec = self._spec.features[name]
        if not isinstance(spec, Waveform):
            return None
        modality = self._spec.modalities[spec.modality]
        assert isinstance(modality, SignalModality)
        return modality.sample_rate

    def _recording(self, name: str) -> ProgramInput:
        modality, known = self._spec.modalities[name], self._spec.known[name]
        if isinstance(modality, ImageModality):
            shape: Shape = (known.channels, modality.height, modality.width)
            return ProgramInput(name, "recording", shape, of=name)
        assert known.samples is not None
        if isinstance(modality, VideoModality):
            film = (known.channels, known.samples, modality.height, modality.width)
            return ProgramInput(name, "recording", film, modality.frame_rate, of=name)
        assert isinstance(modality, SignalModality)
        shape = (known.channels, known.samples)
        return ProgramInput(name, "recording", shape, modality.sample_rate, of=name)
