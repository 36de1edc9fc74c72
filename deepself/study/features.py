"""The part of a study that says how recordings become features."""

from typing import Annotated, Literal

from pydantic import (
    Field,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    field_validator,
    model_validator,
)

from deepself.study.base import Cached, Strict, unique
from deepself.study.joined import AnyJoined, Joined

Scale = Literal["magnitude", "power", "db"]
Statistic = Literal["mean", "deviation", "least", "greatest"]


class Filter(Strict):
    """Butterworth filter: low only is a high-pass, high only a low-pass, both a band-pass."""

    low: PositiveFloat | None = Field(None, description="Lower band edge in Hz.")
    high: PositiveFloat | None = Field(None, description="Upper band edge in Hz.")
    stop: bool = Field(False, description="A band-stop between low and high, in place of a pass.")
    notch: list[PositiveFloat] = Field(
        [], description="Hz to cut out narrowly, such as [50, 100] for the mains and a harmonic."
    )
    notch_q: PositiveFloat = Field(
        30.0, description="A notch's quality: its frequency divided by its width at -3 dB."
    )
    order: PositiveInt = 4
    zero_phase: bool = Field(True, description="Forwards and backwards, without delay.")

    @model_validator(mode="after")
    def _edges(self) -> "Filter":
        if self.low is None and self.high is None and not self.notch:
            raise ValueError("give low, high or both, or notch, in Hz")
        if self.low is not None and self.high is not None and self.low >= self.high:
            raise ValueError(f"low ({self.low:g} Hz) must lie below high ({self.high:g} Hz)")
        if self.stop and (self.low is None or self.high is None):
            raise ValueError("stop needs both low and high, in Hz")
        return self


class Window(Strict):
    """Long recordings cut into windows of one length."""

    seconds: PositiveFloat = Field(description="Length of every window.")
    overlap: float = Field(
        0.0, ge=0, lt=1, description="Share of a window that the next one has too."
    )
    rest: Literal["drop", "zero"] = Field(
        "drop", description="What is left at the end: drop it, or fill it up with zeros."
    )


class Computed(Cached):
    """A feature that is made from recordings."""

    modality: str = Field(description="Name of a modality.")
    shards: PositiveInt = Field(
        1, description="Jobs that make it, each a file; a reader sees one feature."
    )


class SignalFeature(Computed):
    """What all features of a signal share."""

    modality: str = Field(description="Name of a modality of kind audio or sensor.")
    filter: Filter | None = Field(None, description="Filter applied to the signal first.")
    window: Window | None = Field(
        None, description="Windows of each recording, in place of the recording as a whole."
    )


class Waveform(SignalFeature):
    """The (filtered) signal itself: (channels, samples)."""

    kind: Literal["waveform"]


class FourierFeature(SignalFeature):
    """What features by the short-time Fourier transform share."""

    n_fft: PositiveInt = 1024
    hop_length: PositiveInt = 512
    win_length: PositiveInt | None = Field(None, description="Default: n_fft.")

    @model_validator(mode="after")
    def _window_fits(self) -> "FourierFeature":
        if self.win_length is not None and self.win_length > self.n_fft:
            raise ValueError(f"win_length ({self.win_length}) must not exceed n_fft ({self.n_fft})")
        return self


class Spectrogram(FourierFeature):
    """Short-time Fourier transform: (channels, bins, frames)."""

    kind: Literal["spectrogram"]
    scale: Scale = "db"


class MelFeature(FourierFeature):
    """What features on the mel scale share."""

    n_mels: PositiveInt = 64
    fmin: NonNegativeFloat = 0.0
    fmax: PositiveFloat | None = Field(None, description="Default: half the sampling rate.")
    mel: Literal["slaney", "htk", "kaldi"] = Field(
        "slaney",
        description=(
            "Filters: Slaney's (librosa's default: equal area), HTK's mel formula with equal area, "
            "or Kaldi's (triangles in mel, of equal height)."
        ),
    )
    deltas: Literal[0, 1, 2] = Field(
        0, description="Add first, or first and second, differences in time, as channels."
    )

    @model_validator(mode="after")
    def _edges(self) -> "MelFeature":
        if self.fmax is not None and self.fmin >= self.fmax:
            raise ValueError(f"fmin ({self.fmin:g} Hz) must lie below fmax ({self.fmax:g} Hz)")
        return self


class LogMel(MelFeature):
    """Logarithmic mel spectrogram: (channels, n_mels, frames)."""

    kind: Literal["log_mel"]
    log: Literal["db", "ln"] = Field(
        "db", description="Decibels, down to 80 below the peak; or ln(mel + 1e-6)."
    )


class MFCC(MelFeature):
    """Mel-frequency cepstral coefficients, as librosa's: (channels, n_mfcc, frames)."""

    kind: Literal["mfcc"]
    n_mels: PositiveInt = 128
    n_mfcc: PositiveInt = 20

    @model_validator(mode="after")
    def _enough_mels(self) -> "MFCC":
        if self.n_mfcc > self.n_mels:
            raise ValueError(f"n_mfcc ({self.n_mfcc}) must not exceed n_mels ({self.n_mels})")
        return self


class Chroma(FourierFeature):
    """Energy of each pitch class, from C: (channels, n_chroma, frames)."""

    kind: Literal["chroma"]
    n_fft: PositiveInt = 2048
    n_chroma: PositiveInt = 12


class ZeroCrossingRate(SignalFeature):
    """Share of a frame's samples at which the signal changes its sign: (channels, 1, frames)."""

    kind: Literal["zero_crossing_rate"]
    frame_length: PositiveInt = Field(2048, description="Samples of a frame.")
    hop_length: PositiveInt = 512


