"""What a study's features ask of the recordings, in samples: known before any is read."""

from deepself.study.dataset import ImageModality, SignalModality
from deepself.study.features import (
    MFCC,
    AudioSetMel,
    Chroma,
    Computed,
    Filter,
    LogMel,
    PANNsMel,
    SignalFeature,
    Spectrogram,
)
from deepself.study.schema import Study

REFLECTED = 513
"""Samples that a front end of n_fft 1024 with reflected edges needs."""

DELTA_FRAMES = 9
"""Frames over which differences in time are taken."""


def filter_samples(spec: Filter | None) -> int:
    """Least samples of a signal that a filter can run on.

    A zero-phase filter mirrors three times its length at each end, as scipy.signal.sosfiltfilt
    does, and needs one sample more.
    """
    if spec is None or not spec.zero_phase:
        return 1
    band = spec.order * (2 if spec.low is not None and spec.high is not None else 1)
    longest = max(band if spec.low is not None or spec.high is not None else 0, 2 * len(spec.notch))
    return 3 * (longest + 1) + 1


def transform_samples(spec: Computed) -> int:
    """Least samples of a signal that a feature can be made of, once it is cut or filled."""
    match spec:
        case PANNsMel():
            return REFLECTED
        case AudioSetMel():
            return REFLECTED + 1  # pre-emphasis takes one
        case LogMel() | MFCC() if spec.deltas:
            # The first frame is centred on the first sample, up to half a sample of an odd n_fft.
            frames = (DELTA_FRAMES - 1) * spec.hop_length + spec.n_fft % 2
            return max(spec.n_fft, frames)
        case Spectrogram() | LogMel() | MFCC() | Chroma():
            return spec.n_fft
    return 1


def features_of(study: Study, modality: str) -> dict[str, Computed]:
    """The features that are made from a modality."""
    return {
        name: spec
        for name, spec in study.features.items()
        if isinstance(spec, Computed) and spec.modality == modality
    }


def needs_one_length(study: Study, modality: str) -> bool:
    """Whether recordings that differ in length are refused: nothing brings them to one."""
    spec = study.dataset.modalities[modality]
    if isinstance(spec, ImageModality) or spec.duration is not None:
        return False
    windows = [getattr(f, "window", None) for f in features_of(study, modality).values()]
    return not windows or None in windows


def least_seconds(study: Study, modality: str) -> dict[str, float]:
    """The shortest recording that each feature of a modality can be made from, in seconds."""
    spec = study.dataset.modalities[modality]
    if not isinstance(spec, SignalModality):
        return {}
    return {
        name: _least_samples(spec, feature) / spec.sample_rate
        for name, feature in features_of(study, modality).items()
        if isinstance(feature, SignalFeature)
    }


def _least_samples(spec: SignalModality, feature: SignalFeature) -> float:
    least: float = filter_samples(feature.filter)
    if spec.duration is not None and spec.duration.shorter not in ("mask", "error"):
        return least  # it is filled up, once it is filtered
    if feature.window is None:
        return max(least, transform_samples(feature))
    if feature.window.rest == "zero":
        return least
    return max(least, round(feature.window.seconds * spec.sample_rate))
