"""Butterworth filters, against SciPy and against the formula of their gain."""

import numpy as np
import pytest
import scipy.signal
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from deepself.signal import butterworth

RATES = st.floats(100.0, 96_000.0)


@st.composite
def bands(draw):
    """Draw a sampling rate and the edges of a filter of any of the three kinds."""
    rate = draw(RATES)
    low = draw(st.floats(0.01, 0.2)) * rate
    high = draw(st.floats(0.25, 0.45)) * rate
    return rate, *draw(st.sampled_from([(low, None), (None, high), (low, high)]))


def reference(signal, rate, low, high, order, zero_phase):
    """Filter one channel with the transfer function rather than with sections."""
    kind, edges = {
        (False, True): ("highpass", low),
        (True, False): ("lowpass", high),
        (False, False): ("bandpass", (low, high)),
    }[(low is None, high is None)]
    numerator, denominator = scipy.signal.butter(order, edges, btype=kind, fs=rate)
    if zero_phase:
        return scipy.signal.filtfilt(numerator, denominator, signal)
    return scipy.signal.lfilter(numerator, denominator, signal)


@settings(deadline=None, max_examples=25)
@given(
    bands(), st.integers(1, 4), st.integers(1, 8), st.integers(60, 3001), st.booleans(), st.data()
)
def test_equals_scipy_channel_by_channel(band, order, channels, samples, zero_phase, data):
    rate, low, high = band
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    signal = rng.standard_normal((2, channels, samples)).astype(np.float32)
    filtered = butterworth(
        torch.from_numpy(signal), rate, low=low, high=high, order=order, zero_phase=zero_phase
    )
    assert filtered.dtype == torch.float32
    assert filtered.shape == signal.shape
    for index in np.ndindex(2, channels):
        expected = reference(signal[index].astype(float), rate, low, high, order, zero_phase)
        error = np.abs(filtered[index].numpy() - expected).max()
        assert error < 1e-4 * np.abs(signal[index]).max()


@settings(deadline=None, max_examples=15)
@given(RATES, st.floats(0.05, 0.4), st.floats(0.05, 0.4), st.integers(1, 5))
def test_gain_of_a_sine_is_butterworths(rate, edge, tone, order):
    """The bilinear transform warps frequencies by a tangent; two passes square the gain."""
    time = np.arange(8000) / rate
    sine = torch.from_numpy(np.sin(2 * np.pi * tone * rate * time))
    middle = slice(2000, 6000)
    before = sine[middle].numpy()
    ratio = np.tan(np.pi * tone) / np.tan(np.pi * edge)
    for edges, exponent in (({"high": edge * rate}, 1), ({"low": edge * rate}, -1)):
        after = butterworth(sine, rate, order=order, **edges)[middle].numpy()
        gain = 1 / (1 + ratio ** (2 * order * exponent))
        np.testing.assert_allclose(after, gain * before, atol=1e-4)


def test_a_slow_edge_at_a_high_rate_stays_finite_and_removes_the_mean():
    signal = 5.0 + torch.randn(1, 200_000)
    filtered = butterworth(signal, 96_000.0, low=50.0, order=6)
    assert filtered.isfinite().all()
    assert filtered[:, 50_000:150_000].mean().abs() < 0.01


def test_works_on_a_bare_signal_and_leaves_its_input_alone():
    signal = torch.randn(500)
    before = signal.clone()
    alone = butterworth(signal, 250.0, low=1.0, high=40.0)
    stacked = butterworth(torch.stack([signal, -signal]), 250.0, low=1.0, high=40.0)
    torch.testing.assert_close(signal, before, rtol=0, atol=0)
    torch.testing.assert_close(stacked, torch.stack([alone, -alone]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "neither low nor high"),
        ({"low": 0.0}, "low is 0 Hz"),
        ({"high": -3.0}, "high is -3 Hz"),
        ({"high": 50.0}, "between 0 and 50 Hz"),
        ({"low": 70.0}, "low is 70 Hz"),
        ({"low": 20.0, "high": 20.0}, "must be below"),
        ({"low": 30.0, "high": 20.0}, "must be below"),
        ({"low": 30.0, "order": 0}, "order is 0"),
        ({"low": float("nan")}, "low is nan"),
    ],
)
def test_refuses_impossible_edges(options, message):
    with pytest.raises(ValueError, match=message):
        butterworth(torch.zeros(1, 1000), 100.0, **options)


@pytest.mark.parametrize("order", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("edges", [{"low": 5.0}, {"high": 20.0}, {"low": 5.0, "high": 20.0}])
def test_names_the_shortest_signal_it_can_filter(order, edges):
    with pytest.raises(ValueError, match=r"has 2 samples.*needs at least") as refusal:
        butterworth(torch.zeros(1, 2), 100.0, order=order, **edges)
    least = int(str(refusal.value).split()[-1])
    assert butterworth(torch.ones(1, least), 100.0, order=order, **edges).shape == (1, least)
    with pytest.raises(ValueError, match="needs at least"):
        butterworth(torch.ones(1, least - 1), 100.0, order=order, **edges)
    assert (
        butterworth(torch.ones(1, 2), 100.0, order=order, zero_phase=False, **edges).shape[1] == 2
    )
