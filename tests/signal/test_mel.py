"""Mel spectrograms and cepstral coefficients, against librosa and against Kaldi's formula."""

import librosa
import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from deepself.signal import log_mel, mel_frequencies, mfcc
from tests.importing import imported
from tests.signal.draws import CHANNELS, RATES, SEEDS, decibels, lengths, noise, relative_error

SCALES = st.sampled_from(["slaney", "htk", "kaldi"])


@st.composite
def bands(draw):
    """Draw a sampling rate, a number of filters and the range that they cover."""
    rate = draw(RATES)
    highest = draw(st.none() | st.floats(0.3, 0.5))
    band = {
        "n_mels": draw(st.integers(1, 64)),
        "fmin": draw(st.floats(0.0, 0.2)) * rate,
        "fmax": None if highest is None else highest * rate,
    }
    return rate, band


def kaldi_weights(rate, n_fft, n_mels, fmin, fmax):
    """Triangles straight in mel; a Fourier bin at half the sampling rate belongs to none."""

    def mel(hertz):
        return 1127 * np.log(1 + hertz / 700)

    lowest, highest = mel(fmin), mel(fmax or rate / 2)
    width = (highest - lowest) / (n_mels + 1)
    weights = np.zeros((n_mels, n_fft // 2 + 1))
    for band in range(n_mels):
        left, centre = lowest + band * width, lowest + (band + 1) * width
        for index in range((n_fft + 1) // 2):
            here = mel(index * rate / n_fft)
            weights[band, index] = max(0.0, 1 - abs(here - centre) / (centre - left))
    return weights


def weights_of(mel, rate, n_fft, band):
    if mel == "kaldi":
        weights = kaldi_weights(rate, n_fft, **band)
    else:
        weights = librosa.filters.mel(sr=rate, n_fft=n_fft, htk=mel == "htk", **band)
    assume((weights.max(axis=1) > 0).all())
    return weights


def power_of(signal, weights, fourier):
    return weights @ np.abs(librosa.stft(signal.astype(float), **fourier)) ** 2


@pytest.mark.filterwarnings("ignore:Empty filters")
@settings(deadline=None, max_examples=25)
@given(SEEDS, CHANNELS, st.integers(0, 6000), lengths(), bands(), SCALES)
def test_log_mel_equals_librosa(seed, channels, further, fourier, rated, mel):
    rate, band = rated
    weights = weights_of(mel, rate, fourier["n_fft"], band)
    signal = noise(seed, 2, channels, fourier["n_fft"] + further)
    tensor = torch.from_numpy(signal)
    image = log_mel(tensor, rate, **fourier, **band, mel=mel)
    natural = log_mel(tensor, rate, **fourier, **band, mel=mel, log="ln")
    assert image.dtype == natural.dtype == torch.float32
    for item in range(2):
        power = power_of(signal[item], weights, fourier)
        if mel != "kaldi":
            librosas = librosa.feature.melspectrogram(
                y=signal[item].astype(float), sr=rate, htk=mel == "htk", **fourier, **band
            )
            np.testing.assert_allclose(power, librosas, rtol=1e-3)
        expected = decibels(power)
        loud = expected > expected.max() - 60
        assert relative_error(natural[item], np.log(power + 1e-6), least=1.0) < 1e-4
        error = np.abs(image[item].numpy() - expected)
        assert error[loud].max() < 1e-2
        assert error.max() < 0.5


@pytest.mark.filterwarnings("ignore:Empty filters")
@settings(deadline=None, max_examples=25)
@given(SEEDS, CHANNELS, st.integers(0, 6000), lengths(), bands(), SCALES, st.data())
def test_mfcc_equals_librosa(seed, channels, further, fourier, rated, mel, data):
    rate, band = rated
    n_mfcc = data.draw(st.integers(1, band["n_mels"]))
    weights = weights_of(mel, rate, fourier["n_fft"], band)
    signal = noise(seed, 2, channels, fourier["n_fft"] + further)
    image = mfcc(torch.from_numpy(signal), rate, n_mfcc=n_mfcc, **fourier, **band, mel=mel)
    assert image.dtype == torch.float32
    for item in range(2):
        options = {"n_mfcc": n_mfcc}
        if mel == "kaldi":
            options["S"] = decibels(power_of(signal[item], weights, fourier))
        else:
            options |= {"y": signal[item].astype(float), "sr": rate, "htk": mel == "htk"}
            options |= {**fourier, **band}
        assert relative_error(image[item], librosa.feature.mfcc(**options), least=1.0) < 1e-4


def test_silence_is_finite():
    silence = torch.zeros(1, 1, 2000)
    options = {"n_fft": 256, "hop_length": 100, "n_mels": 10}
    assert (log_mel(silence, 8000.0, **options) == -100).all()
    natural = log_mel(silence, 8000.0, log="ln", **options)
    torch.testing.assert_close(natural, torch.full_like(natural, np.log(1e-6)))
    assert mfcc(silence, 8000.0, n_mfcc=3, **options)[:, :, 1:].abs().max() < 1e-3


@settings(deadline=None, max_examples=15)
@given(RATES, st.integers(1, 200), st.floats(0.0, 0.4))
def test_centres_equal_librosas(rate, n_mels, lowest):
    band = {"fmin": lowest * rate, "fmax": rate / 2}
    for scale in ("slaney", "htk", "kaldi"):
        # HTK's mel and Kaldi's have the same centres: they differ by a factor.
        expected = librosa.mel_frequencies(n_mels + 2, htk=scale != "slaney", **band)[1:-1]
        np.testing.assert_allclose(mel_frequencies(n_mels, **band, mel=scale), expected, rtol=1e-6)


@pytest.mark.parametrize("mel", ["slaney", "htk", "kaldi"])
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
def test_refuses_impossible_filters(mel, options, message):
    options = {"n_fft": 256, "hop_length": 64, "n_mels": 8, "mel": mel} | options
    for _ in range(2):  # the refusal must not be lost to the cache of filters
        with pytest.raises(ValueError, match=message):
            log_mel(torch.zeros(1, 1000), 8000.0, **options)
    if options["n_mels"]:
        with pytest.raises(ValueError, match=message):
            mfcc(torch.zeros(1, 1000), 8000.0, n_mfcc=1, **options)


def test_refuses_unknown_names_and_impossible_numbers():
    signal, options = torch.zeros(1, 1000), {"n_fft": 256, "hop_length": 64, "n_mels": 8}
    with pytest.raises(ValueError, match="'bark' is not one of slaney, htk, kaldi"):
        log_mel(signal, 8000.0, mel="bark", **options)
    with pytest.raises(ValueError, match="'log2' is not one of db, ln"):
        log_mel(signal, 8000.0, log="log2", **options)
    for wrong in (0, 9):
        with pytest.raises(ValueError, match=rf"n_mfcc is {wrong}; .* n_mels \(8\)"):
            mfcc(signal, 8000.0, n_mfcc=wrong, **options)
    with pytest.raises(ValueError, match="n_mels is 0"):
        mel_frequencies(0, 0.0, 100.0)
    with pytest.raises(ValueError, match="fmin"):
        mel_frequencies(4, 100.0, 100.0)


def test_filters_need_no_librosa():
    code = """
import torch
from deepself.signal import log_mel
log_mel(torch.randn(1, 4000), sample_rate=16000, n_fft=512, hop_length=256, n_mels=20)
"""
    assert not imported(code, ["librosa"])
