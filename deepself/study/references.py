"""What typed sections alone cannot see: names that point elsewhere, and limits set elsewhere."""

import os
import warnings
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase

from deepself.store.published import PUBLISHED, published
from deepself.study.dataset import AudioModality, SensorModality
from deepself.study.explain import nearest
from deepself.study.features import (
    SPECTRAL,
    AnySignalFeature,
    AudioSetMel,
    Embedding,
    Film,
    FrequencyRange,
    MadeFromRecordings,
    MelFeature,
    PANNsMel,
    Picture,
    Rendered,
    Scalogram,
    SignalFeature,
)
from deepself.study.limits import transform_samples
from deepself.study.schema import Study

Problem = tuple[str, str]  # key path, message

NETWORK_INPUT = {
    "cnn1d": {"waveform"},
    "cnn2d": {*SPECTRAL, "picture", "rendered"},
    "rnn": {"waveform", *SPECTRAL},
    "cnn_rnn": {"waveform", *SPECTRAL},
    "resnet18": {*SPECTRAL, "picture", "rendered"},
    "mn04_as": {"audioset_mel"},
}
"""Feature kinds that each network reads; networks not named read any."""

EMBEDDED = {"mn04_as": {"audioset_mel"}, "resnet18": {"picture", "rendered"}}
"""Feature kinds in the range that each network was trained on: an embedding is made once for all
folds, so nothing learnt on a training partition can bring others to it."""

COLORMAPS = ("grey", "viridis", "magma", "inferno", "plasma", "cividis", "jet")
"""Colour maps that need no look at matplotlib's own list, whose import takes a second."""

MADE_FROM = {Picture: "image", Film: "video"}
"""Kind of the modality that each feature is made from; others are made from signals."""


def problems(study: Study) -> Iterator[Problem]:
    """Yield every broken reference of a study, with its key's path."""
    of_features = list(_features(study))
    yield from of_features
    # What a model cannot read of a broken feature is no mistake of the model's.
    broken = {path.split(".")[1] for path, _ in of_features}
    yield from _models(study, broken)
    yield from _fusions(study)
    yield from _splits(study)


def unknown(word: str, name: str, known: Iterable[str]) -> str:
    """Say that a name is unknown, with the nearest known one."""
    return f"unknown {word} {name!r}{nearest(name, list(known))}"


def members(study: Study, patterns: list[str]) -> list[str]:
    """Names of the models that a fusion's patterns match, in the study's order."""
    return [m for m in study.models if any(fnmatchcase(m, p) for p in patterns)]


def _features(study: Study) -> Iterator[Problem]:
    for name, spec in study.features.items():
        path = f"features.{name}"
        if isinstance(spec, Embedding):
            yield from _embedding(study, path, spec)
        elif isinstance(spec, Rendered):
            yield from _rendered(study, path, spec)
        else:
            yield from _computed(study, path, spec)


def _computed(study: Study, path: str, spec: MadeFromRecordings) -> Iterator[Problem]:
    modality = study.dataset.modalities.get(spec.modality)
    if modality is None:
        yield f"{path}.modality", unknown("modality", spec.modality, study.dataset.modalities)
        return
    signal = modality.kind in ("audio", "sensor")
    if MADE_FROM.get(type(spec), modality.kind if signal else "signal") != modality.kind:
        yield (
            f"{path}.kind",
            f"{spec.kind} cannot be made from {spec.modality}, of kind {modality.kind}",
        )
    elif isinstance(spec, SignalFeature) and isinstance(modality, AudioModality | SensorModality):
        yield from _band_edges(path, spec, modality.sample_rate)
        yield from _lengths(path, spec, modality)
    if isinstance(spec, Scalogram):
        yield from _wavelet(f"{path}.wavelet", spec.wavelet)


def _lengths(
    path: str, spec: AnySignalFeature, modality: AudioModality | SensorModality
) -> Iterator[Problem]:
    """A transform must find room in the length that signals are brought to."""
    duration = None if modality.duration is None else modality.duration.seconds
    if spec.window is not None and isinstance(duration, float) and spec.window.seconds > duration:
        yield (
            f"{path}.window.seconds",
            f"{spec.window.seconds:g} s is more than {spec.modality}'s duration, {duration:g} s",
        )
    seconds = duration if spec.window is None else spec.window.seconds
    least = transform_samples(spec)
    if isinstance(seconds, float) and round(seconds * modality.sample_rate) < least:
        yield (
            path,
            f"{spec.kind} needs at least {least} samples, and {seconds:g} s at "
            f"{modality.sample_rate:g} Hz are {round(seconds * modality.sample_rate)}; "
            "make the signal longer, or n_fft or hop_length smaller",
        )


def _wavelet(path: str, name: str) -> Iterator[Problem]:
    import pywt

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # PyWavelets warns of a family without its parameters
            pywt.ContinuousWavelet(name)
    except (ValueError, FutureWarning):
        examples = ("cmor1.5-1.0", "shan1.5-1.0", "fbsp1-1.5-1.0")
        families = [wavelet for wavelet in examples if wavelet.startswith(name)]
        yield path, unknown("wavelet", name, families or pywt.wavelist(kind="continuous"))


