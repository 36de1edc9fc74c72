"""Requests to a served bundle: JSON to recordings and what is asked of them.

A request is the JSON that MLflow's scoring server takes, but read strictly: what is not understood
is refused rather than left out, as an answer to another question would be worse than none.
"""

import base64
import binascii
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from deepself.dataset.readers import ReadError
from deepself.dataset.suffixes import SUFFIXES
from deepself.errors import UserError
from deepself.inference.answers import Asked
from deepself.inference.bundle import Bundle
from deepself.inference.opening import Given
from deepself.study.dataset import AnyModality, AudioModality

LARGEST = 2**26
"""Bytes that a request may have: longer recordings are for `deepself predict`."""

MOST = 10_000
"""Windows that a recording may have."""

LOUDEST = 16
"""Numbers of a sound may be so large: in [-1, 1], but for what a filter or a mix has added."""

EXTRA = ("sample_rate", "name")
"""What a recording may have beside its modalities."""

PARAMETERS: dict[str, type] = {
    "calibrated": bool,
    "fold": str,
    "unsure": float,
    "windows": bool,
    "seconds": float,
    "hop": float,
}
"""What may be asked, as in `Bundle.predict` and `Bundle.predict_windows`."""

KINDS = {bool: "true or false", str: "text", float: "a number"}

FORMS = ("inputs", "instances", "dataframe_records", "dataframe_split")


@dataclass(frozen=True)
class Request:
    """Recordings, and what is asked of them."""

    rows: list[Mapping[str, Any]]
    parameters: dict[str, Any]


@dataclass(frozen=True)
class Question:
    """One recording of a request: its sources by modality, or why there are none."""

    name: str
    sources: dict[str, Given] | None = None
    problem: str = ""


def read_request(body: bytes) -> Request:
    """Read a request's JSON.

    Raises
    ------
    UserError
        It is no JSON, or not of a form that MLflow's scoring server takes.
    """
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):  # also letters that are none, and numbers of any length
        raise UserError("the request is no JSON") from None
    if not isinstance(content, dict):
        raise UserError(f"the request is {_kind(content)}; send {_example()}")
    forms = [form for form in FORMS if form in content]
    if len(forms) != 1:
        raise UserError(f"the request has {' and '.join(forms) or 'no inputs'}; send {_example()}")
    odd = [key for key in content if key not in (*forms, "params")]
    if odd:
        raise UserError(f"unknown key {_short(odd[0])} beside {forms[0]}; only params may be there")
    parameters = content.get("params")
    if parameters is not None and not isinstance(parameters, dict):
        raise UserError(f"params: is {_kind(parameters)}; give names and values")
    return Request(_rows(forms[0], content[forms[0]]), parameters or {})


def _rows(form: str, content: Any) -> list[Mapping[str, Any]]:
    """Recordings as mappings from column to value."""
    if form == "dataframe_split":
        content = _split(content)
    elif isinstance(content, dict):  # one recording, or a list a column
        content = _columns(form, content)
    if not isinstance(content, list) or not all(isinstance(row, dict) for row in content):
        raise UserError(f"{form}: give a list of recordings, as in {_example()}")
    if not content:
        raise UserError(f"{form}: holds no recordings")
    return content


def _split(content: Any) -> list[dict[str, Any]]:
    columns = content.get("columns") if isinstance(content, dict) else None
    data = content.get("data") if isinstance(content, dict) else None
    if not isinstance(columns, list) or not isinstance(data, list):
        raise UserError("dataframe_split: give columns, a list of names, and data, a list of rows")
    if not all(isinstance(name, str) for name in columns) or len(set(columns)) < len(columns):
        raise UserError("dataframe_split: columns are different names")
    odd = [key for key in content if key not in ("columns", "data", "index")]
    if odd:
        raise UserError(f"dataframe_split: unknown key {_short(odd[0])}")
    for number, row in enumerate(data, 1):
        if not isinstance(row, list) or len(row) != len(columns):
            raise UserError(f"dataframe_split: row {number} has not a value a column")
    return [dict(zip(columns, row, strict=True)) for row in data]


def _columns(form: str, content: dict[str, Any]) -> list[dict[str, Any]]:
    """A recording by itself; or columns, whose values are lists of files' contents."""
    lists = [value for value in content.values() if isinstance(value, list)]
    if not any(value and isinstance(value[0], str | dict) for value in lists):
        return [content]
    if len(lists) < len(content) or len({len(value) for value in lists}) > 1:
        raise UserError(f"{form}: its columns have not the same length")
    return [dict(zip(content, row, strict=True)) for row in zip(*content.values(), strict=True)]


def questions(
    rows: Sequence[Mapping[str, Any]], modalities: Mapping[str, AnyModality]
) -> list[Question]:
    """The recordings of a request, each with what it is or why it is none.

    Raises
    ------
    UserError
        A column is none that the model knows: that is a mistake in all rows.
    """
    known = (*modalities, *EXTRA)
    for row in rows:
        odd = [column for column in row if column not in known]
        if odd:
            raise UserError(f"unknown column {_short(odd[0])}; known: {', '.join(known)}")
    return [_question(number, row, modalities) for number, row in enumerate(rows, 1)]


