"""`deepself schema`."""

import argparse
import json
from typing import Any


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments: none."""


def run(args: argparse.Namespace) -> None:
    """Print the JSON schema of the study file, from which editors complete."""
    print(schema_text(), end="")


def schema_text() -> str:
    """The JSON schema of the study file, as `config/study.schema.json` holds it."""
    from deepself.study import Study

    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **_with_ranges(Study.model_json_schema()),
    }
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _with_ranges(schema: dict[str, Any]) -> dict[str, Any]:
    """A study's JSON schema that allows ranges, too, wherever a model may have them."""
    from deepself.study.filling import FIXED
    from deepself.study.ranges import KINDS

    found = schema["$defs"]
    for kind in KINDS.values():
        found[kind.__name__] = kind.model_json_schema()
    ranges = [{"$ref": f"#/$defs/{kind.__name__}"} for kind in KINDS.values()]
    model = found["Model"]["properties"]
    waiting = [*_named(model["network"]), *_named(model["training"])]
    model["normalise"]["anyOf"] += ranges
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        waiting += _named(found[name])
        for key, setting in found[name].get("properties", {}).items():
            if key not in FIXED:
                about = {
                    k: setting.pop(k) for k in ("title", "description", "default") if k in setting
                }
                kinds = setting.get("anyOf") or [dict(setting)]
                setting.clear()
                setting.update(about | {"anyOf": [*kinds, *ranges]})
    return schema


def _named(schema: Any) -> list[str]:
    """Names of the sections that a part of a JSON schema refers to."""
    if isinstance(schema, list):
        return [name for child in schema for name in _named(child)]
    if not isinstance(schema, dict):
        return []
    own = [schema["$ref"].rpartition("/")[2]] if "$ref" in schema else []
    return own + [name for child in schema.values() for name in _named(child)]
