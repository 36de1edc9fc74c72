"""Spectrograms against librosa."""

import librosa
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from deepself.signal import chroma, fft_frequencies, log_mel, mel_frequencies, mfcc, spectrogram
from tests.signal.draws import CHANNELS, RATES, SEEDS, decibels, lengths, noise, relative_error


@settings(deadline=None, max_examples=25)
@given(SEEDS, CHANNELS, st.integers(0, 6000), lengths())
def test_spectrogram_equals_librosa(seed, channels, further, fourier):
    samples = fourier["n_fft"] + further
    signal = noise(seed, 2, channels, samples)
    images = {
        scale: spectrogram(torch.from_numpy(signal), **fourier, scale=scale).numpy()
        for scale in ("magnitude", "power", "db")
    }
    for item in range(2):
        expected = np.abs(librosa.stft(signal[item].astype(float), **fourier))
        assert images["magnitude"].dtype == np.float32
        assert relative_error(images["magnitude"][item], expected) < 1e-4
        assert relative_error(images["power"][item], expected**2) < 1e-4
        loud = expected > 1e-3 * expected.max()
        error = np.abs(images["db"][item] - decibels(expected**2))
        assert error[loud].max() < 1e-2
    shape = 1 + (samples - fourier["n_fft"] % 2) // fourier["hop_length"]
    assert images["db"].shape[-1] == shape


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 300), st.integers(1, 300), st.integers(1, 300), st.sampled_from(range(4)))
def test_signal_is_long_enough_or_refused_with_the_numbers(samples, n_fft, hop_length, kind):
    def compute():
        signal = torch.randn(2, 3, samples)
        options = {"n_fft": n_fft, "hop_length": hop_length}
        if kind == 0:
            return spectrogram(signal, **options)
        if kind == 1:
            return log_mel(signal, 100.0, n_mels=1, **options)
        if kind == 2:
            return mfcc(signal, 100.0, n_mels=1, n_mfcc=1, **options)
        return chroma(signal, 100.0, **options)

    if samples < n_fft:
        with pytest.raises(ValueError, match=f"has {samples} samples; n_fft is {n_fft}: lower"):
            compute()
    elif n_fft > 2:  # else no filter contains a bin
        bins = {0: n_fft // 2 + 1, 3: 12}.get(kind, 1)
        found = compute()
        assert found.shape == (2, 3, bins, 1 + (samples - n_fft % 2) // hop_length)
        assert found.isfinite().all()


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
    for scale in ("slaney", "htk", "kaldi"):
        image = log_mel(sine, rate, n_fft=512, hop_length=128, n_mels=20, mel=scale)
        centres = mel_frequencies(20, 0.0, rate / 2, scale)
        assert image[:, 30].argmax() == np.abs(centres - 1000).argmin()


@settings(deadline=None, max_examples=15)
@given(RATES, st.integers(2, 4096))
def test_axis_equals_librosas(rate, n_fft):
    expected = librosa.fft_frequencies(sr=rate, n_fft=n_fft)
    np.testing.assert_allclose(fft_frequencies(rate, n_fft), expected, rtol=1e-9)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_fft": 0}, "n_fft"),
        ({"hop_length": 0}, "hop_length"),
        ({"win_length": 0}, "win_length is 0"),
        ({"win_length": 257}, "between 1 and n_fft"),
        ({"n_fft": 1001}, "has 1000 samples; n_fft is 1001: lower n_fft"),
    ],
)
def test_refuses_impossible_lengths(options, message):
    options = {"n_fft": 256, "hop_length": 64} | options
    with pytest.raises(ValueError, match=message):
        spectrogram(torch.zeros(1, 1000), **options)
    with pytest.raises(ValueError, match=message):
        log_mel(torch.zeros(1, 1000), 8000.0, n_mels=8, **options)


def test_refuses_an_unknown_scale():
    with pytest.raises(ValueError, match="'log' is not one of magnitude, power, db"):
        spectrogram(torch.zeros(9), n_fft=8, hop_length=4, scale="log")
