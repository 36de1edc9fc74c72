"""The part of a study that says how recordings become features."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from deepself.study.base import Strict

Scale = Literal["magnitude", "power", "db"]


class Filter(Strict):
    """Butterworth filter: low only is a high-pass, high only a low-pass, both a band-pass."""

    low: PositiveFloat | None = Field(None, description="Lower band edge in Hz.")
    high: PositiveFloat | None = Field(None, description="Upper band edge in Hz.")
    order: PositiveInt = 4
    zero_phase: bool = Field(True, description="Forwards and backwards, without delay.")

    @model_validator(mode="after")
    def _edges(self) -> "Filter":
        if self.low is None and self.high is None:
            raise ValueError("give low, high or both, in Hz")
        if self.low is not None and self.high is not None and self.low >= self.high:
            raise ValueError(f"low ({self.low:g} Hz) must lie below high ({self.high:g} Hz)")
        return self


class SignalFeature(Strict):
    """What all features of a signal share."""

    modality: str = Field(description="Name of a modality of kind audio or sensor.")
    filter: Filter | None = Field(None, description="Filter applied to the signal first.")


class Waveform(SignalFeature):
    """The (filtered) signal itself: (channels, samples)."""

    kind: Literal["waveform"]


class Spectrogram(SignalFeature):
    """Short-time Fourier transform: (channels, bins, frames)."""

    kind: Literal["spectrogram"]
    n_fft: PositiveInt = 1024
    hop_length: PositiveInt = 512
    scale: Scale = "db"


class LogMel(SignalFeature):
    """Mel spectrogram in dB, with librosa's (Slaney's) filters: (channels, n_mels, frames)."""

    kind: Literal["log_mel"]
    n_fft: PositiveInt = 1024
    hop_length: PositiveInt = 512
    n_mels: PositiveInt = 64
    fmin: NonNegativeFloat = 0.0
    fmax: PositiveFloat | None = Field(None, description="Default: half the sampling rate.")

    @model_validator(mode="after")
    def _edges(self) -> "LogMel":
        if self.fmax is not None and self.fmin >= self.fmax:
            raise ValueError(f"fmin ({self.fmin:g} Hz) must lie below fmax ({self.fmax:g} Hz)")
        return self


class FrequencyRange(Strict):
    """Geometrically spaced frequencies."""

    low: PositiveFloat = Field(description="Lowest frequency in Hz.")
    high: PositiveFloat = Field(description="Highest frequency in Hz.")
    count: int = Field(64, ge=2)

    @model_validator(mode="after")
    def _edges(self) -> "FrequencyRange":
        if self.low >= self.high:
            raise ValueError(f"low ({self.low:g} Hz) must lie below high ({self.high:g} Hz)")
        return self


class Scalogram(SignalFeature):
    """Continuous wavelet transform: (channels, frequencies, frames)."""

    kind: Literal["scalogram"]
    wavelet: str = Field("morl", description="A continuous wavelet of PyWavelets.")
    frequencies: FrequencyRange
    hop_length: PositiveInt = Field(1, description="Every hop_length-th sample is kept.")
    scale: Scale = "db"


class AudioSetMel(SignalFeature):
    """Front end of the AudioSet MobileNets, for 32 kHz audio: (channels, 128, frames)."""

    kind: Literal["audioset_mel"]


class Picture(Strict):
    """The picture, values in [0, 1]: (channels, height, width)."""

    kind: Literal["picture"]
    modality: str = Field(description="Name of a modality of kind image.")


class Embedding(Strict):
    """Pooled activations of a pretrained network over another feature: (features,)."""

    kind: Literal["embedding"]
    of: str = Field(description="Name of the feature that the network reads.")
    network: Literal["mn04_as", "resnet18"]
    weights: str = Field(description="Published name, or path of a weights file.")


Computed = Waveform | Spectrogram | LogMel | Scalogram | AudioSetMel | Picture
"""Features that are computed from recordings."""

AnyFeature = Annotated[Computed | Embedding, Field(discriminator="kind")]
