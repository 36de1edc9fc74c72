"""Inputs drawn anew in each run, for the tests of signals."""

import librosa
import numpy as np
from hypothesis import strategies as st

SEEDS = st.integers(0, 2**32 - 1)
RATES = st.floats(100.0, 96_000.0)
CHANNELS = st.integers(1, 8)


@st.composite
def lengths(draw, longest=2048):
    """Draw the lengths of a short-time Fourier transform, odd and even."""
    n_fft = draw(st.integers(16, longest))
    win_length = draw(st.none() | st.integers(8, n_fft))
    return {"n_fft": n_fft, "hop_length": draw(st.integers(16, 900)), "win_length": win_length}


def noise(seed, *shape):
    """White noise (items, ..., samples) whose items differ in level, so that sharing shows."""
    rng = np.random.default_rng(seed)
    levels = 10.0 ** rng.uniform(-6, 2, (shape[0], *[1] * (len(shape) - 1)))
    return (levels * rng.standard_normal(shape)).astype(np.float32)


def decibels(power):
    return librosa.power_to_db(power, ref=1.0, amin=1e-10, top_db=80)


def relative_error(found, expected, least=1e-30):
    """Largest difference, relative to the largest magnitude (`least`, if that is smaller)."""
    found, expected = np.asarray(found, dtype=np.float64), np.asarray(expected)
    assert found.shape == expected.shape, (found.shape, expected.shape)
    return np.abs(found - expected).max() / max(np.abs(expected).max(), least)
