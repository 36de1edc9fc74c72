"""Spectrograms against librosa."""

import librosa
import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from deepself.signal import fft_frequencies, log_mel, mel_frequencies, spectrogram

SEEDS = st.integers(0, 2**32 - 1)


@st.composite
def frames(draw):
    """Draw the lengths of a short-time Fourier transform, odd and even."""
    n_fft = draw(st.integers(16, 2048))
    win_length = draw(st.none() | st.integers(8, n_fft))
    return {"n_fft": n_fft, "hop_length": draw(st.integers(16, 900)), "win_length": win_length}


def decibels(power):
    return librosa.power_to_db(power, ref=1.0, amin=1e-10, top_db=80)


def draw_signal(seed, channels, samples, items=2):
    """White noise whose items differ in level, so that a shared ceiling would show."""
    rng = np.random.default_rng(seed)
    levels = 10.0 ** rng.uniform(-6, 2, (items, 1, 1))
    return (levels * rng.standard_normal((items, channels, samples))).astype(np.float32)


@pytest.mark.filterwarnings("ignore:n_fft=")
@settings(deadline=None, max_examples=25)
@given(SEEDS, st.integers(1, 8), st.integers(1, 6001), frames())
def test_spectrogram_equals_librosa(seed, channels, samples, lengths):
    signal = draw_signal(seed, channels, samples)
    images = {
        scale: spectrogram(torch.from_numpy(signal), **lengths, scale=scale).numpy()
        for scale in ("magnitude", "power", "db")
    }
    for item in range(2):
        expected = np.abs(librosa.stft(signal[item].astype(float), **lengths))
        top = expected.max()
        assert images["magnitude"][item].shape == expected.shape
        assert images["magnitude"].dtype == np.float32
        assert np.abs(images["magnitude"][item] - expected).max() < 1e-4 * top
        assert np.abs(images["power"][item] - expected**2).max() < 1e-4 * top**2
        loud = expected > 1e-3 * top
        error = np.abs(images["db"][item] - decibels(expected**2))
        assert error[loud].max() < 1e-2
    shape = 1 + (samples + 2 * (lengths["n_fft"] // 2) - lengths["n_fft"]) // lengths["hop_length"]
    assert images["db"].shape[-1] == shape


@pytest.mark.filterwarnings("ignore:n_fft=", "ignore:Empty filters")
@settings(deadline=None, max_examples=25)
@given(
    SEEDS,
    st.integers(1, 8),
    st.integers(1, 6001),
    frames(),
    st.floats(100.0, 96_000.0),
    st.integers(1, 64),
    st.floats(0.0, 0.2),
    st.none() | st.floats(0.3, 0.5),
)
def test_log_mel_equals_librosa(seed, channels, samples, lengths, rate, n_mels, lowest, highest):
    band = {"fmin": lowest * rate, "fmax": None if highest is None else highest * rate}
    filters = librosa.filters.mel(sr=rate, n_fft=lengths["n_fft"], n_mels=n_mels, **band)
    assume((filters.max(axis=1) > 0).all())
    signal = draw_signal(seed, channels, samples)
    image = log_mel(torch.from_numpy(signal), rate, n_mels=n_mels, **lengths, **band)
    assert image.dtype == torch.float32
    for item in range(2):
        expected = decibels(
            librosa.feature.melspectrogram(
                y=signal[item].astype(float), sr=rate, n_mels=n_mels, **lengths, **band
            )
        )
        assert image[item].shape == expected.shape
        loud = expected > expected.max() - 60
        error = np.abs(image[item].numpy() - expected)
        assert error[loud].max() < 1e-2
        assert error.max() < 0.5


def test_each_item_keeps_its_own_eighty_decibels():
    click = torch.zeros(2, 3, 4000)
    click[0, 0, 2000] = 1e3
    click[1, 2, 2000] = 1e2
    options = {"n_fft": 256, "hop_length": 64}
    for images in (spectrogram(click, **options), log_mel(click, 8000, n_mels=8, **options)):
        for item in images:
            assert item.max() - item.min() == pytest.approx(80, abs=1e-3)
        # The silent channels share the ceiling of the channel with the click.
        assert images[0, 1].max() == pytest.approx(images[0].max().item() - 80, abs=1e-3)
    alone = spectrogram(click[0, 1], **options)
    torch.testing.assert_close(alone, torch.full_like(alone, -100.0))


def test_row_zero_is_the_lowest_frequency():
    rate = 8000
    sine = torch.sin(2 * torch.pi * 1000 * torch.arange(rate) / rate)
    image = spectrogram(sine, n_fft=512, hop_length=128)
    assert fft_frequencies(rate, 512)[image[:, 30].argmax()] == 1000
    mel = log_mel(sine, rate, n_fft=512, hop_length=128, n_mels=20)
    centres = mel_frequencies(20, 0.0, rate / 2)
    assert mel[:, 30].argmax() == np.abs(centres - 1000).argmin()


@settings(deadline=None, max_examples=15)
@given(st.floats(100.0, 96_000.0), st.integers(2, 4096), st.integers(1, 200))
def test_axes_equal_librosas(rate, n_fft, n_mels):
    expected = librosa.fft_frequencies(sr=rate, n_fft=n_fft)
    np.testing.assert_allclose(fft_frequencies(rate, n_fft), expected, rtol=1e-9)
    expected = librosa.mel_frequencies(n_mels + 2, fmin=1.0, fmax=rate / 2)[1:-1]
    np.testing.assert_allclose(mel_frequencies(n_mels, 1.0, rate / 2), expected, rtol=1e-9)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_fft": 0}, "n_fft"),
        ({"hop_length": 0}, "hop_length"),
        ({"win_length": 0}, "win_length is 0"),
        ({"win_length": 257}, "between 1 and n_fft"),
    ],
)
def test_refuses_impossible_lengths(options, message):
    options = {"n_fft": 256, "hop_length": 64} | options
    with pytest.raises(ValueError, match=message):
        spectrogram(torch.zeros(1, 1000), **options)
    with pytest.raises(ValueError, match=message):
        log_mel(torch.zeros(1, 1000), 8000.0, n_mels=8, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fmax": 4001.0}, "fmax is 4001 Hz, above 4000 Hz"),
        ({"fmin": 500.0, "fmax": 500.0}, "fmin"),
        ({"fmin": -1.0}, "fmin"),
        ({"n_mels": 0}, "n_mels is 0"),
        ({"n_mels": 200}, r"of 200 mel filters .* reduce n_mels or raise n_fft \(256\)"),
    ],
)
def test_refuses_impossible_mel_filters(options, message):
    options = {"n_fft": 256, "hop_length": 64, "n_mels": 8} | options
    for _ in range(2):  # the refusal must not be lost to the cache of filters
        with pytest.raises(ValueError, match=message):
            log_mel(torch.zeros(1, 1000), 8000.0, **options)


def test_refuses_an_unknown_scale_and_an_empty_signal():
    with pytest.raises(ValueError, match="'log' is not one of magnitude, power, db"):
        spectrogram(torch.zeros(9), n_fft=8, hop_length=4, scale="log")
    with pytest.raises(ValueError, match="0 samples"):
        spectrogram(torch.zeros(1, 0), n_fft=8, hop_length=4)
    with pytest.raises(ValueError, match="n_mels is 0"):
        mel_frequencies(0, 0.0, 100.0)
    with pytest.raises(ValueError, match="fmin"):
        mel_frequencies(4, 100.0, 100.0)
