"""Differences in time, against librosa."""

import librosa
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from deepself.signal import deltas
from tests.signal.draws import CHANNELS, SEEDS, noise, relative_error


@settings(deadline=None, max_examples=25)
@given(SEEDS, CHANNELS, st.integers(1, 40), st.integers(9, 300), st.integers(0, 2))
def test_equals_librosa(seed, channels, bins, frames, order):
    image = noise(seed, 2, channels, bins, frames) - 40
    found = deltas(torch.from_numpy(image), order)
    assert found.dtype == torch.float32
    parts = [image.astype(np.float64)]
    for n in range(1, order + 1):
        parts.append(librosa.feature.delta(parts[0], width=9, order=n, mode="interp"))
    assert found.shape == (2, channels * (1 + order), bins, frames)
    # Relative to the image: differences of a constant are small beside it.
    assert relative_error(found, np.concatenate(parts, axis=1)) < 1e-5


@settings(deadline=None, max_examples=15)
@given(st.floats(-5, 5), st.floats(-5, 5), st.floats(-0.5, 0.5), st.integers(9, 60))
def test_line_and_parabola_are_known(offset, slope, curvature, frames):
    time = torch.arange(frames, dtype=torch.float64)
    image = (offset + slope * time)[None, None]
    torch.testing.assert_close(
        deltas(image, 1)[1], torch.full((1, frames), slope), atol=1e-3, rtol=1e-4
    )
    image = image + curvature * time.square() / 2
    torch.testing.assert_close(
        deltas(image, 2)[2], torch.full((1, frames), curvature), atol=1e-2, rtol=1e-3
    )


def test_no_differences_leave_any_image_as_it_was():
    image = torch.randn(2, 3, 4, 2)
    assert deltas(image, 0).equal(image)


@pytest.mark.parametrize("frames", [0, 1, 8])
def test_refuses_too_few_frames_and_other_orders(frames):
    with pytest.raises(ValueError, match=f"has {frames} frames; deltas need at least 9"):
        deltas(torch.zeros(1, 2, 3, frames), 1)
    with pytest.raises(ValueError, match="is 3; it must be 0, 1 or 2"):
        deltas(torch.zeros(1, 2, 3, frames), 3)
