"""Zero-crossing rates against librosa."""

import librosa
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from deepself.signal import zero_crossing_rate
from tests.signal.draws import CHANNELS, SEEDS, noise


@settings(deadline=None, max_examples=50)
@given(SEEDS, CHANNELS, st.integers(1, 900), st.integers(1, 200), st.integers(1, 90))
def test_equals_librosa(seed, channels, samples, frame_length, hop_length):
    signal = noise(seed, 2, channels, samples)
    signal[:, :, ::3] = 0.0  # which counts as positive
    lengths = {"frame_length": frame_length, "hop_length": hop_length}
    found = zero_crossing_rate(torch.from_numpy(signal), **lengths)
    assert found.dtype == torch.float32
    expected = librosa.feature.zero_crossing_rate(signal, **lengths)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_sine_crosses_twice_a_period():
    time = torch.arange(8000) / 8000
    rate = zero_crossing_rate(
        torch.sin(2 * torch.pi * 100 * time + 0.1), frame_length=800, hop_length=400
    )
    assert rate.shape == (1, 21)
    assert rate[0, 1:-1].tolist() == pytest.approx([2 * 100 / 8000] * 19, abs=2 / 800)


@pytest.mark.parametrize(
    ("samples", "frame", "hop", "said"),
    [(0, 4, 2, "has 0 samples"), (9, 0, 2, "frame_length is 0"), (9, 4, 0, "hop_length is 0")],
)
def test_refuses_what_has_no_frames(samples, frame, hop, said):
    with pytest.raises(ValueError, match=said):
        zero_crossing_rate(torch.zeros(samples), frame_length=frame, hop_length=hop)
