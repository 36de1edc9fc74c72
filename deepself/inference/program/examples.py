"""Recordings that a program is tried on: noise, and what looks like a recording."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from deepself.dataset.recordings import Recording
from deepself.inference.bundle import Bundle
from deepself.inference.program.inputs import ProgramInput
from deepself.inference.program.module import Program
from deepself.store.feature_writer import Batch
from deepself.study.dataset import ImageModality, SignalModality, VideoModality
from deepself.study.features import SignalFeature

WINDOWS = 2.5
"""Windows that make up a recording, where nothing fixes how long it is."""


class Examples:
    """Makes up inputs for a program of a bundle.

    Parameters
    ----------
    bundle, program
        The bundle, and the program made of it.
    """

    def __init__(self, bundle: Bundle, program: Program):
        self._bundle, self._program = bundle, program

    def batch(self, rows: int, seed: int) -> tuple[tuple[Tensor, ...], list[dict[str, Batch]]]:
        """Inputs of recordings that are made up, and the bundle's own features of each.

        They are noise and tones, or shades, by turns.
        """
        random = np.random.default_rng(seed)
        recordings = [self._recordings(random, number % 2 == 1) for number in range(rows)]
        made = [self._features(one) for one in recordings]
        inputs = [
            torch.from_numpy(
                np.stack([_given(one, r, b) for r, b in zip(recordings, made, strict=True)])
            )
            for one in self._program.inputs
        ]
        return tuple(inputs), made

    def _features(self, recordings: Mapping[str, Recording]) -> dict[str, Batch]:
        names = [one.of for one in self._program.inputs if one.kind != "recording"]
        return self._bundle.chain.make(
            list(dict.fromkeys([*self._bundle.features, *names])), recordings
        )

    def _recordings(self, random: np.random.Generator, regular: bool) -> dict[str, Recording]:
        made = {}
        for name, modality in self._bundle.spec.modalities.items():
            known = self._bundle.spec.known[name]
            if isinstance(modality, ImageModality | VideoModality):
                film = isinstance(modality, VideoModality)
                shape = (known.channels, *((known.samples or 1,) if film else ()))
                values = _picture(random, (*shape, modality.height, modality.width), regular)
                rate = modality.frame_rate if isinstance(modality, VideoModality) else None
            else:
                rate = modality.sample_rate
                values = _signal(random, self._signal_shape(name, modality, regular), regular)
            made[name] = Recording(values.astype(np.float32), rate, 0, "")
        return made

    def _signal_shape(self, name: str, modality: SignalModality, regular: bool) -> tuple[int, int]:
        """Channels and samples: those of tones are fewer where lengths may differ."""
        known = self._bundle.spec.known[name]
        windows = [
            spec.window
            for spec in self._bundle.spec.features.values()
            if isinstance(spec, SignalFeature) and spec.modality == name
        ]
        samples = known.samples
        if samples is None:  # then all features are of windows
            longest = max(window.seconds for window in windows if window)
            samples = round(WINDOWS * longest * modality.sample_rate)
        masked = modality.duration is not None and modality.duration.shorter == "mask"
        if masked and regular and not any(windows):  # windows of a batch must be as many for all
            samples //= 2
        return known.channels, samples


def _given(
    one: ProgramInput, recordings: Mapping[str, Recording], made: Mapping[str, Batch]
) -> np.ndarray:
    """What an input has of one recording."""
    if one.kind == "recording":
        return recordings[one.of].values
    batch = made[one.of]
    if one.kind == "lengths":
        assert batch.lengths is not None
        return np.asarray(batch.lengths[0], dtype=np.int64)
    return batch.items if one.windowed else batch.items[0]


def _signal(random: np.random.Generator, shape: tuple[int, ...], regular: bool) -> np.ndarray:
    """Noise, or tones that come and go over a little of it."""
    noise = random.standard_normal(shape)
    if not regular:
        return 0.1 * noise
    steps = np.arange(shape[1])
    tones = [np.sin(2 * np.pi * share * steps) for share in random.uniform(0.005, 0.3, 3)]
    swell = 1 - np.cos(2 * np.pi * steps / max(1, shape[1] - 1))
    return 0.15 * swell * sum(tones) + 0.003 * noise


def _picture(random: np.random.Generator, shape: tuple[int, ...], regular: bool) -> np.ndarray:
    """Noise, or smooth shades, within [0, 1]."""
    if not regular:
        return random.random(shape)
    down, across = np.linspace(0, 1, shape[-2])[:, None], np.linspace(0, 1, shape[-1])
    waves = np.sin(2 * np.pi * (random.uniform(0.5, 3) * down + random.uniform(0.5, 3) * across))
    return np.broadcast_to(0.5 + 0.4 * waves, shape)
