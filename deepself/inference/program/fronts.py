"""Features of signals as modules: what `deepself.signal` defines, over `Power`."""

import torch
from torch import Tensor, nn

from deepself import signal
from deepself.inference.program.fourier import Power
from deepself.signal import audioset, mel, panns
from deepself.signal._decibels import limit_range_, log_power_
from deepself.signal._mel_filters import mel_filters
from deepself.signal.chroma import _filters as chroma_filters
from deepself.study.features import (
    MFCC,
    AudioSetMel,
    Chroma,
    FourierFeature,
    LogMel,
    MelFeature,
    PANNsMel,
    SignalFeature,
    Spectrogram,
    Waveform,
    ZeroCrossingRate,
)


def front(spec: SignalFeature, sample_rate: float) -> nn.Module:
    """What makes a feature of signals (rows, channels, samples), already filtered.

    Parameters
    ----------
    spec
        The feature: of any kind but a scalogram, whose wavelets are longer than many recordings.
    sample_rate
        In Hz.
    """
    match spec:
        case Waveform():
            return nn.Identity()
        case Spectrogram():
            return nn.Sequential(_power(spec), _SCALES[spec.scale]())
        case LogMel() | MFCC():
            return _Mel(spec, sample_rate)
        case Chroma():
            filters = chroma_filters(float(sample_rate), spec.n_fft, spec.n_chroma)
            return nn.Sequential(_power(spec), _Linear(filters), _Strongest())
        case ZeroCrossingRate():
            return _Crossings(spec)
        case AudioSetMel():
            return _AudioSet()
        case PANNsMel():
            return _panns()
    raise TypeError(f"{type(spec).__name__} has no front end as a module")


class _Linear(nn.Module):
    """Sums of an image's rows (..., bins, frames) by fixed weights (rows, bins)."""

    weights: Tensor

    def __init__(self, weights: Tensor):
        super().__init__()
        self.register_buffer("weights", weights.clone().contiguous())

    def forward(self, image: Tensor) -> Tensor:
        return self.weights @ image


class _Magnitude(nn.Module):
    def forward(self, power: Tensor) -> Tensor:
        return power.sqrt()


class _Decibels(nn.Module):
    """Down to 80 below each item's peak."""

    def forward(self, power: Tensor) -> Tensor:
        return limit_range_(log_power_(power.clone()))


class _LogPower(nn.Module):
    def forward(self, power: Tensor) -> Tensor:
        return log_power_(power.clone())


_SCALES: dict[str, type[nn.Module]] = {
    "magnitude": _Magnitude,
    "power": nn.Identity,
    "db": _Decibels,
}


class _Logarithm(nn.Module):
    """Natural logarithm, of what is no less than `least` above zero."""

    def __init__(self, least: float):
        super().__init__()
        self._least = least

    def forward(self, power: Tensor) -> Tensor:
        return (power + self._least).log()


class _Mel(nn.Module):
    """Mel spectrogram in decibels or natural logarithms, or its cosine transform; with deltas."""

    def __init__(self, spec: MelFeature, sample_rate: float):
        super().__init__()
        upper = float(sample_rate / 2 if spec.fmax is None else spec.fmax)
        filters = mel_filters(
            float(sample_rate), spec.n_fft, spec.n_mels, float(spec.fmin), upper, spec.mel
        )
        steps = [_power(spec), _Linear(filters)]
        if isinstance(spec, MFCC):
            steps += [_Decibels(), _Linear(mel._cosines(spec.n_mfcc, spec.n_mels))]
        elif isinstance(spec, LogMel) and spec.log == "ln":
            steps.append(_Logarithm(mel._LN_OFFSET))
        else:
            steps.append(_Decibels())
        self.static = nn.Sequential(*steps)
        self._deltas = spec.deltas

    def forward(self, waves: Tensor) -> Tensor:
        return signal.deltas(self.static(waves), self._deltas)


class _Strongest(nn.Module):
    """Energies (..., classes, frames), divided by the strongest class of each frame."""

    def forward(self, energy: Tensor) -> Tensor:
        strongest = energy.amax(dim=-2, keepdim=True)
        silent = strongest < torch.finfo(strongest.dtype).tiny
        return energy / torch.where(silent, torch.ones_like(strongest), strongest)


class _Crossings(nn.Module):
    def __init__(self, spec: ZeroCrossingRate):
        super().__init__()
        self._lengths = {"frame_length": spec.frame_length, "hop_length": spec.hop_length}

    def forward(self, waves: Tensor) -> Tensor:
        return signal.zero_crossing_rate(waves, **self._lengths)


class _AudioSet(nn.Module):
    """The AudioSet MobileNets' front end; see `deepself.signal.audioset_mel`."""

    def __init__(self) -> None:
        super().__init__()
        window = torch.hann_window(audioset._WIN_LENGTH, periodic=False)
        self.steps = nn.Sequential(
            Power(audioset._N_FFT, signal.AUDIOSET_HOP_LENGTH, window, "reflect"),
            _Linear(audioset._filters()),
            _Logarithm(1e-5),
        )

    def forward(self, waves: Tensor) -> Tensor:
        emphasised = waves[..., 1:] - audioset._PRE_EMPHASIS * waves[..., :-1]
        return (self.steps(emphasised) + 4.5) / 5.0


def _panns() -> nn.Module:
    """The PANNs' front end; see `deepself.signal.panns_mel`."""
    n_fft = panns._N_FFT
    filters = mel_filters(float(signal.PANNS_SAMPLE_RATE), n_fft, *panns._BAND, "slaney")
    power = Power(n_fft, signal.PANNS_HOP_LENGTH, torch.hann_window(n_fft), "reflect")
    return nn.Sequential(power, _Linear(filters), _LogPower())


def _power(spec: FourierFeature) -> Power:
    window = torch.hann_window(spec.win_length or spec.n_fft)
    return Power(spec.n_fft, spec.hop_length, window, "constant")
