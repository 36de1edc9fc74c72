"""The demo's recordings: one digit an item, seen as a picture and heard as a telephone key.

The pictures are the handwritten digits that scikit-learn ships (8 x 8, from the UCI repository),
as a camera takes them in dim light: pale and grainy. The sounds are the dual tones of ITU-T
Recommendation Q.23, in pink and babble-like noise. Neither modality is enough alone: they fail on
different items, so that a fusion is clearly better than either.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from deepself.store.files import atomic_path, write_table

SAMPLE_RATE = 8000
DURATION = 0.5
ITEMS_PER_DIGIT = 40
SNR_DB = (-13.0, -2.0)
TONE_SECONDS = (0.08, 0.25)
CONTRAST, GRAIN = 0.8, 0.18

ROWS, COLUMNS = (697.0, 770.0, 852.0, 941.0), (1209.0, 1336.0, 1477.0)
KEYPAD = ("123", "456", "789", "*0#")
"""Keys of a telephone: the row gives the low tone, the column the high one (Q.23, figure 1)."""


def make_demo(folder: Path, seed: int = 1) -> int:
    """Write the demo data set: pictures as PNG, sounds as WAV, and a manifest.

    Parameters
    ----------
    folder
        The folder to write to.
    seed
        Governs which pictures are taken, and every sound.

    Returns
    -------
    int
        Number of items.
    """
    random = np.random.default_rng(seed)
    rows = []
    for digit in range(10):
        for number, picture in enumerate(_pictures(digit, random)):
            name = f"{digit}-{number:02d}"
            picture_file, audio_file = f"pictures/{name}.png", f"audio/{name}.wav"
            _write_png(folder / picture_file, picture)
            _write_wav(folder / audio_file, key_tone(str(digit), random))
            rows.append([name, picture_file, audio_file, digit])
    write_table(folder / "manifest.csv", ["id", "picture", "audio", "label"], rows)
    return len(rows)


def key_frequencies(key: str) -> tuple[float, float]:
    """Low and high frequency of a telephone key, in Hz."""
    for low, keys in zip(ROWS, KEYPAD, strict=True):
        if key in keys:
            return low, COLUMNS[keys.index(key)]
    raise ValueError(f"{key!r} is no telephone key")


def key_tone(key: str, random: np.random.Generator) -> np.ndarray:
    """A key's dual tone at random level, phase, duration and place in noise.

    Returns
    -------
    ndarray
        float32, shape (samples,), peak below 1.
    """
    samples = round(DURATION * SAMPLE_RATE)
    length = round(random.uniform(*TONE_SECONDS) * SAMPLE_RATE)
    start = random.integers(0, samples - length)
    time = np.arange(length) / SAMPLE_RATE
    phases = random.uniform(0, 2 * np.pi, 2)
    pair = zip(key_frequencies(key), phases, strict=True)
    tone = sum(np.sin(2 * np.pi * frequency * time + phase) for frequency, phase in pair)
    ramp = np.minimum(1, np.minimum(time, time[::-1]) / 0.005)  # 5 ms: no click at the edges
    noise = _pink(samples, random) + random.uniform(0.3, 1.0) * _babble(samples, random)
    noise /= noise.std()
    level = 10 ** (random.uniform(*SNR_DB) / 20)  # relative to noise over the whole band
    noise[start : start + length] += np.sqrt(2) * level * np.asarray(tone) * ramp
    return (random.uniform(0.2, 0.9) * noise / np.abs(noise).max()).astype(np.float32)


def _pictures(digit: int, random: np.random.Generator) -> Iterator[np.ndarray]:
    from sklearn.datasets import load_digits

    digits = load_digits()
    of_digit = digits.images[digits.target == digit]
    for index in random.choice(len(of_digit), ITEMS_PER_DIGIT, replace=False):
        ink = of_digit[index] / 16
        pale = 0.5 + CONTRAST * (ink - 0.5) + random.normal(0, GRAIN, ink.shape)
        yield np.round(255 * np.clip(pale, 0, 1)).astype(np.uint8)


def _pink(samples: int, random: np.random.Generator) -> np.ndarray:
    """Noise whose power falls as 1/f, with unit deviation."""
    spectrum = np.fft.rfft(random.standard_normal(samples))
    frequency = np.maximum(np.fft.rfftfreq(samples, 1 / SAMPLE_RATE), 50.0)
    noise = np.fft.irfft(spectrum / np.sqrt(frequency), samples)
    return noise / noise.std()


def _babble(samples: int, random: np.random.Generator, voices: int = 6) -> np.ndarray:
    """Several harmonic voices that come and go at the rate of syllables, with unit deviation."""
    time = np.arange(samples) / SAMPLE_RATE
    babble = np.zeros(samples)
    for _ in range(voices):
        pitch = random.uniform(90, 250)
        formants = random.uniform((300, 900, 2000), (900, 1800, 3200))
        harmonics = np.arange(1, int(3400 / pitch) + 1) * pitch
        gains = np.exp(-(((harmonics[:, None] - formants) / 150) ** 2)).sum(axis=1)
        phases = random.uniform(0, 2 * np.pi, len(harmonics))
        vibrato = 0.02 * pitch / 5 * np.sin(2 * np.pi * 5 * time + random.uniform(0, 2 * np.pi))
        angle = 2 * np.pi * harmonics[:, None] * time + harmonics[:, None] / pitch * vibrato
        voice = gains @ np.sin(angle + phases[:, None])
        syllables = 1 + np.sin(2 * np.pi * random.uniform(3, 7) * time + random.uniform(0, 6.3))
        babble += voice * syllables / max(voice.std(), 1e-9)
    return babble / babble.std()


def _write_png(path: Path, picture: np.ndarray) -> None:
    from PIL import Image

    with atomic_path(path) as temporary:
        Image.fromarray(picture).save(temporary, format="PNG")


def _write_wav(path: Path, signal: np.ndarray) -> None:
    import soundfile

    with atomic_path(path) as temporary:
        soundfile.write(temporary, signal, SAMPLE_RATE, subtype="PCM_16", format="WAV")
