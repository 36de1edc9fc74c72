"""The shape of a feature's items, known before any is made."""

from math import prod

import torch

from deepself import signal
from deepself.features.derive import CLASSES
from deepself.features.joining import Source, joined_shape
from deepself.features.layers import Layer
from deepself.features.prepare import target_samples
from deepself.features.transforms import axes, transform
from deepself.networks import build
from deepself.networks.summary import on_paper
from deepself.store.files import read_table
from deepself.study.dataset import (
    AnyModality,
    AudioModality,
    ImageModality,
    SensorModality,
    VideoModality,
    VisualModality,
)
from deepself.study.features import Computed, Embedding, Rendered, SignalFeature, Statistics
from deepself.study.joined import Joined
from deepself.study.layout import Layout
from deepself.study.schema import Study

Shape = tuple[int, ...]


def item_shape(study: Study, layout: Layout, name: str) -> Shape | None:
    """Shape of one item of a feature, without the axis of items.

    Parameters
    ----------
    study, layout
        The study, and where its inventory lies, if it has been taken.
    name
        The feature.

    Returns
    -------
    tuple of int or None
        None where it depends on recordings that have not been checked.

    Raises
    ------
    ValueError
        What the feature is made from does not suit it.
    """
    spec = study.features[name]
    if isinstance(spec, Computed):
        modality = study.dataset.modalities[spec.modality]
        return _computed(spec, modality, _rows(layout, spec.modality))
    if isinstance(spec, Joined):
        shapes = {of: item_shape(study, layout, of) for of in spec.of}
        known = [Source(of, s, _rate(study, of)) for of, s in shapes.items() if s is not None]
        return joined_shape(spec, known) if len(known) == len(shapes) else None
    source = item_shape(study, layout, spec.of)
    if source is None:
        return None
    if isinstance(spec, Rendered):
        picture = signal.render(
            torch.zeros(1, *source),
            value_range=(0.0, 1.0),
            colormap=spec.colormap,
            height=spec.height,
            width=spec.width,
            layout=spec.layout,
        )
        return tuple(picture.shape[1:])
    if isinstance(spec, Statistics):
        return (len(spec.statistics) * prod(source[:-1]),)
    return (_embedding_size(name, spec, source),)


def _rate(study: Study, name: str) -> float | None:
    """Samples or frames a second of a feature; None where it has no axis of time."""
    spec = study.features[name]
    if isinstance(spec, Joined):
        timed = spec.time_axis is not None
        return next(filter(None, (_rate(study, of) for of in spec.of)), None) if timed else None
    if not isinstance(spec, Computed):
        return None
    modality = study.dataset.modalities[spec.modality]
    if isinstance(spec, SignalFeature):
        assert isinstance(modality, AudioModality | SensorModality)
        return axes(spec, modality.sample_rate).frame_rate
    return getattr(modality, "frame_rate", None)


def _embedding_size(name: str, spec: Embedding, source: Shape) -> int:
    """Pass an item through the network, on paper: only its shape is known, and asked for."""
    network = on_paper(lambda: build(spec.network, source, classes=CLASSES)).eval()
    if spec.layer is None:
        return network.embedding_size
    device = next(network.parameters()).device
    try:
        layer = Layer(network, spec.layer, spec.pool, fresh=CLASSES)
        with torch.no_grad():
            return layer(torch.zeros(1, *source, device=device)).shape[1]
    except ValueError as error:
        raise ValueError(f"layer: {error}") from None


def _rows(layout: Layout, modality: str) -> list[dict[str, str]]:
    if not layout.inventory.exists():
        return []
    return [row for row in read_table(layout.inventory) if row["modality"] == modality]


def _computed(spec: Computed, modality: AnyModality, rows: list[dict[str, str]]) -> Shape | None:
    channels = _channels(modality, rows)
    if channels is None:
        return None
    if isinstance(modality, ImageModality):
        return channels, modality.height, modality.width
    samples = _samples(spec, modality, rows)
    if samples is None:
        return None
    if isinstance(modality, VideoModality):
        return channels, samples, modality.height, modality.width
    assert isinstance(spec, SignalFeature)
    silence = torch.zeros(1, channels, samples)
    return tuple(transform(spec, silence, modality.sample_rate).shape[1:])


def _channels(modality: AnyModality, rows: list[dict[str, str]]) -> int | None:
    if isinstance(modality, VisualModality):
        return 3 if modality.channels == "rgb" else 1
    if modality.channels in ("mix", "average"):
        return 1
    if isinstance(modality.channels, list):
        return len(modality.channels)
    return int(rows[0]["channels"]) if rows else None


def _samples(spec: Computed, modality: AnyModality, rows: list[dict[str, str]]) -> int | None:
    """Samples, or frames of a film, of what an item is made from."""
    window = getattr(spec, "window", None)
    if window is not None and isinstance(modality, AudioModality | SensorModality):
        return round(window.seconds * modality.sample_rate)
    duration = getattr(modality, "duration", None)
    if duration is not None and (rows or duration.seconds != "longest"):
        return target_samples(modality, rows)
    if not rows:
        return None
    if isinstance(modality, VideoModality):
        rate = modality.frame_rate
    else:
        assert isinstance(modality, AudioModality | SensorModality)
        rate = modality.sample_rate
    return int(float(rows[0]["samples"]) * rate / float(rows[0]["sample_rate"]) + 0.5)
