"""Signals and their spectral images: pure functions from tensors to tensors.

Every function works on all leading axes at once, takes and returns float32, and knows no file.
SciPy, librosa, PyWavelets and soxr are imported by the function that needs them, so importing
this package costs no more than importing torch.
"""

from deepself.signal.audioset import (
    AUDIOSET_HOP_LENGTH,
    AUDIOSET_SAMPLE_RATE,
    audioset_frequencies,
    audioset_mel,
)
from deepself.signal.filters import butterworth
from deepself.signal.resample import resample
from deepself.signal.spectra import fft_frequencies, log_mel, mel_frequencies, spectrogram
from deepself.signal.wavelets import scalogram, wavelet_frequencies

__all__ = [
    "AUDIOSET_HOP_LENGTH",
    "AUDIOSET_SAMPLE_RATE",
    "audioset_frequencies",
    "audioset_mel",
    "butterworth",
    "fft_frequencies",
    "log_mel",
    "mel_frequencies",
    "resample",
    "scalogram",
    "spectrogram",
    "wavelet_frequencies",
]
