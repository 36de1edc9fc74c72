"""What joined features ask of those that they join, as far as the study alone tells."""

from collections.abc import Iterator

from deepself.study.augmentation import PICTURE, VECTOR, sort_of
from deepself.study.explain import nearest
from deepself.study.features import Computed, Window, sources_of
from deepself.study.joined import AnyJoined, Joined
from deepself.study.schema import Study

WHAT = {
    "joined_waveforms": "waveforms",
    "joined_spectra": "spectral images",
    "joined_pictures": "pictures",
    "joined_films": "films",
}
"""What each kind joins; joined_vectors joins anything."""

WITHOUT_TIME = (PICTURE, VECTOR)
"""Sorts of items that may stand for a recording as a whole, beside windows of it."""


def join_problems(study: Study, name: str, spec: AnyJoined) -> Iterator[tuple[str, str]]:
    """Yield what a joined feature cannot be made of, with its key's path."""
    path = f"features.{name}.of"
    missing = [(i, of) for i, of in enumerate(spec.of) if of not in study.features]
    for i, of in missing:
        yield f"{path}.{i}", f"unknown feature {of!r}{nearest(of, list(study.features))}"
    if missing:
        return
    circle = _circle(study, name)
    if circle:
        yield path, f"a circle, {' of '.join(circle)}: a feature cannot be made of itself"
        return
    unfit = list(_kinds(study, path, spec))
    yield from unfit
    if not unfit:
        yield from _windows(study, path, spec)
        yield from _lengths(study, path, spec)


def window_of(study: Study, name: str, above: tuple[str, ...] = ()) -> Window | None:
    """The window by which recordings are cut for a feature, or for those that it is made from.

    `above` are features that are made from it: a circle of them has no window.
    """
    spec = study.features.get(name)
    if spec is None or name in above:
        return None
    if isinstance(spec, Computed):
        return getattr(spec, "window", None)
    found = (window_of(study, source, (*above, name)) for source in sources_of(spec))
    return next((window for window in found if window is not None), None)


def has_lengths(study: Study, name: str) -> bool:
    """Whether items of a feature keep their true lengths, because their modality is masked."""
    spec = study.features[name]
    if isinstance(spec, Computed):
        modality = study.dataset.modalities.get(spec.modality)
        duration = getattr(modality, "duration", None)
        masked = duration is not None and duration.shorter == "mask"
        return masked and getattr(spec, "window", None) is None
    # Pictures of spectral images, embeddings and vectors have one length.
    timed = isinstance(spec, Joined) and spec.time_axis is not None
    return timed and any(has_lengths(study, source) for source in sources_of(spec))


def _circle(study: Study, name: str) -> list[str]:
    """The way from a feature by what it is made from back to itself; empty if there is none."""
    ways, seen = [[name]], set[str]()
    while ways:
        way = ways.pop()
        spec = study.features.get(way[-1])
        for source in [] if spec is None else sources_of(spec):
            if source == name:
                return [*way, name]
            if source not in seen:
                seen.add(source)
                ways.append([*way, source])
    return []


def _kinds(study: Study, path: str, spec: AnyJoined) -> Iterator[tuple[str, str]]:
    wanted = sort_of(spec.kind)
    if wanted == VECTOR:
        return
    for i, of in enumerate(spec.of):
        kind = study.features[of].kind
        if sort_of(kind) != wanted:
            yield (
                f"{path}.{i}",
                f"{of} is of kind {kind}; {spec.kind} joins {WHAT[spec.kind]}: bring spectral "
                "images and pictures together by rendered and joined_pictures, anything by "
                "joined_vectors",
            )


def _windows(study: Study, path: str, spec: AnyJoined) -> Iterator[tuple[str, str]]:
    windows = {of: window_of(study, of) for of in spec.of}
    if sort_of(spec.kind) in WITHOUT_TIME:
        windows = {of: window for of, window in windows.items() if window is not None}
    (first, window), *others = windows.items() or [("", None)]
    for other, its in others:
        if its != window:
            yield (
                path,
                f"{first} has {_said(window)}, {other} has {_said(its)}; give both the same window",
            )


def _said(window: Window | None) -> str:
    if window is None:
        return "no windows"
    shown = f"{window.seconds:g} s, overlap {window.overlap:g}, rest {window.rest}"
    return f"windows of {shown}"


def _lengths(study: Study, path: str, spec: AnyJoined) -> Iterator[tuple[str, str]]:
    if sort_of(spec.kind) != VECTOR:
        return
    for i, of in enumerate(spec.of):
        if has_lengths(study, of):
            yield (
                f"{path}.{i}",
                f"{of} has true lengths (duration, shorter: mask), and a vector needs items of one "
                "length: fill them with another `shorter`, or join an embedding of them",
            )
