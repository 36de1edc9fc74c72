"""Ways to damage a bundle, drawn from a seed."""

import json
import math
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file

from deepself.inference.card import CARD
from deepself.inference.folder import DIGEST, SPECIFICATION, _digest
from deepself.store.checksums import file_digest

HUGE = (10**6, 10**9, 10**12, 2**31 - 1, 2**63)
STRANGE: tuple[Any, ...] = (
    *(0, 1, -1, 2, 0.5, -1e-9, 1e-300, 1e9, 1e300, math.nan, math.inf, -math.inf),
    *(None, True, False, "", "x", "\x00", "../../etc/passwd", "ü" * 300, [], {}, [[]], [None]),
)


def damaged(whole: Path, folder: Path, seed: int) -> str:
    """Write a damaged copy of a bundle; return how it was damaged."""
    draw = random.Random(seed)
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(whole, folder)
    way = WAYS[seed % len(WAYS)]
    return f"{way.__name__} {way(folder, draw)}"


def flip(folder: Path, draw: random.Random) -> str:
    path = _file(folder, draw)
    content = bytearray(path.read_bytes())
    for _ in range(draw.choice((1, 1, 8, 100))):
        content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
    path.write_bytes(content)
    return path.name


def cut(folder: Path, draw: random.Random) -> str:
    path = _file(folder, draw)
    content = path.read_bytes()
    path.write_bytes(content[: draw.choice((0, 1, 7, 8, draw.randrange(len(content))))])
    return path.name


def lengthen(folder: Path, draw: random.Random) -> str:
    path = _file(folder, draw)
    path.write_bytes(path.read_bytes() + draw.randbytes(draw.choice((1, 100))))
    return path.name


def swap(folder: Path, draw: random.Random) -> str:
    one, other = draw.sample(_files(folder), 2)
    first = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(first)
    return f"{one.name} {other.name}"


def remove(folder: Path, draw: random.Random) -> str:
    path = _file(folder, draw)
    path.unlink()
    if draw.random() < 0.3:
        path.mkdir()
    return path.name


def unsigned(folder: Path, draw: random.Random) -> str:
    """Change the specification and nothing else."""
    spec, said = _mutated(folder, draw)
    _write(folder, spec)
    return said


def signed(folder: Path, draw: random.Random) -> str:
    """Change the specification, and make its digest right again."""
    spec, said = _mutated(folder, draw)
    _sign(folder, spec)
    return said


def sized(folder: Path, draw: random.Random) -> str:
    """Make a whole number of the specification huge, with a right digest."""
    spec = _read(folder)
    places = [place for place in _places(spec) if type(_at(spec, place)) in (int, float)]
    place, value = draw.choice(places), draw.choice(HUGE)
    _put(spec, place, value if type(_at(spec, place)) is int else float(value))
    _sign(folder, spec)
    return f"{'.'.join(map(str, place))} = {value}"


def resigned(folder: Path, draw: random.Random) -> str:
    """Damage a file that is named in the specification, and make its checksum right."""
    said = draw.choice((flip, cut, lengthen, swap))(folder, draw)
    try:
        spec = _read(folder)
        spec["files"] = {
            name: file_digest(folder / name) if (folder / name).is_file() else value
            for name, value in spec["files"].items()
        }
        _sign(folder, spec)
    except (ValueError, AttributeError, KeyError, TypeError):  # it was the specification itself
        return said
    return said


def reweighed(folder: Path, draw: random.Random) -> str:
    """Change the tensors of a run, with right checksums."""
    path = draw.choice(sorted(folder.rglob("*.safetensors")))
    arrays = load_file(path)
    name = draw.choice(sorted(arrays))
    how = draw.choice(TENSORS)
    arrays = how(arrays, name, draw)
    save_file({key: np.array(value, order="C") for key, value in arrays.items()}, path)
    spec = _read(folder)
    spec["files"][path.relative_to(folder).as_posix()] = file_digest(path)
    _sign(folder, spec)
    return f"{path.name} {name} {how.__name__}"


Arrays = dict[str, np.ndarray]


def renamed(arrays: Arrays, name: str, draw: random.Random) -> Arrays:
    return {(key + "x" if key == name else key): value for key, value in arrays.items()}


def dropped(arrays: Arrays, name: str, draw: random.Random) -> Arrays:
    return {key: value for key, value in arrays.items() if key != name} or {"x": np.zeros(1)}


def added(arrays: Arrays, name: str, draw: random.Random) -> Arrays:
    return arrays | {name + draw.choice(("x", ".weight")): arrays[name]}


