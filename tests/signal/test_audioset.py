"""The AudioSet front end, against one written from its description in plain NumPy."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from deepself.signal import AUDIOSET_SAMPLE_RATE, audioset_mel


def mel_weight(band, bin_index):
    """Weight of one Fourier bin (31.25 Hz apart) in one of 128 triangles, straight in mel."""

    def mel(hertz):
        return 1127 * np.log(1 + hertz / 700)

    width = mel(15_000) / 129
    left, centre, right = band * width, (band + 1) * width, (band + 2) * width
    here = mel(bin_index * 32_000 / 1024)
    if bin_index == 512 or not left < here < right:
        return 0.0
    if here <= centre:
        return (here - left) / (centre - left)
    return (right - here) / (right - centre)


WEIGHTS = np.array([[mel_weight(band, index) for index in range(513)] for band in range(128)])


def reference(signal):
    """Frame by frame, with the discrete Fourier transform of each frame spelt out by NumPy."""
    x = signal.astype(np.float64)
    y = np.array([x[t + 1] - 0.97 * x[t] for t in range(len(x) - 1)])
    reflected = np.concatenate([y[1:513][::-1], y, y[-513:-1][::-1]])
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(800) / 799)
    window = np.concatenate([np.zeros(112), hann, np.zeros(112)])
    columns = []
    for start in range(0, len(reflected) - 1023, 320):
        power = np.abs(np.fft.rfft(window * reflected[start : start + 1024])) ** 2
        columns.append((np.log(WEIGHTS @ power + 1e-5) + 4.5) / 5)
    return np.stack(columns, axis=1)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32 - 1), st.integers(1, 8), st.integers(514, 12_000), st.floats(1e-4, 1.0))
def test_equals_the_description(seed, channels, samples, level):
    rng = np.random.default_rng(seed)
    signal = (level * rng.uniform(-1, 1, (2, channels, samples))).astype(np.float32)
    image = audioset_mel(torch.from_numpy(signal))
    assert image.dtype == torch.float32
    assert image.shape == (2, channels, 128, 1 + (samples - 1) // 320)
    for index in ((0, 0), (1, channels - 1)):
        error = np.abs(image[index].numpy() - reference(signal[index]))
        # The logarithm magnifies float32's rounding in the few spectral gaps close to 1e-5.
        assert np.quantile(error, 0.99) < 1e-4
        assert error.max() < 2e-3


def test_five_seconds_make_the_shape_the_networks_want():
    clips = torch.zeros(3, 1, 5 * AUDIOSET_SAMPLE_RATE)
    image = audioset_mel(clips)
    assert image.shape == (3, 1, 128, 500)
    silence = (np.log(1e-5) + 4.5) / 5
    torch.testing.assert_close(image, torch.full_like(image, silence))


def test_row_zero_is_the_lowest_frequency():
    time = torch.arange(AUDIOSET_SAMPLE_RATE) / AUDIOSET_SAMPLE_RATE
    peaks = [
        audioset_mel(torch.sin(2 * torch.pi * tone * time))[:, 50].argmax().item()
        for tone in (300.0, 1000.0, 5000.0, 14_000.0)
    ]
    assert peaks == sorted(peaks)
    assert peaks[0] < 25
    assert peaks[-1] > 115


def test_refuses_a_signal_too_short_to_reflect():
    assert audioset_mel(torch.zeros(514)).shape == (128, 2)
    with pytest.raises(ValueError, match=r"has 513 samples; .* at least 514"):
        audioset_mel(torch.zeros(1, 513))


def test_frequencies_are_where_the_filters_peak():
    from deepself.signal import audioset_frequencies
    from deepself.signal.audioset import _filters

    peaks = _filters().argmax(dim=1) * (AUDIOSET_SAMPLE_RATE / 1024)
    wide = slice(40, None)  # the lower filters are narrower than a Fourier bin
    np.testing.assert_allclose(audioset_frequencies()[wide], peaks[wide], atol=32000 / 1024)
