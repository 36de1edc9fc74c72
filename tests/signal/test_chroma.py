"""Chromagrams against librosa."""

import librosa
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from deepself.signal import chroma
from tests.signal.draws import CHANNELS, RATES, SEEDS, lengths, noise, relative_error


@settings(deadline=None, max_examples=25)
@given(SEEDS, CHANNELS, st.integers(0, 6000), lengths(), RATES, st.integers(1, 36))
def test_equals_librosa(seed, channels, further, fourier, rate, n_chroma):
    signal = noise(seed, 2, channels, fourier["n_fft"] + further)
    image = chroma(torch.from_numpy(signal), rate, **fourier, n_chroma=n_chroma)
    assert image.dtype == torch.float32
    for item in range(2):
        expected = librosa.feature.chroma_stft(
            y=signal[item].astype(float), sr=rate, tuning=0.0, n_chroma=n_chroma, **fourier
        )
        assert relative_error(image[item], expected) < 1e-4


def test_a_sine_is_its_pitch_class_and_silence_is_nothing():
    rate = 22_050
    time = torch.arange(rate) / rate
    pitches = {"C": 261.63, "E": 329.63, "A": 440.0}
    for octave in (1, 2, 4):
        notes = [torch.sin(2 * torch.pi * octave * hertz * time) for hertz in pitches.values()]
        image = chroma(torch.stack(notes), rate, n_fft=4096, hop_length=512)
        assert image[:, :, 20].argmax(dim=1).tolist() == [0, 4, 9]
        assert image.max() == 1
    silence = chroma(torch.zeros(4096), rate, n_fft=4096, hop_length=512)
    assert silence.equal(torch.zeros(12, 9))


def test_refuses_no_classes():
    with pytest.raises(ValueError, match="n_chroma is 0"):
        chroma(torch.zeros(100), 100.0, n_fft=10, hop_length=5, n_chroma=0)
