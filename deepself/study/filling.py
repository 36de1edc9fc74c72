"""Values in place of ranges: a model's settings are typed, and ranges are not of those types."""

import copy
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from deepself.study.ranges import KINDS, NEAR, Choice, Place, Space, ranges_in
from deepself.study.search import Search

M = TypeVar("M")
Values = Mapping[str, Any]
"""A value each parameter, by its dotted path below the model."""

FIXED = ("type", "feature", "initialise")
"""Keys whose value shapes the workflow itself: what they say is compared as models."""


def filled(settings: Mapping[str, Any], values: Values) -> dict[str, Any]:
    """Settings with values in place of what stands at their paths; missing sections stay so."""
    filled: dict[str, Any] = copy.deepcopy(dict(settings))
    for path, value in values.items():
        node: Any = filled
        *above, last = path.split(".")
        for key in above:
            if isinstance(node, list):
                node = node[int(key)]
            else:
                node = node.get(key) if isinstance(node, dict) else None
        if isinstance(node, list):
            node[int(last)] = value
        elif isinstance(node, dict):
            node[last] = value
    return filled


def validated(
    raw: Mapping[str, Any], validate: Callable[[Mapping[str, Any]], M]
) -> tuple[M, Space]:
    """Validate settings that may hold ranges: as they are with each range's first value.

    Every further value of a choice, and both ends of an interval, must be allowed as well, beside
    the first values of the others. What is wrong is said of the place where it stands.

    Parameters
    ----------
    raw
        A model as the study writes it.
    validate
        Validates one without ranges.

    Returns
    -------
    model, space
        The model with the first values, and the ranges.

    Raises
    ------
    ValidationError
        With every mistake.
    """
    space = _space(raw)
    probes = {path: one.probes for path, one in space.items()}
    first = {path: values[0] for path, values in probes.items()}
    model = _checked(raw, first, validate)
    problems = []
    for path, values in probes.items():
        for value in values[1:]:
            try:
                _checked(raw, {**first, path: value}, validate)
            except ValidationError as error:
                problems += [problem for problem in _errors(error) if problem not in problems]
    if problems:
        raise _mistakes(problems)
    return model, space


def require_match(search: Search | None, space: Space) -> None:
    """Refuse ranges without a search, a search without ranges, and intervals in a grid."""
    found: list[tuple[str, str]] = []
    if search is None:
        say = "is a range: give one value, or add search to the model, as {method: tpe, trials: 20}"
        found = [(path, say) for path in space]
    elif not space:
        found = [("search", "no range stands below network or training; write one, or remove it")]
    elif search.method == "grid":
        say = "a grid needs choice: list values, or search by random or tpe"
        found = [(path, say) for path, one in space.items() if not isinstance(one, Choice)]
    if found:
        raise _mistakes([_mistake(tuple(path.split(".")), say) for path, say in found])


def _space(raw: Mapping[str, Any]) -> Space:
    """The ranges of a model as the study writes it."""
    space: Space = {}
    problems: list[InitErrorDetails] = []
    for key in ("network", "training", "normalise", "classifier"):
        for place, value in ranges_in(raw.get(key), (key,)):
            if key == "classifier":
                say = "a classifier chooses on dev by itself: list values"
                problems.append(_mistake(place, say))
            elif place == ("network",) or place == ("training",):
                problems.append(_mistake(place, "ranges stand below it, at its settings"))
            elif place[-1] in FIXED:
                say = f"{place[-1]} cannot be searched: write a model for each, to compare them"
                problems.append(_mistake(place, say))
            elif (name := next(iter(value))) not in KINDS:
                near = get_close_matches(name, KINDS, n=1, cutoff=NEAR)[0]
                problems.append(_mistake(place, f"unknown range {name!r}, did you mean {near}?"))
            else:
                try:
                    space[".".join(map(str, place))] = KINDS[name].model_validate(value)
                except ValidationError as error:
                    for one in _errors(error):
                        problems.append({**one, "loc": place + one["loc"]})
    if problems:
        raise _mistakes(problems)
    return dict(sorted(space.items()))


def _checked(
    raw: Mapping[str, Any],
    values: Mapping[str, tuple[Any, Place]],
    validate: Callable[[Mapping[str, Any]], M],
) -> M:
    """Validate settings with values for ranges; what is wrong is said of where those stand."""
    try:
        return validate(filled(raw, {path: value for path, (value, _) in values.items()}))
    except ValidationError as error:
        problems = _errors(error)
        for problem in problems:
            for path, (_, place) in values.items():
                loc = problem["loc"]
                end = _end(loc, path.split("."))
                unknown = _kind(problem) == "extra_forbidden" and end == len(loc)
                if end is not None and not unknown:  # the key, then, not its value
                    problem["loc"] = loc[:end] + place + loc[end:]
        raise _mistakes(problems) from None


def _end(loc: Place, path: list[str]) -> int | None:
    """How much of a mistake's place leads to a range; pydantic's own marks stand between."""
    at = 0
    for i, part in enumerate(loc):
        if str(part) == path[at]:
            at += 1
            if at == len(path):
                return i + 1
    return None


def _kind(problem: InitErrorDetails) -> str:
    kind = problem["type"]
    return kind if isinstance(kind, str) else kind.type


def _errors(error: ValidationError) -> list[InitErrorDetails]:
    """What is wrong, as it can be raised again with another place."""
    return [
        {
            "type": PydanticCustomError(e["type"], e["msg"], e.get("ctx")),
            "loc": e["loc"],
            "input": e["input"],
        }
        for e in error.errors(include_url=False)
    ]


def _mistake(place: Place, message: str) -> InitErrorDetails:
    return {"type": PydanticCustomError("value_error", message), "loc": place, "input": {}}


def _mistakes(problems: list[InitErrorDetails]) -> ValidationError:
    return ValidationError.from_exception_data("Model", problems)
