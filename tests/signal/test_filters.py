"""Butterworth and notch filters, against SciPy and against the formula of their gain."""

import numpy as np
import pytest
import scipy.signal
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from deepself.signal import butterworth, least_samples, notch
from deepself.signal._recursion import LONG
from tests.signal.draws import CHANNELS, RATES, SEEDS, noise, relative_error


@st.composite
def bands(draw):
    """Draw a sampling rate and the edges of a filter of any of the four kinds."""
    rate = draw(RATES)
    low = draw(st.floats(0.01, 0.2)) * rate
    high = draw(st.floats(0.25, 0.45)) * rate
    kinds = [(low, None, False), (None, high, False), (low, high, False), (low, high, True)]
    return rate, *draw(st.sampled_from(kinds))


def run(coefficients, signal, zero_phase):
    """Filter one channel with the transfer function rather than with sections."""
    run_one = scipy.signal.filtfilt if zero_phase else scipy.signal.lfilter
    return run_one(*coefficients, signal)


@settings(deadline=None, max_examples=25)
@given(bands(), st.integers(1, 4), CHANNELS, st.integers(60, 3001), st.booleans(), SEEDS)
def test_butterworth_equals_scipys(band, order, channels, samples, zero_phase, seed):
    rate, low, high, stop = band
    options = {"low": low, "high": high, "stop": stop, "order": order, "zero_phase": zero_phase}
    signal = noise(seed, 2, channels, samples)
    filtered = butterworth(torch.from_numpy(signal), rate, **options)
    assert filtered.dtype == torch.float32
    assert filtered.shape == signal.shape
    kind, edges = {
        (False, True): ("highpass", low),
        (True, False): ("lowpass", high),
        (False, False): ("bandstop" if stop else "bandpass", (low, high)),
    }[(low is None, high is None)]
    coefficients = scipy.signal.butter(order, edges, btype=kind, fs=rate)
    for index in np.ndindex(2, channels):
        expected = run(coefficients, signal[index].astype(float), zero_phase)
        error = np.abs(filtered[index].numpy() - expected).max()
        assert error < 1e-4 * np.abs(signal[index]).max()


@settings(deadline=None, max_examples=25)
@given(
    RATES,
    st.lists(st.floats(0.01, 0.45), min_size=1, max_size=4),
    st.floats(1.0, 60.0),
    CHANNELS,
    st.integers(28, 3001),
    st.booleans(),
    SEEDS,
)
def test_notches_equal_scipys_one_after_the_other(
    rate, shares, q, channels, samples, zero_phase, seed
):
    frequencies = [share * rate for share in shares]
    signal = noise(seed, 2, channels, samples)
    filtered = notch(
        torch.from_numpy(signal), rate, frequencies=frequencies, q=q, zero_phase=zero_phase
    )
    assert filtered.dtype == torch.float32
    if zero_phase:
        sections = [np.hstack(scipy.signal.iirnotch(f, q, fs=rate)) for f in frequencies]
        expected = scipy.signal.sosfiltfilt(sections, signal.astype(float))
    else:
        expected = signal.astype(float)
        for frequency in frequencies:
            coefficients = scipy.signal.iirnotch(frequency, q, fs=rate)
            expected = scipy.signal.lfilter(*coefficients, expected)
    for item in range(2):
        assert relative_error(filtered[item], expected[item]) < 1e-4


def test_one_notch_forwards_and_backwards_equals_filtfilt():
    signal = np.random.default_rng().standard_normal(999)
    expected = scipy.signal.filtfilt(*scipy.signal.iirnotch(50, 30, fs=500), signal)
    filtered = notch(torch.from_numpy(signal), 500.0, frequencies=[50.0])
    np.testing.assert_allclose(filtered.numpy(), expected, atol=1e-5)


