"""What typed sections alone cannot see: names that point elsewhere, and limits set elsewhere."""

import warnings
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase

from deepself.study.augmentation import (
    PICTURE,
    PLURALS,
    VECTOR,
    CutMix,
    RandAugment,
    RandomCrop,
    sort_of,
)
from deepself.study.dataset import AudioModality, SensorModality
from deepself.study.explain import nearest
from deepself.study.features import (
    PICTURES,
    SPECTRAL,
    WAVEFORMS,
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
    Statistics,
)
from deepself.study.fusions import Best
from deepself.study.inputs import embedded, network_input, weights_problem, wrong_input
from deepself.study.joined import Joined, JoinedPictures
from deepself.study.joined_references import join_problems, window_of
from deepself.study.limits import transform_samples
from deepself.study.models import Model
from deepself.study.networks import TYPES, Branch, Branches, PictureNetwork, class_of
from deepself.study.pooling import fusion_problems
from deepself.study.schema import Study

Problem = tuple[str, str]  # key path, message

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


def members(study: Study, named: list[str] | Best) -> list[str]:
    """Names of the models that a fusion's patterns match, in the study's order.

    Of a fusion of the best members these are all that it chooses from.
    """
    patterns = named.of if isinstance(named, Best) else named
    return [m for m in study.models if any(fnmatchcase(m, p) for p in patterns)]


def _features(study: Study) -> Iterator[Problem]:
    for name, spec in study.features.items():
        path = f"features.{name}"
        if isinstance(spec, Embedding):
            yield from _embedding(study, path, spec)
        elif isinstance(spec, Rendered):
            yield from _rendered(study, path, spec)
        elif isinstance(spec, Statistics):
            kinds, otherwise = (*SPECTRAL, *WAVEFORMS), "neither a spectral image nor a waveform"
            yield from _made_of(study, path, spec.of, kinds, otherwise)
        elif isinstance(spec, Joined):
            yield from join_problems(study, name, spec)
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


def _made_of(
    study: Study, path: str, of: str, kinds: Iterable[str], otherwise: str
) -> Iterator[Problem]:
    """What is wrong of the feature that another is made from: it is unknown, or of a wrong kind."""
    source = study.features.get(of)
    if source is None:
        yield f"{path}.of", unknown("feature", of, study.features)
    elif source.kind not in kinds:
        yield f"{path}.of", f"{of} is of kind {source.kind}, which is {otherwise}"


def _rendered(study: Study, path: str, spec: Rendered) -> Iterator[Problem]:
    yield from _made_of(study, path, spec.of, SPECTRAL, "no spectral image")
    if spec.colormap not in COLORMAPS:
        from matplotlib import colormaps

        if spec.colormap not in colormaps:
            yield f"{path}.colormap", unknown("colour map", spec.colormap, ["grey", *colormaps])


def _embedding(study: Study, path: str, spec: Embedding) -> Iterator[Problem]:
    source = study.features.get(spec.of)
    if source is None:
        yield f"{path}.of", unknown("feature", spec.of, study.features)
    elif class_of(spec.network) is None:
        yield f"{path}.network", unknown("network", spec.network, [*TYPES, "timm/…"])
        return
    elif source.kind not in embedded(spec.network):
        yield f"{path}.of", wrong_input(spec.network, embedded(spec.network), spec.of, source.kind)
    if spec.weights == "none":
        yield f"{path}.weights", "an embedding needs pretrained weights"
    else:
        yield from weights_problem(f"{path}.weights", spec.network, spec.weights)


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
        said = list(_model(study, name, model, broken))
        for variant in model.variants():
            said += [one for one in _model(study, name, variant, broken) if one not in said]
        yield from said


def _model(study: Study, name: str, model: Model, broken: set[str]) -> Iterator[Problem]:
    path = f"models.{name}"
    fine_tuning = model.training.fine_tuning
    started = [p for p in model.inputs.values() if _is_pretrained(p)]
    if fine_tuning is not None and not started:
        yield f"{path}.training.fine_tuning", "is for pretrained weights; the network has none"
    if fine_tuning is not None and fine_tuning.train != "all":
        for branch, part in model.inputs.items():
            if started and not _is_pretrained(part):
                yield (
                    f"{path}.training.fine_tuning.train",
                    f"must be all: branch {branch} would be frozen at random weights",
                )
    for branch, part in model.inputs.items():
        own = f"{path}.network.branches.{branch}" if branch else path
        yield from _input(study, own, part, broken)
        if isinstance(part, Branch):
            yield from _initialise(study, own, name, part)
    yield from _augmentation(study, path, model, broken)
    if isinstance(model.network, Branches):
        windowed = [f for f in model.features if window_of(study, f) is not None]
        if windowed:
            yield (
                f"{path}.network",
                f"branches read whole recordings; {windowed[0]} has windows",
            )


