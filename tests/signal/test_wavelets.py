"""Scalograms against pywt.cwt."""

import warnings

import librosa
import numpy as np
import pytest
import pywt
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from deepself.signal import _kernels, scalogram, wavelet_frequencies, wavelets
from tests.signal.draws import RATES, SEEDS

with warnings.catch_warnings():
    warnings.simplefilter("ignore", FutureWarning)
    PLAIN = [
        name for name in pywt.wavelist(kind="continuous") if name not in ("cmor", "fbsp", "shan")
    ]
WITH_PARAMETERS = ["cmor1.5-1.0", "cmor0.7-2.3", "shan1.5-1.0", "shan0.5-1.2", "fbsp1-1.5-1.0"]
WAVELETS = [*PLAIN, *WITH_PARAMETERS, "fbsp3-0.8-1.1"]


def noise(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def reference(signal, rate, wavelet, frequencies):
    """Return pywt's magnitudes, shape (channels, frequencies, samples), and check its axis."""
    scales = pywt.frequency2scale(wavelet, np.asarray(frequencies) / rate, precision=12)
    coefficients, axis = pywt.cwt(
        signal.astype(np.float64), scales, wavelet, sampling_period=1 / rate, axis=-1
    )
    np.testing.assert_allclose(axis, frequencies, rtol=1e-9)
    return np.abs(coefficients.swapaxes(0, 1))


def assert_rows_close(image, expected):
    """Compare row by row, so that a weak row cannot hide behind a strong one."""
    peak = expected.max(axis=-1, keepdims=True) + 1e-12
    assert image.shape == expected.shape
    assert (np.abs(image - expected) / peak).max() < 1e-4


@pytest.mark.parametrize("wavelet", WAVELETS)
@settings(deadline=None, max_examples=2)
@given(SEEDS, st.integers(2, 400), RATES)
def test_every_wavelet_equals_pywt(wavelet, seed, samples, rate):
    signal = noise(seed, 2, samples)
    frequencies = wavelet_frequencies(0.01 * rate, 0.45 * rate, 6)
    image = scalogram(torch.from_numpy(signal), rate, wavelet=wavelet, frequencies=frequencies)
    assert image.dtype == torch.float32
    assert_rows_close(image.numpy(), reference(signal, rate, wavelet, frequencies))


@settings(deadline=None, max_examples=25)
@given(
    SEEDS,
    st.integers(1, 8),
    st.integers(1, 1501),
    RATES,
    st.integers(1, 2000),
    st.sampled_from(["morl", "cmor1.5-1.0", "mexh", "cgau3"]),
    st.floats(0.001, 0.1),
)
def test_hops_and_shapes_equal_pywt(seed, channels, samples, rate, hop, wavelet, lowest):
    """Low frequencies have kernels many times as long as the signal."""
    signal = noise(seed, 2, channels, samples)
    frequencies = wavelet_frequencies(lowest * rate, 0.4 * rate, 5)
    options = {"wavelet": wavelet, "frequencies": frequencies}
    image = scalogram(torch.from_numpy(signal), rate, hop_length=hop, **options)
    whole = scalogram(torch.from_numpy(signal), rate, **options)
    expected = reference(signal[1], rate, wavelet, frequencies)
    assert_rows_close(whole[1].numpy(), expected)
    peak = whole.amax(dim=-1, keepdim=True)
    assert image.shape == (2, channels, 5, -(-samples // hop))
    assert ((image - whole[..., ::hop]).abs() <= 1e-4 * peak).all()


@settings(deadline=None, max_examples=15)
@given(
    SEEDS,
    st.integers(2, 900),
    RATES,
    st.lists(st.floats(0.005, 0.45), min_size=1, max_size=6, unique=True),
    st.sampled_from(["morl", "cmor1.5-1.0", "gaus2", "cgau5"]),
)
def test_any_ascending_frequencies_equal_pywt(seed, samples, rate, shares, wavelet):
    frequencies = [share * rate for share in sorted(shares)]
    signal = noise(seed, 2, samples)
    image = scalogram(torch.from_numpy(signal), rate, wavelet=wavelet, frequencies=frequencies)
    assert_rows_close(image.numpy(), reference(signal, rate, wavelet, frequencies))


@settings(deadline=None, max_examples=20)
@given(SEEDS, st.integers(0, 40), st.integers(1, 60), st.sampled_from(WAVELETS))
def test_shortest_signals_have_an_image_or_are_refused(seed, samples, hop, wavelet):
    signal = torch.from_numpy(noise(seed, 3, 2, samples))
    options = {"wavelet": wavelet, "frequencies": [1.0, 30.0], "hop_length": hop}
    if samples == 0:
        with pytest.raises(ValueError, match="has 0 samples"):
            scalogram(signal, 100.0, **options)
        return
    image = scalogram(signal, 100.0, **options)
    assert image.shape == (3, 2, 2, -(-samples // hop))
    assert image.isfinite().all()


@settings(deadline=None, max_examples=15)
@given(
    SEEDS,
    st.integers(1, 8),
    st.integers(1, 5),
    st.integers(1, 5),
    st.integers(1, 30),
    st.sampled_from(["morl", "cmor1.5-1.0"]),
    st.sampled_from(["magnitude", "power", "db"]),
)
def test_pieces_make_no_difference(seed, items, rows, at_once, hop, wavelet, scale):
    """Room for one row of one item at a time, as a long recording would leave it."""
    signal = torch.from_numpy(noise(seed, items, 501))
    options = {"frequencies": [3.0, 9.0, 11.0, 20.0, 31.0], "hop_length": hop}
    options |= {"wavelet": wavelet, "scale": scale}
    whole = scalogram(signal, 100.0, **options)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wavelets, "_BLOCK_BYTES", rows * 9000)
        patch.setattr(wavelets, "_WORKING_BYTES", at_once * 9000)
        in_pieces = scalogram(signal, 100.0, **options)
    torch.testing.assert_close(in_pieces, whole, rtol=1e-4, atol=1e-4)


def test_scales_follow_from_the_magnitude_item_by_item():
    signal = torch.randn(2, 3, 700) * torch.tensor([1.0, 1e-4])[:, None, None]
    options = {"frequencies": wavelet_frequencies(2.0, 45.0, 7), "hop_length": 5}
    magnitude = scalogram(signal, 100.0, **options)
    power = scalogram(signal, 100.0, scale="power", **options)
    torch.testing.assert_close(power, magnitude**2)
    decibels = scalogram(signal, 100.0, scale="db", **options)
    for item in range(2):
        expected = librosa.power_to_db(power[item].numpy(), ref=1.0, amin=1e-10, top_db=80)
        np.testing.assert_allclose(decibels[item].numpy(), expected, atol=1e-3)


@pytest.mark.parametrize("wavelet", ["morl", "cmor1.5-1.0", "mexh"])
def test_row_zero_is_the_lowest_frequency(wavelet):
    rate, frequencies = 1000.0, wavelet_frequencies(5.0, 400.0, 40)
    for tone in (10.0, 60.0, 250.0):
        sine = torch.sin(2 * torch.pi * tone * torch.arange(4000) / rate)
        image = scalogram(sine, rate, wavelet=wavelet, frequencies=frequencies, scale="power")
        strongest = frequencies[image[:, 1000:3000].mean(dim=1).argmax()]
        assert 0.75 < strongest / tone < 1.25


def test_frequencies_are_the_same_distance_or_the_same_factor_apart():
    linear = wavelet_frequencies(2.0, 50.0, 9, "linear")
    np.testing.assert_allclose(linear, np.arange(2.0, 51.0, 6.0))
    with pytest.raises(ValueError, match="'mel' is not one of log, linear"):
        wavelet_frequencies(2.0, 50.0, 9, "mel")
    frequencies = wavelet_frequencies(2.0, 50.0, 9)
    assert frequencies[0] == 2.0
    assert frequencies[-1] == 50.0
    assert len(frequencies) == 9
    np.testing.assert_allclose(frequencies[1:] / frequencies[:-1], 25 ** (1 / 8))
    for low, high, count in ((0.0, 5.0, 3), (5.0, 5.0, 3), (6.0, 5.0, 3), (1.0, 2.0, 1)):
        with pytest.raises(ValueError, match=r"low|count"):
            wavelet_frequencies(low, high, count)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"frequencies": [1.0, 50.1]}, "50.1 Hz must be above 0 and at most 50 Hz"),
        ({"frequencies": [0.0, 3.0]}, "frequency 0 Hz"),
        ({"frequencies": [float("nan")]}, "frequency nan Hz"),
        ({"frequencies": [3.0, 3.0]}, "must ascend, but 3 Hz is followed by 3 Hz"),
        ({"frequencies": [4.0, 2.0]}, "must ascend"),
        ({"frequencies": []}, "empty"),
        ({"wavelet": "morlet"}, "nearest is 'morl'"),
        ({"wavelet": "cmorx"}, "nearest is 'cmor', as in 'cmor1.5-1.0'"),
        ({"wavelet": "db4"}, "'db4' is not a continuous wavelet"),
        ({"hop_length": 0}, "hop_length is 0"),
        ({"scale": "dB"}, "'dB' is not one of"),
    ],
)
def test_refusals(options, message):
    options = {"frequencies": [1.0, 10.0]} | options
    with pytest.raises(ValueError, match=message):
        scalogram(torch.zeros(1, 100), 100.0, **options)


def test_refuses_an_empty_signal():
    with pytest.raises(ValueError, match="has 0 samples"):
        scalogram(torch.zeros(1, 0), 100.0, frequencies=[1.0])


def test_refuses_a_wavelet_that_has_no_samples_left():
    with pytest.raises(ValueError, match="lower the highest frequency"):
        _kernels.kernels("gaus1", (100.0,))


def test_fast_lengths_are_even_and_little_longer():
    for least in range(1, 5000):
        length = _kernels.fast_length(least)
        assert length % 2 == 0
        assert least <= length <= 1.2 * least + 4
