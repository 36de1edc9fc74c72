"""What every reader gives, and how it says that it cannot."""

from dataclasses import dataclass

import numpy as np


class ReadError(Exception):
    """A recording cannot be read; the message says why, not which."""


@dataclass(frozen=True)
class Decoded:
    """A file's content.

    Attributes
    ----------
    values
        float32: signal (channels, samples), picture (channels, height, width) or film (channels,
        frames, height, width).
    sample_rate
        In Hz, where the file names one (a film's is the modality's frame rate); else None.
    names
        The channels', where the file names them; else ().
    """

    values: np.ndarray
    sample_rate: float | None = None
    names: tuple[str, ...] = ()
