"""The PANNs' front end, against librosa."""

import librosa
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from deepself.signal import PANNS_LEAST_SAMPLES, PANNS_SAMPLE_RATE, panns_frequencies, panns_mel
from tests.signal.draws import CHANNELS, SEEDS


def reference(signal):
    power = librosa.feature.melspectrogram(
        y=signal.astype(float),
        sr=32_000,
        n_fft=1024,
        hop_length=320,
        pad_mode="reflect",
        n_mels=64,
        fmin=50,
        fmax=14_000,
    )
    return librosa.power_to_db(power, ref=1.0, amin=1e-10, top_db=None)


@pytest.mark.filterwarnings("ignore:n_fft=")
@settings(deadline=None, max_examples=20)
@given(SEEDS, CHANNELS, st.integers(513, 12_000), st.floats(1e-4, 1.0))
def test_equals_librosa(seed, channels, samples, level):
    rng = np.random.default_rng(seed)
    signal = (level * rng.uniform(-1, 1, (2, channels, samples))).astype(np.float32)
    image = panns_mel(torch.from_numpy(signal))
    assert image.dtype == torch.float32
    assert image.shape == (2, channels, 64, 1 + samples // 320)
    assert np.abs(image.numpy() - reference(signal)).max() < 1e-2


def test_has_no_floor_below_the_peak_but_one_for_silence():
    quiet_end = torch.randn(PANNS_SAMPLE_RATE)
    quiet_end[16_000:] *= 1e-6
    image = panns_mel(quiet_end)
    assert image.max() - image.min() > 100
    assert (panns_mel(torch.zeros(1000)) == -100).all()


def test_row_zero_is_the_lowest_frequency():
    time = torch.arange(PANNS_SAMPLE_RATE) / PANNS_SAMPLE_RATE
    for tone in (300.0, 1000.0, 5000.0, 13_000.0):
        image = panns_mel(torch.sin(2 * torch.pi * tone * time))
        nearest = np.abs(panns_frequencies() - tone).argmin()
        assert abs(image[:, 50].argmax().item() - nearest) <= 1


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 600))
def test_short_signals_make_an_image_or_are_refused(samples):
    if samples >= PANNS_LEAST_SAMPLES:
        assert panns_mel(torch.zeros(2, samples)).shape == (2, 64, 1 + samples // 320)
        return
    with pytest.raises(ValueError, match=f"has {samples} samples; .* at least 513"):
        panns_mel(torch.zeros(2, samples))
