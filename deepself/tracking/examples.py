"""A recording that a bundle can read, though it is of nothing: the example in an MLflow model."""

import base64
import io
from collections.abc import Mapping
from typing import Any

import numpy as np

from deepself.inference.spec import BundleSpec, Known
from deepself.study.dataset import AnyModality, AudioModality, ImageModality, VideoModality

SHORT = 1.0
"""Seconds of a signal where any length will do."""

PULSES = 8
"""Samples from one change of the made signal to the next: it compresses well."""


def example(spec: BundleSpec) -> Any:
    """A table of one made-up recording, such as a request holds.

    Returns
    -------
    DataFrame
        A column a modality. Files are in base64, as in JSON.
    """
    import pandas as pd

    cells = {name: _cell(own, spec.known[name]) for name, own in spec.modalities.items()}
    return pd.DataFrame({name: pd.Series([cell], dtype=object) for name, cell in cells.items()})


def _cell(modality: AnyModality, known: Known) -> str | Mapping[str, Any]:
    if isinstance(modality, ImageModality):
        return _picture(known.channels)
    if isinstance(modality, VideoModality):
        frames = known.samples or round(SHORT * modality.frame_rate) or 1
        shape = (known.channels, frames, modality.height, modality.width)
        return {"array": np.zeros(shape).tolist()}
    rate = known.rates[0] if known.rates else modality.sample_rate
    shortest, longest = known.seconds or (SHORT, SHORT)
    samples = max(2, round(max(shortest, min(SHORT, longest)) * rate))
    wave = 0.1 * (-1.0) ** (np.arange(samples) // PULSES)
    channels = modality.channels
    if isinstance(channels, list) and any(isinstance(one, str) for one in channels):
        return _table([str(one) for one in channels], wave)
    count = max(map(int, channels)) + 1 if isinstance(channels, list) else known.channels
    signal = np.tile(wave, (count, 1))
    if isinstance(modality, AudioModality) and rate == round(rate) and count <= 8:
        return _sound(signal, round(rate))
    return {"array": signal.tolist(), "sample_rate": rate}


def _table(names: list[str], wave: np.ndarray) -> dict[str, Any]:
    """A sensor's file whose channels have names."""
    lines = [",".join(names), *(",".join([f"{value:.1f}"] * len(names)) for value in wave)]
    return {"file": _base64("\n".join(lines).encode()), "name": "example.csv"}


def _sound(signal: np.ndarray, rate: int) -> str:
    import soundfile

    file = io.BytesIO()
    soundfile.write(file, signal.T, rate, format="FLAC", subtype="PCM_16")
    return _base64(file.getvalue())


def _picture(channels: int) -> str:
    from PIL import Image

    file = io.BytesIO()
    Image.new("L" if channels == 1 else "RGB", (16, 16)).save(file, "PNG")
    return _base64(file.getvalue())


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()
