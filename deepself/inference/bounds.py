"""What a bundle may ask of the machine that opens it.

A bundle may come from anywhere. That its numbers are of the right types and its files as they were
written says nothing of how much memory and time they ask for; and where one number has changed, it
no longer fits the others.
"""

import math
from collections.abc import Iterator

from deepself.features.transforms import frames
from deepself.inference.spec import BundleSpec, Known, Shape
from deepself.networks.registry import NETWORKS
from deepself.study.dataset import (
    AnyModality,
    ImageModality,
    SignalModality,
    VideoModality,
    VisualModality,
)
from deepself.study.features import (
    MFCC,
    AudioSetMel,
    Chroma,
    Computed,
    Embedding,
    Film,
    FourierFeature,
    LogMel,
    PANNsMel,
    Picture,
    Rendered,
    Scalogram,
    SignalFeature,
    Spectrogram,
    Statistics,
    Waveform,
    ZeroCrossingRate,
)
from deepself.study.networks import Branches, class_of

ITEM = 2**28
"""Numbers that an item of a feature, or a recording, may have: 1 GiB."""

BANK = 2**23
"""Numbers of a matrix of filters: each frequency of a transform by each of its rows."""

PIXELS = 2**26
"""Of a picture, of all its channels."""

ORDER, CROPS = 100, 1024
"""Most of a filter's order, and of an item's parts."""

PERIOD = 2**20
"""Most samples of the longest wave of a scalogram."""


def require_bounded(spec: BundleSpec) -> None:
    """Refuse a specification whose numbers do not fit one another, or fit no machine.

    Raises
    ------
    ValueError
        The message names the key.
    """
    for name, shape in spec.shapes.items():
        if math.prod(shape) > ITEM:
            raise ValueError(f"shapes.{name}: {list(shape)} is larger than any item")
    for name in spec.modalities:
        if name not in spec.known:
            raise ValueError(f"known.{name}: is missing")
        _require_length(name, spec.modalities[name], spec.known[name])
    for name in spec.features:
        _require_no_circle(spec, name)
        _require_shape(spec, name)
    for name, run in spec.runs.items():
        if run.training.crops > CROPS:
            raise ValueError(f"runs.{name}.training.crops: {run.training.crops} is too many")
        branches = run.network.branches if isinstance(run.network, Branches) else {"": None}
        if set(run.inputs) != set(branches):
            raise ValueError(f"runs.{name}.inputs: are not those that it reads")
        for branch, one in run.inputs.items():
            if one.shape != spec.shapes[one.feature]:
                raise ValueError(f"runs.{name}.inputs.{branch}.shape: differs from its feature's")
            if one.kind != spec.features[one.feature].kind:
                raise ValueError(f"runs.{name}.inputs.{branch}.kind: differs from its feature's")
    for name, own in spec.embedders.items():
        if own.network not in NETWORKS and not own.network.startswith("timm/"):
            raise ValueError(f"embedders.{name}: unknown network {own.network!r}")
        settings = class_of(own.network)
        if settings is None:
            raise ValueError(f"embedders.{name}: unknown network {own.network!r}")
        settings.model_validate({"type": own.network, **own.settings})


def _require_length(name: str, modality: AnyModality, known: Known) -> None:
    """The length to which recordings are brought is what the modality says."""
    if isinstance(modality, VisualModality):
        if modality.height * modality.width > PIXELS:
            raise ValueError(f"modalities.{name}: its height and width are too large")
        if known.channels != (3 if modality.channels == "rgb" else 1):
            raise ValueError(f"known.{name}.channels: differs from modalities.{name}")
    if isinstance(modality, ImageModality):
        return
    rate = modality.frame_rate if isinstance(modality, VideoModality) else modality.sample_rate
    duration, samples = modality.duration, known.samples
    if duration is None or samples is None:
        if duration is not None or samples is not None:
            raise ValueError(f"known.{name}.samples: goes with modalities.{name}.duration")
        return
    seconds = duration.seconds
    if seconds == "longest":
        seconds = known.seconds[1] if known.seconds is not None else samples / rate
    wanted = seconds * rate
    if samples > ITEM or abs(samples - wanted) > 1 + 1e-6 * wanted:
        raise ValueError(f"known.{name}.samples: {samples} is not modalities.{name}.duration")