def reshaped(arrays: Arrays, name: str, draw: random.Random) -> Arrays:
    value = arrays[name]
    if not value.ndim:
        return arrays | {name: value[None]}
    shapes = (value.reshape(-1), value.T, value[None], value[:0], np.concatenate([value, value]))
    return arrays | {name: draw.choice(shapes)}


def retyped(arrays: Arrays, name: str, draw: random.Random) -> Arrays:
    kind = draw.choice((np.float64, np.float16, np.int64, np.int8, np.uint8, np.bool_))
    with np.errstate(all="ignore"):
        return arrays | {name: arrays[name].astype(kind)}


def valued(arrays: Arrays, name: str, draw: random.Random) -> Arrays:
    value = arrays[name].copy()
    strange = draw.choice((np.nan, np.inf, -np.inf, 1e38, -1e38, 0, -1, 2**30))
    with np.errstate(all="ignore"):
        if value.ndim and draw.random() < 0.5:
            value[draw.randrange(len(value))] = np.asarray(strange).astype(value.dtype)
        else:
            value[...] = np.asarray(strange).astype(value.dtype)
    return arrays | {name: value}


TENSORS = (renamed, dropped, added, reshaped, retyped, valued)


def _mutated(folder: Path, draw: random.Random) -> tuple[dict[str, Any], str]:
    """The specification with one to three values changed."""
    spec = _read(folder)
    said = []
    for _ in range(draw.choice((1, 1, 1, 2, 3))):
        place = draw.choice(list(_places(spec)))
        said.append(f"{'.'.join(map(str, place))}: {_change(spec, place, draw)}")
    return spec, "; ".join(said)


def _change(spec: Any, place: tuple, draw: random.Random) -> str:
    value = _at(spec, place)
    how = draw.choice(("remove", "strange", "near", "near", "near"))
    if how == "remove":
        del _at(spec, place[:-1])[place[-1]]
        return "removed"
    new: Any = draw.choice(STRANGE)
    if how == "near":
        if isinstance(value, bool):
            new = not value
        elif isinstance(value, int | float):
            numbers = (value + 1, value - 1, value * 2, value * 10, -value, value / 2, *HUGE)
            new = draw.choice(numbers)
        elif isinstance(value, str):
            texts = [_at(spec, p) for p in _places(spec)]
            new = draw.choice([text for text in texts if isinstance(text, str)])
        elif isinstance(value, list) and value:
            new = draw.choice((value[:-1], [*value, value[0]], value[::-1]))
        elif isinstance(value, dict) and value:
            others = [_at(spec, p) for p in _places(spec)]
            new = draw.choice([other for other in others if isinstance(other, dict)])
            new = json.loads(json.dumps(new))
    _put(spec, place, new)
    return f"{str(value)[:40]} -> {str(new)[:60]}"


def _places(value: Any, above: tuple = ()) -> Any:
    """Where every value of nested lists and mappings stands, but for checksums."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    for key, own in pairs:
        if above == () and key in ("scores", "data", "made_by"):
            continue
        yield (*above, key)
        if isinstance(own, dict | list):
            yield from _places(own, (*above, key))


def _at(value: Any, place: tuple) -> Any:
    for key in place:
        value = value[key]
    return value


def _put(value: Any, place: tuple, new: Any) -> None:
    _at(value, place[:-1])[place[-1]] = new


def _files(folder: Path) -> list[Path]:
    """All but the card, in which anything may be written."""
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.name != CARD)


def _file(folder: Path, draw: random.Random) -> Path:
    """The specification one time of three."""
    return folder / SPECIFICATION if draw.random() < 0.3 else draw.choice(_files(folder))


def _read(folder: Path) -> dict[str, Any]:
    return json.loads((folder / SPECIFICATION).read_text())


def _write(folder: Path, spec: dict[str, Any]) -> None:
    (folder / SPECIFICATION).write_text(json.dumps(spec))


def _sign(folder: Path, spec: dict[str, Any]) -> None:
    spec.pop(DIGEST, None)
    try:
        spec[DIGEST] = _digest(spec)
    except ValueError:  # what is not finite has no digest
        spec[DIGEST] = ""
    _write(folder, spec)


Way = Callable[[Path, random.Random], str]

WAYS: tuple[Way, ...] = (
    *(flip, cut, lengthen, swap, remove, unsigned, resigned),
    *(signed,) * 4,
    *(sized,) * 2,
    *(reweighed,) * 3,
)