def _rendered(study: Study, path: str, spec: Rendered) -> Iterator[Problem]:
    source = study.features.get(spec.of)
    if source is None:
        yield f"{path}.of", unknown("feature", spec.of, study.features)
    elif source.kind not in SPECTRAL:
        yield f"{path}.of", f"{spec.of} is of kind {source.kind}, which is no spectral image"
    if spec.colormap not in COLORMAPS:
        from matplotlib import colormaps

        if spec.colormap not in colormaps:
            yield f"{path}.colormap", unknown("colour map", spec.colormap, ["grey", *colormaps])


def _embedding(study: Study, path: str, spec: Embedding) -> Iterator[Problem]:
    source = study.features.get(spec.of)
    if source is None:
        yield f"{path}.of", unknown("feature", spec.of, study.features)
    elif source.kind not in EMBEDDED[spec.network]:
        yield f"{path}.of", _wrong_input(EMBEDDED, spec.network, spec.of, source.kind)
    yield from _weights(f"{path}.weights", spec.network, spec.weights)


def _band_edges(path: str, spec: AnySignalFeature, sample_rate: float) -> Iterator[Problem]:
    nyquist = sample_rate / 2
    edges: dict[str, float | None] = {}
    if spec.filter is not None:
        edges |= {"filter.low": spec.filter.low, "filter.high": spec.filter.high}
        edges |= {f"filter.notch.{i}": hertz for i, hertz in enumerate(spec.filter.notch)}
    if isinstance(spec, MelFeature):
        edges |= {"fmin": spec.fmin, "fmax": spec.fmax}
    if isinstance(spec, Scalogram):
        wanted = spec.frequencies
        if isinstance(wanted, FrequencyRange):
            edges["frequencies.high"] = wanted.high
        else:
            edges[f"frequencies.{len(wanted) - 1}"] = wanted[-1]
    for key, edge in edges.items():
        strict = key.startswith("filter")  # a filter's edge must lie below, a mel edge may touch
        if edge is not None and (edge >= nyquist if strict else edge > nyquist):
            yield (
                f"{path}.{key}",
                f"{edge:g} Hz must lie below {nyquist:g} Hz, half the sampling rate of "
                f"{spec.modality} ({sample_rate:g} Hz)",
            )
    if isinstance(spec, AudioSetMel | PANNsMel) and sample_rate != 32000:
        yield (
            f"{path}.modality",
            f"{spec.kind} needs a sample_rate of 32000, {spec.modality} has {sample_rate:g}",
        )


def _models(study: Study, broken: set[str]) -> Iterator[Problem]:
    for name, model in study.models.items():
        path = f"models.{name}"
        feature = study.features.get(model.feature)
        if feature is None:
            yield f"{path}.feature", unknown("feature", model.feature, study.features)
            continue
        if model.feature in broken:
            continue
        if model.normalise == "bin" and feature.kind not in SPECTRAL:
            yield f"{path}.normalise", f"{model.feature} has no bins: it is of kind {feature.kind}"
        if model.normalise == "item" and feature.kind == "embedding":
            yield f"{path}.normalise", f"{model.feature} is a vector; choose channel or none"
        if model.network is None:
            continue
        kind = model.network.type
        if feature.kind not in NETWORK_INPUT.get(kind, {feature.kind}):
            yield f"{path}.feature", _wrong_input(NETWORK_INPUT, kind, model.feature, feature.kind)
        if model.weights is not None:
            yield from _weights(f"{path}.network.weights", kind, model.weights)
            raw = kind == "mn04_as" or feature.kind in ("picture", "rendered")
            if raw and model.normalise not in (None, "none"):
                yield f"{path}.normalise", "must be none: the pretrained weights expect raw input"


def _wrong_input(inputs: dict[str, set[str]], network: str, feature: str, kind: str) -> str:
    accepted = ", ".join(sorted(inputs[network]))
    return f"{network} reads features of kind {accepted}; {feature} is of kind {kind}"


def _weights(path: str, network: str, weights: str) -> Iterator[Problem]:
    if published(network, weights) or os.path.isfile(weights):
        return
    name = PUBLISHED[network].name
    yield path, f"{weights!r} is neither {name!r} nor a file that exists"


def _fusions(study: Study) -> Iterator[Problem]:
    for name, fusion in study.fusions.items():
        path = f"fusions.{name}"
        if name in study.models:
            yield path, "a model has this name too; rename one of them"
        broken = False
        for i, pattern in enumerate(fusion.members):
            if not members(study, [pattern]):
                broken = True
                yield f"{path}.members.{i}", unknown("model", pattern, study.models)
        if not broken and len(members(study, fusion.members)) < 2:
            yield f"{path}.members", "a fusion needs at least two models"


def _splits(study: Study) -> Iterator[Problem]:
    group, method = study.dataset.group, study.splits.method
    if method == "grouped" and group is None:
        yield "dataset.group", "splits.method is grouped: name the manifest column of the groups"
    if method == "stratified" and group is not None:
        yield (
            "splits.method",
            f"stratified would spread groups ({group}) over partitions; use grouped",
        )