def _require_no_circle(spec: BundleSpec, name: str) -> None:
    seen, waiting = set[str](), [name]
    while waiting:
        for of in spec.sources(waiting.pop()):
            if of == name:
                raise ValueError(f"features.{name}.of: it is made from itself")
            if of not in seen:
                seen.add(of)
                waiting.append(of)


def _require_shape(spec: BundleSpec, name: str) -> None:
    """An item has the shape that its settings give, and making it takes no more."""
    feature, shape = spec.features[name], spec.shapes[name]
    if isinstance(feature, Computed):
        modality, known = spec.modalities[feature.modality], spec.known[feature.modality]
        suits = {SignalFeature: SignalModality, Picture: ImageModality, Film: VideoModality}
        if not any(
            isinstance(feature, kind) and isinstance(modality, of) for kind, of in suits.items()
        ):
            raise ValueError(
                f"features.{name}.modality: {feature.modality} is of kind {modality.kind}"
            )
        wanted = _computed(name, feature, modality, known)
        if wanted is not None and shape != wanted:
            raise ValueError(f"shapes.{name}: is {list(shape)}, its settings make {list(wanted)}")
    elif isinstance(feature, Rendered):
        if shape[1:] != (feature.height, feature.width):
            raise ValueError(f"shapes.{name}: is {list(shape)}, its settings make another")
    elif isinstance(feature, Statistics):
        values = len(feature.statistics) * math.prod(spec.shapes[feature.of][:-1])
        if shape != (values,):
            raise ValueError(f"shapes.{name}: is {list(shape)}, its settings make [{values}]")
    elif isinstance(feature, Embedding) and len(shape) != 1:
        raise ValueError(f"shapes.{name}: is {list(shape)}, an embedding is a vector")


def _computed(name: str, feature: Computed, modality: AnyModality, known: Known) -> Shape | None:
    """Shape of an item; None where the recordings have different lengths."""
    if isinstance(modality, ImageModality):
        return known.channels, modality.height, modality.width
    if isinstance(modality, VideoModality):
        if known.samples is None:
            return None
        return known.channels, known.samples, modality.height, modality.width
    assert isinstance(feature, SignalFeature)
    samples = known.samples
    if feature.window is not None:
        length = feature.window.seconds * modality.sample_rate
        if not 0.5 <= length <= ITEM:
            raise ValueError(f"features.{name}.window: {length:g} samples are no window")
        samples = round(length)
    for place, value, most in _demands(feature, modality.sample_rate, samples):
        if value > most:
            raise ValueError(f"features.{name}.{place}: {value:g} is too much")
    if samples is None:
        return None
    rows = _rows(feature)
    channels = known.channels * (1 + getattr(feature, "deltas", 0))
    return (channels, *rows, frames(feature, samples))


def _demands(
    feature: SignalFeature, rate: float, samples: int | None
) -> Iterator[tuple[str, float, float]]:
    """What settings ask for, and how much of it there may be."""
    if feature.filter is not None:
        yield "filter.order", feature.filter.order, ORDER
    if isinstance(feature, FourierFeature):
        yield "n_fft", feature.n_fft, BANK if samples is None else samples
        yield "hop_length", feature.hop_length, ITEM
    if isinstance(feature, LogMel | MFCC):
        yield "n_mels", feature.n_mels * feature.n_fft, BANK
    if isinstance(feature, Chroma):
        yield "n_chroma", feature.n_chroma * feature.n_fft, BANK
    if isinstance(feature, ZeroCrossingRate):
        yield "frame_length", feature.frame_length, ITEM
        yield "hop_length", feature.hop_length, ITEM
    if isinstance(feature, Scalogram):
        lowest = feature.frequencies
        low = lowest[0] if isinstance(lowest, list) else lowest.low
        yield "frequencies", rate / low, PERIOD
        yield "hop_length", feature.hop_length, ITEM


def _rows(feature: SignalFeature) -> tuple[int, ...]:
    """How many rows an item has; none of a waveform."""
    match feature:
        case Waveform():
            return ()
        case Spectrogram():
            return (1 + feature.n_fft // 2,)
        case MFCC():
            return (feature.n_mfcc,)
        case LogMel():
            return (feature.n_mels,)
        case Chroma():
            return (feature.n_chroma,)
        case ZeroCrossingRate():
            return (1,)
        case AudioSetMel():
            return (128,)
        case PANNsMel():
            return (64,)
        case Scalogram():
            wanted = feature.frequencies
            return (len(wanted) if isinstance(wanted, list) else wanted.count,)
    raise TypeError(f"{type(feature).__name__} is not a feature of a signal")
