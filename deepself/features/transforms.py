"""Which transform makes each kind of feature, and the axes of what it makes."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from deepself import signal
from deepself.study.features import (
    MFCC,
    AudioSetMel,
    Chroma,
    Filter,
    FourierFeature,
    FrequencyRange,
    LogMel,
    MelFeature,
    PANNsMel,
    Scalogram,
    SignalFeature,
    Spectrogram,
    Waveform,
    ZeroCrossingRate,
)


@dataclass(frozen=True)
class Axes:
    """Hz of each row, and samples or frames a second; None where there is no such axis."""

    frequencies: np.ndarray | None = None
    frame_rate: float | None = None


def filtered(spec: Filter | None, values: np.ndarray, sample_rate: float) -> np.ndarray:
    """Filter one recording, before it is cut or filled up: first its band, then the notches.

    Parameters
    ----------
    spec
        The filter; None lets the recording pass unchanged.
    values
        Signal (channels, samples).
    sample_rate
        In Hz.

    Returns
    -------
    ndarray
        float32, of the same shape.

    Raises
    ------
    ValueError
        The signal is too short, or a frequency is not below half the sampling rate.
    """
    batch = torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))
    if spec is None:
        return batch.numpy()
    if spec.low is not None or spec.high is not None:
        batch = signal.butterworth(
            batch,
            sample_rate,
            low=spec.low,
            high=spec.high,
            stop=spec.stop,
            order=spec.order,
            zero_phase=spec.zero_phase,
        )
    batch = signal.notch(
        batch,
        sample_rate,
        frequencies=spec.notch,
        q=spec.notch_q,
        zero_phase=spec.zero_phase,
    )
    return batch.numpy()


def transform(spec: SignalFeature, batch: Tensor, sample_rate: float) -> Tensor:
    """Compute a feature of a batch of signals, already `filtered` where the feature wants it.

    Parameters
    ----------
    spec
        The feature.
    batch
        (batch, channels, samples).
    sample_rate
        In Hz.

    Returns
    -------
    Tensor
        float32, (batch, *item shape).

    Raises
    ------
    ValueError
        The signals are too short for the transform (see `limits.transform_samples`), or a
        frequency lies above half the sampling rate.
    """
    match spec:
        case Waveform():
            return batch.float()
        case Spectrogram():
            return signal.spectrogram(batch, **_lengths(spec), scale=spec.scale)
        case LogMel():
            image = signal.log_mel(
                batch, sample_rate, **_lengths(spec), **_mels(spec), log=spec.log
            )
            return signal.deltas(image, spec.deltas)
        case MFCC():
            image = signal.mfcc(
                batch, sample_rate, **_lengths(spec), **_mels(spec), n_mfcc=spec.n_mfcc
            )
            return signal.deltas(image, spec.deltas)
        case Chroma():
            return signal.chroma(batch, sample_rate, **_lengths(spec), n_chroma=spec.n_chroma)
        case ZeroCrossingRate():
            return signal.zero_crossing_rate(
                batch, frame_length=spec.frame_length, hop_length=spec.hop_length
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
        case PANNsMel():
            return signal.panns_mel(batch)
    raise _unknown(spec)


def axes(spec: SignalFeature, sample_rate: float) -> Axes:
    """Frequencies of a feature's rows, where rows are frequencies, and its frame rate."""
    frequencies: np.ndarray | None = None
    match spec:
        case Spectrogram():
            frequencies = signal.fft_frequencies(sample_rate, spec.n_fft)
        case LogMel():
            frequencies = signal.mel_frequencies(
                spec.n_mels, spec.fmin, spec.fmax or sample_rate / 2, spec.mel
            )
        case Scalogram():
            frequencies = _wavelet_frequencies(spec)
        case AudioSetMel():
            frequencies = signal.audioset_frequencies()
        case PANNsMel():
            frequencies = signal.panns_frequencies()
    return Axes(frequencies, sample_rate / _hop_length(spec))


def frames(spec: SignalFeature, samples: int) -> int:
    """Count the entries of a feature's last axis that a number of samples gives.

    A recording that is filled up with zeros gives more; the first so many are about the
    recording. The count holds below `transform_samples` too: one sample or more give at least one
    entry, none give none.

    Parameters
    ----------
    spec
        The feature.
    samples
        Length of the recording before it was filled up.

    Returns
    -------
    int
    """
    if samples < 1:
        return 0
    hop_length = _hop_length(spec)
    match spec:
        case FourierFeature():
            # Centring adds n_fft // 2 zeros at each end: an odd n_fft is one short of a frame.
            return 1 + (samples - spec.n_fft % 2) // hop_length
        case ZeroCrossingRate():
            return 1 + (samples - spec.frame_length % 2) // hop_length
        case PANNsMel():
            return 1 + samples // hop_length
        case AudioSetMel():
            # Pre-emphasis takes a sample.
            return 1 + (samples - 1) // hop_length
    return -(-samples // hop_length)


def _hop_length(spec: SignalFeature) -> int:
    """Samples from one entry of the last axis to the next."""
    match spec:
        case Waveform():
            return 1
        case FourierFeature() | Scalogram() | ZeroCrossingRate():
            return spec.hop_length
        case AudioSetMel():
            return signal.AUDIOSET_HOP_LENGTH
        case PANNsMel():
            return signal.PANNS_HOP_LENGTH
    raise _unknown(spec)


def _lengths(spec: FourierFeature) -> dict[str, Any]:
    return {
        "n_fft": spec.n_fft,
        "hop_length": spec.hop_length,
        "win_length": spec.win_length,
    }


def _mels(spec: MelFeature) -> dict[str, Any]:
    return {"n_mels": spec.n_mels, "fmin": spec.fmin, "fmax": spec.fmax, "mel": spec.mel}


def _wavelet_frequencies(spec: Scalogram) -> np.ndarray:
    wanted = spec.frequencies
    if isinstance(wanted, FrequencyRange):
        return signal.wavelet_frequencies(wanted.low, wanted.high, wanted.count, wanted.spacing)
    return np.array(wanted)


def _unknown(spec: SignalFeature) -> TypeError:
    return TypeError(f"{type(spec).__name__} is not a feature of a signal")
