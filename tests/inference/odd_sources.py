"""Sources that no recording is made of, or hardly one, drawn from a seed."""

import random
from pathlib import Path
from typing import Any

import numpy as np

from deepself.inference.opening import Given

RATES: tuple[Any, ...] = (
    *(None, 2000, 200, 1999.5, 1, 1e-9, 1e-300, 1e9, 1e300, 0, -1, -2000.0),
    *(np.nan, np.inf, -np.inf, "2000", [2000], np.float32(2000), np.array([1, 2]), True, 10**400),
)
KINDS = (
    *(np.float64, np.float32, np.float16, np.longdouble, np.int8, np.int16, np.int64, np.uint8),
    *(np.uint16, np.bool_, np.complex64, object, "U8", "S8", "datetime64[s]"),
)
SHAPES = (
    *((), (0,), (1,), (2,), (500,), (1, 500), (500, 1), (2, 40), (40, 2), (3, 40), (0, 500)),
    *((500, 0), (2, 2, 40), (1, 8, 6), (3, 8, 6), (8, 6, 3), (8, 6), (1, 1), (1, 0, 0), (1,) * 5),
    *((20_000,), (1, 1000, 1000)),
)
VALUES = (0.0, 1.0, -1.0, np.nan, np.inf, 1e-300, 1e30, 1e300, 300)
NONE = (None, 1.5, True, [1.0, 2.0], "no/such/file.wav", "", "\x00", Path(), object())


def odd_source(files: dict[str, Path], seed: int) -> tuple[Any, Any]:
    """A source for each of a bundle's modalities, or something else, and a rate."""
    draw = random.Random(seed)
    rate = _rate(draw)
    if draw.random() < 0.1:
        return draw.choice(
            (
                None,
                3,
                "no/such/file.wav",
                "",
                "\x00",
                b"",
                [],
                {},
                {"audio": b"x", "odd": 1},
                Path(),
            )
        ), rate
    given: dict[str, Any] = dict(files)
    for name in draw.sample(list(files), draw.choice((1, 1, 1, 2, 3))):
        given[name] = _one(files[name], draw)
    return given, rate


def _rate(draw: random.Random) -> Any:
    """Most of them right: else nothing else would be looked at."""
    return draw.choice(RATES) if draw.random() < 0.3 else draw.choice((None, 2000, 200))


def _one(file: Path, draw: random.Random) -> Any:
    how = draw.choice((_bytes, _array, _array, _named, _strange))
    return how(file, draw)


def _bytes(file: Path, draw: random.Random) -> bytes:
    content = bytearray(file.read_bytes())
    how = draw.choice(("whole", "flip", "flip", "head", "cut", "noise", "twice"))
    if how == "flip":
        for _ in range(draw.choice((1, 4, 100))):
            content[draw.randrange(len(content))] = draw.randrange(256)
    elif how == "head":  # where formats say how much follows
        content[draw.randrange(min(64, len(content)))] = draw.choice((0, 127, 128, 255))
    elif how == "cut":
        del content[draw.randrange(len(content)) :]
    elif how == "noise":
        return draw.randbytes(draw.choice((1, 44, 1000)))
    elif how == "twice":
        content = content + content
    return bytes(content)


def _array(file: Path, draw: random.Random) -> np.ndarray:
    values = np.random.default_rng(draw.randrange(2**32)).standard_normal(draw.choice(SHAPES))
    if values.size and draw.random() < 0.5:
        values.flat[draw.randrange(values.size)] = draw.choice(VALUES)
    elif draw.random() < 0.3:
        values = np.full(values.shape, draw.choice(VALUES))
    with np.errstate(all="ignore"):
        if values.size and draw.random() < 0.5:  # a picture lies in [0, 1]
            values = np.abs(values) / np.abs(values).max()
        if draw.random() < 0.5:
            return values
        kind = draw.choice(KINDS)
        if kind == "datetime64[s]":
            return np.nan_to_num(values).clip(-1e9, 1e9).astype(np.int64).astype(kind)
        return values.astype(kind)


def _named(file: Path, draw: random.Random) -> Given:
    suffixes = (".wav", ".csv", ".txt", ".npy", ".npz", ".mat", ".h5", ".parquet", ".edf", ".hea")
    name = draw.choice((None, "x", "", "../x.csv", file.name, *("x" + s for s in suffixes)))
    source = _bytes(file, draw) if draw.random() < 0.8 else _array(file, draw)
    return Given(source, _rate(draw), name)


def _strange(file: Path, draw: random.Random) -> Any:
    return draw.choice((*NONE, str(file.parent), {"a": b""}))
