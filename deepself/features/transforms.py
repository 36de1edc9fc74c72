"""Which transform makes each kind of feature, and the axes of what it makes."""

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from deepself import signal
from deepself.study.features import (
    AudioSetMel,
    Computed,
    LogMel,
    Picture,
    Scalogram,
    Spectrogram,
    Waveform,
)


@dataclass(frozen=True)
class Axes:
    """Hz of each row, and samples or frames a second; None where there is no such axis."""

    frequencies: np.ndarray | None = None
    frame_rate: float | None = None


def transform(spec: Computed, batch: Tensor, sample_rate: float | None) -> Tensor:
    """Compute a feature of a batch of recordings.

    Parameters
    ----------
    spec
        The feature.
    batch
        Signals (batch, channels, samples) or pictures (batch, channels, height, width).
    sample_rate
        In Hz; None for pictures.

    Returns
    -------
    Tensor
        float32, (batch, *item shape).

    Raises
    ------
    ValueError
        The signals are too short, or a frequency lies above half the sampling rate.
    """
    if isinstance(spec, Picture) or sample_rate is None:
        return batch
    if spec.filter is not None:
        batch = signal.butterworth(batch, sample_rate, **spec.filter.model_dump())
    match spec:
        case Waveform():
            return batch
        case Spectrogram():
            return signal.spectrogram(
                batch, n_fft=spec.n_fft, hop_length=spec.hop_length, scale=spec.scale
            )
        case LogMel():
            return signal.log_mel(
                batch,
                sample_rate,
                n_fft=spec.n_fft,
                hop_length=spec.hop_length,
                n_mels=spec.n_mels,
                fmin=spec.fmin,
                fmax=spec.fmax,
            )
        case Scalogram():
            return signal.scalogram(
                batch,
                sample_rate,
                wavelet=spec.wavelet,
                frequencies=_wavelet_frequencies(spec),
                hop_length=spec.hop_length,
                scale=spec.scale,
            )
        case AudioSetMel():
            return signal.audioset_mel(batch)


def axes(spec: Computed, sample_rate: float | None) -> Axes:
    """Frequencies and frame rate of a feature."""
    if isinstance(spec, Picture) or sample_rate is None:
        return Axes()
    match spec:
        case Waveform():
            return Axes(frame_rate=sample_rate)
        case Spectrogram():
            frequencies = signal.fft_frequencies(sample_rate, spec.n_fft)
        case LogMel():
            frequencies = signal.mel_frequencies(
                spec.n_mels, spec.fmin, spec.fmax or sample_rate / 2
            )
        case Scalogram():
            frequencies = _wavelet_frequencies(spec)
        case AudioSetMel():
            return Axes(signal.audioset_frequencies(), sample_rate / signal.AUDIOSET_HOP_LENGTH)
    return Axes(frequencies, sample_rate / spec.hop_length)


def _wavelet_frequencies(spec: Scalogram) -> np.ndarray:
    wanted = spec.frequencies
    return signal.wavelet_frequencies(wanted.low, wanted.high, wanted.count)
