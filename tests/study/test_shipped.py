"""The shipped studies are valid, and the schema that editors complete from is today's."""

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from deepself.cli.schema import schema_text
from deepself.study import load

CONFIG = Path(__file__).parents[2] / "config"
STUDIES = sorted(CONFIG.glob("*.yaml"))


def test_schema_file_is_up_to_date():
    stored = (CONFIG / "study.schema.json").read_text()
    assert stored == schema_text(), "run: deepself schema > config/study.schema.json"


@pytest.mark.parametrize("file", STUDIES, ids=lambda file: file.stem)
@pytest.mark.usefixtures("given_weights")
def test_shipped_study_is_valid(file):
    assert load(file).name == file.stem


@pytest.mark.parametrize("file", STUDIES, ids=lambda file: file.stem)
def test_shipped_study_fits_the_schema_that_it_names(file):
    first = file.read_text().splitlines()[0]
    assert first == "# yaml-language-server: $schema=study.schema.json"
    schema = json.loads((CONFIG / "study.schema.json").read_text())
    jsonschema.validate(yaml.safe_load(file.read_text()), schema)
