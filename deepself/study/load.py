"""Reading a study: YAML and overrides in, a `Study` or one clear line a problem out."""

from collections.abc import Hashable, Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from deepself.errors import UserError
from deepself.study.explain import explain
from deepself.study.references import problems
from deepself.study.schema import Study


class _UniqueKeys(yaml.SafeLoader):
    """PyYAML keeps the last of two equal keys silently; a study must not."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: dict[Any, int] = {}
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                continue  # its keys are there to be overridden
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, Hashable):
                continue  # the base class says so, with its place
            line = key_node.start_mark.line + 1
            if key in seen:
                raise UserError(
                    f"{key_node.start_mark.name}:{line}: key {key!r} stands here and in line "
                    f"{seen[key]}; keep one"
                )
            seen[key] = line
        return super().construct_mapping(node, deep)


def load(path: str | Path, overrides: Iterable[str] = ()) -> Study:
    """Read and check a study file.

    Parameters
    ----------
    path
        The YAML file.
    overrides
        `key.path=value` strings; values are read as YAML.

    Raises
    ------
    UserError
        One line a problem, each with the key's path.
    """
    raw = read_yaml(path)
    for override in overrides:
        _override(raw, override)
    return parse(raw, source=str(path))


def read_yaml(path: str | Path) -> dict[str, Any]:
    """Read a YAML mapping, refusing duplicate keys."""
    try:
        with open(path, encoding="utf-8") as file:
            raw = yaml.load(file, _UniqueKeys)  # noqa: S506 - a SafeLoader
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: is not a UTF-8 text file") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f"{mark.line + 1}: " if mark else " "
        raise UserError(
            f"{path}:{line}not valid YAML: {getattr(error, 'problem', error)}"
        ) from None
    except ValueError as error:  # a date that is none
        raise UserError(f"{path}: not valid YAML: {error}") from None
    if not isinstance(raw, dict):
        raise UserError(f"{path}: a study is a mapping of keys to values")
    return raw


def parse(raw: Mapping[str, Any], source: str) -> Study:
    """Check a study's content; `source` names it in messages."""
    try:
        study = Study.model_validate(raw)
    except ValidationError as error:
        lines = explain(raw, error.errors())
        raise UserError("\n".join(f"{source}: {line}" for line in lines)) from None
    broken = list(problems(study))
    if broken:
        raise UserError("\n".join(f"{source}: {path}: {message}" for path, message in broken))
    return study


def _override(raw: dict[str, Any], text: str) -> None:
    path, equals, value = text.partition("=")
    if not equals:
        raise UserError(f"--set {text}: write key.path=value")
    node: Any = raw
    *parents, last = path.split(".")
    try:
        for key in parents:
            node = node[int(key)] if isinstance(node, list) else node.setdefault(key, {})
            if not isinstance(node, dict | list):
                raise UserError(f"--set {text}: {key} is a value, it has no keys below it")
        parsed = yaml.load(value, _UniqueKeys)  # noqa: S506 - a SafeLoader
        node[int(last) if isinstance(node, list) else last] = parsed
    except (ValueError, IndexError, TypeError, yaml.YAMLError):
        raise UserError(f"--set {text}: cannot be set there") from None