@pytest.mark.parametrize("zero_phase", [True, False])
def test_notch_takes_the_mains_and_leaves_the_rest(zero_phase):
    rate, middle = 500.0, slice(4000, 6000)
    time = torch.arange(10_000, dtype=torch.float64) / rate
    tones = {hertz: torch.sin(2 * torch.pi * hertz * time) for hertz in (20, 50, 75, 100)}
    options = {"frequencies": [50.0, 100.0], "zero_phase": zero_phase}
    gain = {
        hertz: (notch(tone, rate, **options)[middle].std() / tone[middle].std()).item()
        for hertz, tone in tones.items()
    }
    assert gain[50] < 1e-3 and gain[100] < 1e-3
    assert gain[20] == pytest.approx(1, abs=0.01)
    assert gain[75] == pytest.approx(1, abs=0.01)


def test_no_notches_leave_the_signal_as_it_was():
    signal = torch.randn(2, 3)
    assert notch(signal, 100.0, frequencies=[]).equal(signal)


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
        ({"low": 20.0, "stop": True}, "band-stop needs both"),
        ({"high": 20.0, "stop": True}, "band-stop needs both"),
        ({"stop": True}, "neither low nor high"),
    ],
)
def test_refuses_impossible_edges(options, message):
    with pytest.raises(ValueError, match=message):
        butterworth(torch.zeros(1, 1000), 100.0, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"frequencies": [20.0, 50.0]}, "notch is 50 Hz; it must lie between 0 and 50 Hz"),
        ({"frequencies": [0.0]}, "notch is 0 Hz"),
        ({"frequencies": [float("nan")]}, "notch is nan Hz"),
        ({"frequencies": [20.0], "q": 0.0}, "q is 0"),
        ({"frequencies": [20.0], "q": 0.3}, "is 66.6667 Hz wide; .* 50 Hz.* raise q"),
    ],
)
def test_refuses_impossible_notches(options, message):
    with pytest.raises(ValueError, match=message):
        notch(torch.zeros(1, 1000), 100.0, **options)


@pytest.mark.parametrize("order", [1, 2, 3, 4, 7])
@pytest.mark.parametrize(
    "band",
    [
        {"low": 5.0},
        {"high": 20.0},
        {"high": 25.0},
        {"low": 5.0, "high": 20.0},
        {"low": 5.0, "high": 20.0, "stop": True},
        {"low": 12.5, "high": 37.5},
        {"low": 12.5, "high": 37.5, "stop": True},
    ],
)
def test_band_needs_as_many_samples_as_scipy_pads_and_one(order, band):
    least = least_samples(order=order, **band)
    kind = "bandstop" if "stop" in band else "bandpass"
    kind = kind if len(band) > 1 else {"low": "highpass", "high": "lowpass"}[next(iter(band))]
    edges = [band[name] for name in ("low", "high") if name in band]
    sections = scipy.signal.butter(order, np.squeeze(edges), kind, fs=100.0, output="sos")
    signal = torch.randn(1, least, dtype=torch.float64)
    expected = scipy.signal.sosfiltfilt(sections, signal.numpy())
    filtered = butterworth(signal, 100.0, order=order, **band)
    np.testing.assert_allclose(filtered.numpy(), expected, atol=1e-5)
    message = (
        f"has {least - 1} samples; a zero-phase filter of order {order} needs at least {least}"
    )
    with pytest.raises(ValueError, match=message):
        butterworth(signal[:, 1:], 100.0, order=order, **band)
    assert least_samples(order=order, zero_phase=False, **band) == 1
    assert butterworth(signal[:, :1], 100.0, order=order, zero_phase=False, **band).shape == (1, 1)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_notches_need_as_many_samples_as_scipy_pads_and_one(count):
    frequencies = [7.0 * (n + 1) for n in range(count)]
    least = least_samples(notches=count)
    sections = [np.hstack(scipy.signal.iirnotch(f, 30, fs=100.0)) for f in frequencies]
    signal = torch.randn(1, least, dtype=torch.float64)
    filtered = notch(signal, 100.0, frequencies=frequencies)
    expected = scipy.signal.sosfiltfilt(sections, signal.numpy())
    np.testing.assert_allclose(filtered.numpy(), expected, atol=1e-5)
    with pytest.raises(ValueError, match=f"has {least - 1} samples; .* needs at least {least}"):
        notch(signal[:, 1:], 100.0, frequencies=frequencies)
    assert notch(signal[:, :1], 100.0, frequencies=frequencies, zero_phase=False).shape == (1, 1)


