"""`deepself schema`."""

import argparse
import json


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
        **Study.model_json_schema(),
    }
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