class FrequencyRange(Strict):
    """A range of frequencies."""

    low: PositiveFloat = Field(description="Lowest frequency in Hz.")
    high: PositiveFloat = Field(description="Highest frequency in Hz.")
    count: int = Field(64, ge=2)
    spacing: Literal["log", "linear"] = "log"

    @model_validator(mode="after")
    def _edges(self) -> "FrequencyRange":
        if self.low >= self.high:
            raise ValueError(f"low ({self.low:g} Hz) must lie below high ({self.high:g} Hz)")
        return self


class Scalogram(SignalFeature):
    """Continuous wavelet transform: (channels, frequencies, frames)."""

    kind: Literal["scalogram"]
    wavelet: str = Field("morl", description="A continuous wavelet of PyWavelets.")
    frequencies: FrequencyRange | Annotated[list[PositiveFloat], Field(min_length=1)] = Field(
        description="A range, or a list in Hz, ascending."
    )
    hop_length: PositiveInt = Field(1, description="Every hop_length-th sample is kept.")
    scale: Scale = "db"

    @model_validator(mode="after")
    def _ascend(self) -> "Scalogram":
        wanted = self.frequencies
        if isinstance(wanted, list) and sorted(set(wanted)) != wanted:
            raise ValueError("frequencies must ascend, each once")
        return self


class AudioSetMel(SignalFeature):
    """Front end of the AudioSet MobileNets, for 32 kHz audio: (channels, 128, frames)."""

    kind: Literal["audioset_mel"]


class PANNsMel(SignalFeature):
    """Front end of the PANNs, for 32 kHz audio: (channels, 64, frames)."""

    kind: Literal["panns_mel"]


class Picture(Computed):
    """The picture, values in [0, 1]: (channels, height, width)."""

    kind: Literal["picture"]
    modality: str = Field(description="Name of a modality of kind image.")


class Film(Computed):
    """The film's frames, values in [0, 1]: (channels, frames, height, width)."""

    kind: Literal["film"]
    modality: str = Field(description="Name of a modality of kind video.")


class Rendered(Cached):
    """A spectral image as a picture in [0, 1], lowest frequency at the bottom."""

    kind: Literal["rendered"]
    of: str = Field(description="Name of a feature that is a spectral image.")
    range: Literal["item"] | tuple[float, float] = Field(
        "item",
        description="Values shown as darkest and brightest; `item`: each item's own extremes.",
    )
    colormap: str = Field("grey", description="grey, viridis, or another of matplotlib's names.")
    height: PositiveInt = 224
    width: PositiveInt = 224
    layout: Literal["average", "stack", "rgb"] = Field(
        "average",
        description=(
            "Several channels: their mean; one above the other; or two or three of them as the "
            "picture's colours, without a colour map."
        ),
    )

    @model_validator(mode="after")
    def _range_ascends(self) -> "Rendered":
        if isinstance(self.range, tuple) and self.range[0] >= self.range[1]:
            raise ValueError("range: the darkest value must lie below the brightest")
        return self


class Embedding(Cached):
    """Pooled activations of a pretrained network over another feature: (features,)."""

    kind: Literal["embedding"]
    of: str = Field(description="Name of the feature that the network reads.")
    network: str = Field(description="Type of a network for which weights are published.")
    weights: str = Field(description="Published name, or path of a weights file.")
    layer: str | None = Field(
        None,
        description=(
            "Name of a layer, as `deepself describe` prints them; default: what the network's "
            "classifier reads."
        ),
    )
    pool: Literal["mean", "max"] = Field(
        "mean", description="How a layer's maps or steps become one vector."
    )


class Statistics(Cached):
    """What each row of another feature does over time, in a few numbers: (values,)."""

    kind: Literal["statistics"]
    of: str = Field(description="Name of a feature that is a spectral image or a waveform.")
    statistics: list[Statistic] = Field(
        ["mean", "deviation"],
        min_length=1,
        description="Of each row: mean, deviation, least, greatest, in the order that is given.",
    )

    @field_validator("statistics")
    @classmethod
    def _are_different(cls, statistics: list[Statistic]) -> list[Statistic]:
        return unique(statistics)


AnySignalFeature = (
    Waveform
    | Spectrogram
    | LogMel
    | MFCC
    | Chroma
    | ZeroCrossingRate
    | Scalogram
    | AudioSetMel
    | PANNsMel
)
"""Features that are made from signals."""

MadeFromRecordings = AnySignalFeature | Picture | Film
"""Features that are made from recordings."""

Derived = Rendered | Embedding | Statistics
"""Features that are made from another feature."""

AnyFeature = Annotated[MadeFromRecordings | Derived | AnyJoined, Field(discriminator="kind")]

SPECTRAL = (
    "spectrogram",
    "log_mel",
    "mfcc",
    "chroma",
    "zero_crossing_rate",
    "scalogram",
    "audioset_mel",
    "panns_mel",
    "joined_spectra",
)
"""Kinds of features that are spectral images: (channels, bins, frames)."""

PICTURES = ("picture", "rendered", "joined_pictures")
"""Kinds of features that are pictures in [0, 1]: (channels, height, width)."""

FILMS = ("film", "joined_films")
"""Kinds of features that are films in [0, 1]: (channels, frames, height, width)."""

WAVEFORMS = ("waveform", "joined_waveforms")
"""Kinds of features that are signals: (channels, samples)."""

VECTORS = ("embedding", "statistics", "joined_vectors")
"""Kinds of features without axes of their own: (values,)."""


def sources_of(spec: AnyFeature) -> list[str]:
    """Names of the features that a feature is made from; none if it is made from recordings."""
    if isinstance(spec, Computed):
        return []
    return list(spec.of) if isinstance(spec, Joined) else [spec.of]
