"""Resampling, against soxr itself and against sines that are known at any rate."""

import numpy as np
import pytest
import soxr
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from deepself.signal import resample
from deepself.signal.resample import QUALITIES
from tests.signal.draws import CHANNELS, SEEDS


@settings(deadline=None, max_examples=20)
@given(SEEDS, CHANNELS, st.integers(1, 3001), st.sampled_from(QUALITIES), st.data())
def test_resample_equals_soxr_for_each_channel_and_type(seed, channels, samples, quality, data):
    rates = st.sampled_from([100, 128.0, 250, 8000, 22_050, 32_000, 44_100, 96_000])
    rate_in, rate_out = data.draw(rates), data.draw(rates)
    signal = np.random.default_rng(seed).standard_normal((2, channels, samples)).astype(np.float32)
    assume(samples * rate_out / rate_in < 1e5)
    array = resample(signal, rate_in, rate_out, quality)
    tensor = resample(torch.from_numpy(signal), rate_in, rate_out, quality)
    assert array.dtype == np.float32
    assert tensor.dtype == torch.float32
    np.testing.assert_array_equal(array, tensor.numpy())
    assert array.shape == (2, channels, int(samples * rate_out / rate_in + 0.5))
    alone = soxr.resample(signal[1, -1], rate_in, rate_out, quality=quality)
    np.testing.assert_allclose(array[1, -1], alone, atol=1e-4 * np.abs(signal[1]).max())


@pytest.mark.parametrize(("rate_in", "rate_out"), [(44_100, 32_000), (16_000, 32_000)])
def test_a_resampled_sine_is_the_sine_of_the_new_rate(rate_in, rate_out):
    def sine(rate):
        return torch.sin(2 * torch.pi * 440 * torch.arange(rate, dtype=torch.float64) / rate)

    resampled = resample(sine(rate_in)[None], rate_in, rate_out)[0]
    middle = slice(rate_out // 4, 3 * rate_out // 4)
    torch.testing.assert_close(resampled[middle], sine(rate_out)[middle].float(), atol=1e-4, rtol=0)


def test_better_recipes_come_closer():
    def sine(rate):
        return torch.sin(2 * torch.pi * 4000 * torch.arange(rate, dtype=torch.float64) / rate)

    middle = slice(8000, 24_000)
    errors = {
        quality: (
            (resample(sine(44_100), 44_100, 32_000, quality) - sine(32_000))[middle].abs().max()
        )
        for quality in QUALITIES
    }
    assert all(errors[quality] < 1e-4 for quality in ("VHQ", "HQ", "MQ", "LQ"))
    assert 1e-4 < errors["QQ"] < 1e-1


def test_resample_at_equal_rates_and_at_no_rate():
    signal = torch.randn(2, 9)
    assert resample(signal, 8000, 8000.0).equal(signal)
    assert resample(np.arange(4), 100, 100).dtype == np.float32
    assert resample(torch.zeros(2, 0), 100, 50).shape == (2, 0)
    with pytest.raises(ValueError, match="'best' is not one of VHQ, HQ, MQ, LQ, QQ"):
        resample(signal, 100, 100, "best")
    with pytest.raises(ValueError, match="must be positive, not 0 and 100 Hz"):
        resample(signal, 0, 100)
