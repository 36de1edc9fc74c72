"""Every function gives the same on another device, and leaves the result there."""

import pytest
import torch

from deepself import signal

FOURIER = {"n_fft": 256, "hop_length": 100}
FUNCTIONS = {
    "butterworth": lambda x: signal.butterworth(x, 8000.0, low=100.0, high=900.0),
    "notch": lambda x: signal.notch(x, 8000.0, frequencies=[50.0, 100.0]),
    "resample": lambda x: signal.resample(x, 8000.0, 6000.0),
    "spectrogram": lambda x: signal.spectrogram(x, **FOURIER),
    "log_mel": lambda x: signal.log_mel(x, 8000.0, n_mels=10, **FOURIER),
    "log_mel, Kaldi": lambda x: signal.log_mel(
        x, 8000.0, n_mels=10, mel="kaldi", log="ln", **FOURIER
    ),
    "mfcc": lambda x: signal.mfcc(x, 8000.0, n_mels=10, n_mfcc=5, **FOURIER),
    "chroma": lambda x: signal.chroma(x, 8000.0, **FOURIER),
    "deltas": lambda x: signal.deltas(x.unflatten(-1, (30, -1)), 2),
    "zero_crossing_rate": lambda x: signal.zero_crossing_rate(x, frame_length=256, hop_length=100),
    "statistics": lambda x: signal.statistics(x.unflatten(-1, (30, -1)), signal.STATISTICS),
    "scalogram": lambda x: signal.scalogram(x, 8000.0, frequencies=[50.0, 100.0, 900.0]),
    "scalogram, complex": lambda x: signal.scalogram(
        x, 8000.0, wavelet="cmor1.5-1.0", frequencies=[50.0, 900.0], hop_length=7, scale="db"
    ),
    "audioset_mel": signal.audioset_mel,
    "panns_mel": signal.panns_mel,
    "render": lambda x: signal.render(
        x.unflatten(-1, (30, -1)),
        value_range=None,
        colormap="viridis",
        height=20,
        width=50,
        layout="stack",
    ),
}


def test_every_function_has_its_case():
    helpers = {"least_samples"}
    functions = {n for n in signal.__all__ if n.islower() and not n.endswith("frequencies")}
    assert {name.split(",")[0] for name in FUNCTIONS} == functions - helpers


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize(
    "device",
    [
        "cpu",
        pytest.param(
            "cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
        ),
    ],
)
def test_result_is_float32_on_the_signals_device(name, device):
    values = torch.randn(2, 3, 3000, dtype=torch.float64, requires_grad=True)
    expected = FUNCTIONS[name](values.float())
    found = FUNCTIONS[name](values.to(device))
    assert found.device.type == device
    assert found.dtype == torch.float32
    assert not found.requires_grad
    if name == "render":
        # A rounding can move a value to the next of 256 colours.
        assert ((found.cpu() - expected).abs().amax(dim=1) > 0.05).sum() == 0
        return
    assert (found.cpu() - expected).abs().max() <= 1e-4 * expected.abs().max() + 1e-6


@pytest.mark.parametrize("name", FUNCTIONS)
def test_input_is_left_alone_and_items_do_not_mix(name):
    values = torch.randn(2, 3, 3000) * torch.tensor([1.0, 0.01])[:, None, None]
    before = values.clone()
    together = FUNCTIONS[name](values)
    assert values.equal(before)
    for index in range(2):
        alone = FUNCTIONS[name](values[index : index + 1])
        torch.testing.assert_close(together[index : index + 1], alone, rtol=1e-4, atol=1e-4)
