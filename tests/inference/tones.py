"""Sounds that a bundle is asked about."""

import numpy as np

from tests.tiny import RATE


def tone(seconds=0.25, rate=RATE, channels=1, hertz=400.0):
    time = np.arange(int(seconds * rate)) / rate
    noise = 0.1 * np.random.default_rng(1).standard_normal((channels, len(time)))
    return (0.4 * np.sin(2 * np.pi * hertz * time) + noise).astype(np.float32)