def _question(
    number: int, row: Mapping[str, Any], modalities: Mapping[str, AnyModality]
) -> Question:
    name = row.get("name")
    called = name if isinstance(name, str) and name else str(number)
    try:
        if not _is_none(name) and not isinstance(name, str):
            raise ReadError(f"name: is {_kind(name)}; give text")
        rate = _rate(row.get("sample_rate"))
        sources = {}
        for modality, spec in modalities.items():
            if _is_none(row.get(modality)):
                raise ReadError(f"no {modality}; the model reads {', '.join(modalities)}")
            try:
                given = _given(row[modality], spec)
            except ReadError as error:
                raise ReadError(f"{modality}: {error}") from None
            if given.sample_rate is None:
                given = replace(given, sample_rate=rate)
            if given.name is None and Path(called).suffix.lower() in SUFFIXES[spec.kind]:
                given = replace(given, name=called)
            sources[modality] = given
        return Question(called, sources)
    except ReadError as error:
        return Question(called, problem=str(error))


def _given(cell: Any, modality: AnyModality) -> Given:
    """A file or numbers, with what a mapping says of them."""
    if not isinstance(cell, Mapping):
        if isinstance(cell, str | bytes):
            return Given(_content(cell))
        return Given(_numbers(cell, modality))
    odd = [key for key in cell if key not in ("file", "name", "array", "sample_rate")]
    if odd:
        raise ReadError(f"unknown key {_short(odd[0])}; known: file, name, array, sample_rate")
    if ("file" in cell) == ("array" in cell):
        raise ReadError("give either file or array")
    rate, name = _rate(cell.get("sample_rate")), cell.get("name")
    if name is not None and not isinstance(name, str):
        raise ReadError(f"name: is {_kind(name)}; give text")
    if "array" in cell:
        return Given(_numbers(cell["array"], modality), rate)
    return Given(_content(cell["file"]), rate, name)


def _content(text: Any) -> bytes:
    """A file's bytes, of base64."""
    if isinstance(text, bytes):
        return text
    if not isinstance(text, str):
        raise ReadError(f"is {_kind(text)}; give a file's content in base64, or numbers")
    if text.startswith("data:"):  # as browsers write files
        text = text.partition(",")[2]
    try:
        # The programme of that name breaks lines.
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise ReadError("is no base64; send a file's content by base64, not its name") from None


def _numbers(values: Any, modality: AnyModality) -> np.ndarray:
    """Values as an array; JSON knows no other numbers than float64."""
    if isinstance(values, np.ndarray) and values.dtype != object:
        return values
    if not isinstance(values, list | tuple | np.ndarray):
        raise ReadError(f"is {_kind(values)}; give a file's content in base64, or numbers")
    try:
        found = np.array(list(values) if isinstance(values, np.ndarray) else values)
    except (ValueError, OverflowError):
        raise ReadError("is a list of lists of different lengths") from None
    if found.dtype.kind not in "iuf":
        raise ReadError("holds what is no number, or one that is too large")
    found = found.astype(np.float64)
    if isinstance(modality, AudioModality) and found.size:
        loudest = float(np.abs(found).max())
        if math.isfinite(loudest) and loudest > LOUDEST:
            raise ReadError(
                f"has values of up to {loudest:g}; those of a sound lie in [-1, 1]: divide by the "
                "largest that its format knows"
            )
    return found


def _rate(value: Any) -> float | None:
    if _is_none(value):
        return None
    try:
        if isinstance(value, bool | str) or not math.isfinite(value) or value <= 0:
            raise ValueError
        return float(value)
    except (TypeError, ValueError, OverflowError):
        raise ReadError(f"sample_rate: a number of Hz above 0, not {_short(value)}") from None


def asked(bundle: Bundle, parameters: Mapping[str, Any]) -> Asked:
    """What a request's parameters ask of a bundle.

    Raises
    ------
    UserError
        One is unknown, or its value is none.
    """
    found: dict[str, Any] = {}
    for name, value in parameters.items():
        if name not in PARAMETERS:
            raise UserError(
                f"params: unknown parameter {_short(name)}; known: {', '.join(PARAMETERS)}"
            )
        if value is not None:
            found[name] = _value(name, value)
    window = None
    if found.get("windows"):
        window = bundle.window(found.get("seconds"), found.get("hop"))
        window = replace(window, most=MOST)
    elif "seconds" in found or "hop" in found:
        raise UserError("params: seconds and hop belong to windows: true")
    return Asked(
        found.get("fold"),
        found.get("calibrated", False),
        found.get("unsure"),
        window,
    )


def _value(name: str, value: Any) -> bool | str | float:
    kind = PARAMETERS[name]
    if kind is float and isinstance(value, int | float) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            raise UserError(f"params.{name}: is too large a number") from None
    if kind is bool and isinstance(value, bool):
        return value
    if kind is str and isinstance(value, str):
        return value
    raise UserError(f"params.{name}: {KINDS[kind]}, not {_short(value)}")


def _is_none(value: Any) -> bool:
    """Whether there is no value; a table has NaN in its place."""
    return value is None or (isinstance(value, float) and math.isnan(value))


def _kind(value: Any) -> str:
    """What JSON calls a value."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "text"
    return "a list" if isinstance(value, list) else "a mapping"


def _short(value: Any) -> str:
    """A value in a message, on one line."""
    try:
        text = ascii(value)
    except (ValueError, RecursionError):  # of too many digits, or too deep
        return "such a value"
    return text if len(text) <= 60 else f"{text[:60]}…"


def _example() -> str:
    return '{"inputs": [{"audio": "<a file in base64>"}]}, by the names of its modalities'