def test_band_and_notches_need_what_the_longer_needs():
    assert least_samples() == 1
    assert least_samples(low=1.0, order=2, notches=5) == least_samples(notches=5) == 34
    assert least_samples(low=1.0, order=20, notches=1) == least_samples(low=1.0, order=20) == 64


@settings(deadline=None, max_examples=20)
@given(bands(), st.integers(1, 8), st.integers(0, 4), st.booleans(), st.integers(1, 60))
def test_any_signal_is_filtered_or_refused_with_the_numbers(
    band, order, notches, zero_phase, samples
):
    rate, low, high, stop = band
    options = {"low": low, "high": high, "stop": stop, "order": order, "zero_phase": zero_phase}
    frequencies = [0.1 * rate] * notches

    def both(signal):
        filtered = butterworth(signal, rate, **options)
        return notch(filtered, rate, frequencies=frequencies, zero_phase=zero_phase)

    signal = torch.randn(3, 2, samples)
    if samples >= least_samples(**options, notches=notches):
        assert both(signal).shape == signal.shape
    else:
        with pytest.raises(ValueError, match=rf"has {samples} samples; .* needs at least \d+"):
            both(signal)


@settings(deadline=None, max_examples=12)
@given(
    st.sampled_from(["low", "high", "band", "stop"]),
    st.integers(1, 9),
    st.integers(1, 3),
    st.sampled_from([500.0, 8000.0, 44100.0]),
    st.integers(0, 2**32 - 1),
)
def test_long_signals_equal_scipy_too(kind, order, channels, rate, seed):
    """From some length on, the sections of a filter run side by side."""
    random = np.random.default_rng(seed)
    samples = LONG + int(random.integers(0, 999))
    signal = random.standard_normal((channels, samples)) + random.uniform(-50, 50)
    low, high = np.sort(random.uniform(0.002, 0.45, 2)) * rate
    if high < 1.05 * low:
        high = 1.05 * low
    edges = {"low": {"high": high}, "high": {"low": low}}.get(kind, {"low": low, "high": high})
    found = butterworth(
        torch.from_numpy(signal.astype(np.float32)),
        rate,
        **edges,
        stop=kind == "stop",
        order=order,
    )
    names = {"low": "lowpass", "high": "highpass", "band": "bandpass", "stop": "bandstop"}
    band = list(edges.values()) if len(edges) > 1 else next(iter(edges.values()))
    sections = scipy.signal.butter(order, band, names[kind], fs=rate, output="sos")
    padding = least_samples(**edges, stop=kind == "stop", order=order) - 1
    given = signal.astype(np.float32).astype(float)
    expected = scipy.signal.sosfiltfilt(sections, given, padlen=padding)
    # Relative to the signal: of a large constant, a high-pass leaves little but rounding.
    assert np.abs(found.numpy() - expected).max() <= 1e-4 * np.abs(expected).max() + 1e-6


def test_sections_whose_sum_would_lose_digits_stay_a_cascade():
    from deepself.signal._recursion import side_by_side

    wide = scipy.signal.butter(4, [50, 15000], "bandpass", fs=32000, output="sos")
    assert side_by_side(wide.tobytes()) is not None
    twice = np.concatenate([wide, wide])  # equal poles have no partial fractions
    assert side_by_side(twice.tobytes()) is None
    close = scipy.signal.butter(12, [1.0, 1.1], "bandpass", fs=44100, output="sos")
    assert side_by_side(close.tobytes()) is None