def _augmentation(study: Study, path: str, model: Model, broken: set[str]) -> Iterator[Problem]:
    """Each change must suit an input; the sort of what is unknown or broken is not judged."""
    if any(f not in study.features or f in broken for f in model.features):
        return
    kinds = {f: study.features[f].kind for f in model.features}
    pictures = [p for p in model.inputs.values() if sort_of(kinds[p.feature or ""]) == PICTURE]
    for i, change in enumerate(model.training.augmentation):
        own = f"{path}.training.augmentation.{i}"
        if not any(sort_of(kind) in change.sorts for kind in kinds.values()):
            wanted = ", ".join(name for sort, name in PLURALS.items() if sort in change.sorts)
            given = " and ".join(f"{f} is of kind {kind}" for f, kind in kinds.items())
            yield own, f"{change.type} is for {wanted}; {given}"
        elif isinstance(change, CutMix | RandomCrop) and isinstance(model.network, Branches):
            yield own, f"{change.type} is for networks of one feature; remove it"
        elif isinstance(change, RandAugment):
            for picture in pictures:
                spec = study.features[picture.feature or ""]
                if isinstance(spec, JoinedPictures) and spec.along == "channels":
                    yield (
                        own,
                        f"rand_augment is for grey or colour pictures; {picture.feature} has "
                        "several as channels: choose flip and affine, or join along height",
                    )
                if study.normalisation(picture) == "item":
                    yield (
                        own,
                        f"rand_augment cannot undo normalise: item of {picture.feature}; "
                        "choose channel or none",
                    )


def _is_pretrained(part: Model | Branch) -> bool:
    weights = getattr(part.network, "weights", None)
    return weights is not None or getattr(part, "initialise", None) is not None


def _input(study: Study, path: str, part: Model | Branch, broken: set[str]) -> Iterator[Problem]:
    """One feature, and the network that reads it."""
    assert part.feature is not None
    feature = study.features.get(part.feature)
    if feature is None:
        yield f"{path}.feature", unknown("feature", part.feature, study.features)
        return
    if part.feature in broken:
        return
    if part.normalise == "bin" and feature.kind not in SPECTRAL:
        yield f"{path}.normalise", f"{part.feature} has no bins: it is of kind {feature.kind}"
    if part.normalise == "item" and sort_of(feature.kind) == VECTOR:
        yield f"{path}.normalise", f"{part.feature} is a vector; choose channel or none"
    network = part.network
    if network is None or isinstance(network, Branches):
        return
    accepted = network_input(network.type)
    if accepted is not None and feature.kind not in accepted:
        yield f"{path}.feature", wrong_input(network.type, accepted, part.feature, feature.kind)
    weights: str | None = getattr(network, "weights", None)
    if weights is not None:
        yield from weights_problem(f"{path}.network.weights", network.type, weights)
        raw = not isinstance(network, PictureNetwork) or feature.kind in PICTURES
        if raw and part.normalise not in (None, "none"):
            yield f"{path}.normalise", "must be none: the pretrained weights expect raw input"


def _initialise(study: Study, path: str, own: str, branch: Branch) -> Iterator[Problem]:
    """A branch takes over what an equal model has learnt."""
    if branch.initialise is None:
        return
    model = study.models.get(branch.initialise)
    if model is None:
        yield f"{path}.initialise", unknown("model", branch.initialise, study.models)
    elif branch.initialise == own:
        yield f"{path}.initialise", "a model cannot start from itself"
    elif model.search is not None:
        yield f"{path}.initialise", f"{branch.initialise} is searched: its network is not known yet"
    elif model.feature != branch.feature:
        reads = " and ".join(model.features)
        yield f"{path}.initialise", f"{branch.initialise} reads {reads}, not {branch.feature}"
    elif model.network != branch.network:
        yield f"{path}.initialise", f"the branch's network must repeat that of {branch.initialise}"
    elif study.normalisation(model) != study.normalisation(branch):
        yield f"{path}.normalise", f"must be that of {branch.initialise}"


def _fusions(study: Study) -> Iterator[Problem]:
    for name, fusion in study.fusions.items():
        path = f"fusions.{name}"
        if name in study.models:
            yield path, "a model has this name too; rename one of them"
        place = f"{path}.members.of" if isinstance(fusion.members, Best) else f"{path}.members"
        broken = False
        for i, pattern in enumerate(fusion.patterns):
            if not members(study, [pattern]):
                broken = True
                yield f"{place}.{i}", unknown("model", pattern, study.models)
        if not broken:
            yield from fusion_problems(study, path, fusion, members(study, fusion.members))


def _splits(study: Study) -> Iterator[Problem]:
    group, method = study.dataset.group, study.splits.method
    if method == "grouped" and group is None:
        yield "dataset.group", "splits.method is grouped: name the manifest column of the groups"
    if method == "stratified" and group is not None:
        yield (
            "splits.method",
            f"stratified would spread groups ({group}) over partitions; use grouped",
        )
