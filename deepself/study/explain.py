"""Pydantic's errors in the study's words: the key's path, what is expected, the nearest name."""

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from functools import cache
from typing import Any

from deepself.study.networks import TYPES
from deepself.study.schema import Study

Path = list[str | int]


MISSING = "missing; add it"

KIND_OF_VALUE = ("_type", "literal_error", "_parsing", "_from_float")
"""Endings of pydantic's errors about what sort of value was given."""


def explain(raw: Any, problems: Iterable[Mapping[str, Any]]) -> list[str]:
    """One line for each mistake in the content `raw` of a study, from pydantic's errors.

    A value that may be of several sorts gives an error for each sort. What is said of a part of
    the value, or of a value of the right sort, speaks of the sort that was meant.
    """
    found: dict[str, list[str]] = {}
    sorts: dict[str, list[str]] = {}
    for problem in problems:
        path, message = _explain_one(raw, problem)
        about_sort = problem["type"].endswith(KIND_OF_VALUE)
        (sorts if about_sort else found).setdefault(path, []).append(message)
    for path, messages in sorts.items():
        deeper = any(other.startswith(f"{path}.") for other in (*found, *sorts))
        if not deeper and path not in found:
            first, *others = dict.fromkeys(messages)
            first, _, given = first.partition(", not ")
            also = [m.removeprefix("input should be ").partition(", not ")[0] for m in others]
            line = ", or ".join([first, *also])
            found[path] = [f"{line}, not {given}" if given else line]
    _drop_misspelt(found)
    return [f"{path}: {message}" for path, messages in found.items() for message in messages]


def _drop_misspelt(found: dict[str, list[str]]) -> None:
    """A key that is missing because it is misspelt is one mistake, not two."""
    for path, messages in list(found.items()):
        section = path.rpartition(".")[0]
        for message in messages:
            _, meant, name = message.partition("unknown key, did you mean ")
            missing = ".".join(filter(None, (section, name.removesuffix("?"))))
            if meant and found.get(missing) == [MISSING]:
                del found[missing]


def _explain_one(raw: Any, problem: Mapping[str, Any]) -> tuple[str, str]:
    """Key path and message of one of pydantic's errors."""
    path = _key_path(raw, problem["loc"], problem["type"] in ("missing", "extra_forbidden"))
    name = ".".join(map(str, path)) or "study"
    match problem["type"]:
        case "extra_forbidden":
            return name, f"unknown key{nearest(str(path[-1]), _keys(raw, path[:-1]))}"
        case "missing":
            return name, MISSING
        case "union_tag_invalid":
            key = problem["ctx"]["discriminator"].strip("'")
            known = problem["ctx"]["expected_tags"].replace("'", "").split(", ")
            given = problem["ctx"]["tag"]
            return f"{name}.{key}", f"unknown {key} {given!r}{nearest(given, known)}"
        case "network_type":
            given = problem["input"]
            if not isinstance(given, Mapping):
                return name, f"input should be a mapping of keys to values, not {given!r}"
            if "type" not in given:
                return f"{name}.type", MISSING
            if given["type"] == "branches":
                return f"{name}.type", "a branch cannot have branches"
            known = [*TYPES, "branches", "timm/…"]
            return (
                f"{name}.type",
                f"unknown type {given['type']!r}{nearest(str(given['type']), known)}",
            )
        case "union_tag_not_found":
            return f"{name}.{problem['ctx']['discriminator'].strip(chr(39))}", "missing; add it"
        case "too_short":
            return name, f"give at least {problem['ctx']['min_length']}"
        case "string_pattern_mismatch":
            if str(problem["input"]).startswith("timm/"):
                return name, "write timm/ARCHITECTURE here, and the tag behind its dot as weights"
            return name, "use letters, digits, _ and - only"
        case "model_type" | "dict_type" | "model_attributes_type":
            message = "input should be a mapping of keys to values"
        case _:
            message = problem["msg"].removeprefix("Value error, ").removesuffix(" after validation")
            message = re.sub(
                r", unable to parse string as an? \w+|, got a number with .*", "", message
            )
            message = re.sub(r" after validation, not \d+$", "", message)
    given = problem["input"]
    shown = "" if isinstance(given, dict | list) else f", not {given!r}"
    return name, f"{message[0].lower()}{message[1:]}{shown}"


def nearest(word: str, known: list[str]) -> str:
    """The hint behind an unknown name: the nearest known one, or all of them."""
    near = get_close_matches(word, known, n=1, cutoff=0.5)
    return f", did you mean {near[0]}?" if near else f"; known: {', '.join(known) or 'none'}"


def _key_path(raw: Any, loc: tuple, of_key: bool) -> Path:
    """The path as the user wrote it: pydantic's union tags and markers are left out.

    `of_key`: the problem is about a key, which may be missing, rather than about a value.
    """
    path: Path = []
    node = raw
    for i, part in enumerate(loc):
        inside = (isinstance(node, Mapping) and part in node) or (
            isinstance(node, list) and isinstance(part, int) and part < len(node)
        )
        missing_key = of_key and i == len(loc) - 1 and isinstance(node, Mapping)
        if inside:
            node = node[part]
        elif not missing_key:
            continue
        path.append(part)
    return path


@cache
def _schema() -> dict[str, Any]:
    return Study.model_json_schema()


def _keys(raw: Any, path: Path) -> list[str]:
    """The keys that the section at `path` knows, by the study's JSON schema."""
    node, value = _schema(), raw
    parts = list(path)
    while parts:
        part = parts.pop(0)
        value = value[part]
        if parts[:1] == ["choice"]:  # a range in the place of a value
            value, parts = value["choice"][parts[1]], parts[2:]
        child = node.get("properties", {}).get(part) or node.get("items")
        node = _resolve(child or node.get("additionalProperties") or _by_pattern(node), value)
    return list(node.get("properties", {}))


def _by_pattern(node: dict[str, Any]) -> dict[str, Any]:
    """A mapping with free, but restricted, names."""
    return next(iter(node.get("patternProperties", {}).values()), {})


def _referenced(node: dict[str, Any]) -> dict[str, Any]:
    return _schema()["$defs"][node["$ref"].rsplit("/", 1)[1]]


def _is_of(node: dict[str, Any], name: Any) -> bool:
    """Whether a section's schema is the one that its key `type` chose."""
    key = node["properties"]["type"]
    if "pattern" in key:
        return isinstance(name, str) and re.search(key["pattern"], name) is not None
    return name in key.get("enum", [key.get("const")])


def _resolve(node: dict[str, Any], value: Any) -> dict[str, Any]:
    """Follow references, and the branch of a union that the value chose."""
    while True:
        options = [n for n in node.get("anyOf", []) if n.get("type") != "null"]
        if "$ref" in node:
            node = _referenced(node)
        elif "discriminator" in node:
            key = node["discriminator"]["propertyName"]
            default = next(iter(node["discriminator"]["mapping"]))
            node = {"$ref": node["discriminator"]["mapping"][value.get(key, default)]}
        elif options:
            node = options[0]
        elif "oneOf" in node:
            name = value.get("type") if isinstance(value, Mapping) else None
            node = next((n for n in map(_referenced, node["oneOf"]) if _is_of(n, name)), {})
        else:
            return node
