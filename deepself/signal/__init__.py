"""Signals and their spectral images: pure functions from tensors to tensors.

Every function works on all leading axes at once, takes and returns float32 on the device of its
input, and knows no file. SciPy, librosa, PyWavelets, matplotlib and soxr are imported by the
function that needs them, so importing this package costs no more than importing torch. No function
passes gradients on: features are made once, before any training.
"""

from deepself.signal._mel_filters import mel_frequencies
from deepself.signal.audioset import (
    AUDIOSET_HOP_LENGTH,
    AUDIOSET_LEAST_SAMPLES,
    AUDIOSET_SAMPLE_RATE,
    audioset_frequencies,
    audioset_mel,
)
from deepself.signal.chroma import chroma
from deepself.signal.crossings import zero_crossing_rate
from deepself.signal.deltas import deltas
from deepself.signal.filters import butterworth, least_samples, notch
from deepself.signal.mel import log_mel, mfcc
from deepself.signal.panns import (
    PANNS_HOP_LENGTH,
    PANNS_LEAST_SAMPLES,
    PANNS_SAMPLE_RATE,
    panns_frequencies,
    panns_mel,
)
from deepself.signal.render import render
from deepself.signal.resample import resample
from deepself.signal.spectra import fft_frequencies, spectrogram
from deepself.signal.statistics import STATISTICS, statistics
from deepself.signal.wavelets import scalogram, wavelet_frequencies

__all__ = [
    "AUDIOSET_HOP_LENGTH",
    "AUDIOSET_LEAST_SAMPLES",
    "AUDIOSET_SAMPLE_RATE",
    "PANNS_HOP_LENGTH",
    "PANNS_LEAST_SAMPLES",
    "PANNS_SAMPLE_RATE",
    "STATISTICS",
    "audioset_frequencies",
    "audioset_mel",
    "butterworth",
    "chroma",
    "deltas",
    "fft_frequencies",
    "least_samples",
    "log_mel",
    "mel_frequencies",
    "mfcc",
    "notch",
    "panns_frequencies",
    "panns_mel",
    "render",
    "resample",
    "scalogram",
    "spectrogram",
    "statistics",
    "wavelet_frequencies",
    "zero_crossing_rate",
]
