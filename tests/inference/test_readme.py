"""The five lines of the README work when they are pasted."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from deepself.cli import main
from tests.studying import inside

REPOSITORY = Path(__file__).parents[2]
HEADING = "## Use it on your own recordings"
MODEL = "log_mel_cnn_gru"


def lines():
    """Commands of the README's section, without the server that the last one starts."""
    section = (REPOSITORY / "README.md").read_text().split(HEADING)[1]
    block = section.split("```sh\n")[1].split("```")[0]
    found = block.strip().splitlines()
    assert len(found) == 5
    last, started, server = found[-1].partition(" && mlflow models serve -m served")
    assert started and "--env-manager local" in server
    return [*found[:-1], last]


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """The demo, of which the model has been trained for one epoch."""
    folder = tmp_path_factory.mktemp("demo")
    study = yaml.safe_load((REPOSITORY / "config/demo.yaml").read_text())
    study["models"] = {MODEL: study["models"][MODEL]}
    study["models"][MODEL]["training"] = {"epochs": 1}
    study["features"] = {"log_mel": study["features"]["log_mel"]}
    study["fusions"] = {}
    (folder / "config").mkdir()
    (folder / "config/demo.yaml").write_text(yaml.safe_dump(study))
    file = "config/demo.yaml"
    for verb in (
        ["demo", "data/demo"],
        ["check", file],
        ["split", file],
        ["extract", file, "--feature", "log_mel"],
        ["train", file, "--model", MODEL, "--all"],
        ["score", file],
    ):
        with inside(folder):
            assert main(verb) == 0
    return folder


def shell(folder, line):
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    return subprocess.run(
        ["bash", "-c", line], cwd=folder, env=environment, capture_output=True, text=True
    )


def test_pasted_lines_work(demo):
    said = []
    for line in lines():
        done = shell(demo, line)
        assert done.returncode == 0, f"{line}\n{done.stderr}"
        said.append(done.stdout)
    assert len((demo / "labels.csv").read_text().splitlines()) == 401
    assert "Prediction(label=" in said[2]
    assert (demo / "why.html").stat().st_size > 10_000
    assert (demo / "served/MLmodel").is_file()
