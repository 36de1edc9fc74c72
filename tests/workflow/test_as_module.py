"""The workflow as a part of another: the same study, under names of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.tiny import make_study
from tests.workflow.conftest import REPOSITORY, Workflow

SNAKEFILE = f"""
configfile: "config.yaml"


module deepself:
    snakefile: "{REPOSITORY}/Snakefile"
    config: config["deepself"]


use rule * from deepself as deepself_*


rule answer:
    default_target: True
    input:
        "results/tiny/scores.csv",
    output:
        "answer.txt",
    shell:
        "wc -l < {{input}} > {{output}}"
"""


class Foreign(Workflow):
    """A workflow of others, with a study in its configuration."""

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "snakemake", "--cores", "2", *arguments]

    def configure(self, **changes) -> None:
        """Write its configuration, with settings of the study changed."""
        study = yaml.safe_load((self.folder / "study.yaml").read_text())
        for section, settings in changes.items():
            for name, own in settings.items():
                study[section][name].update(own)
        config = {"deepself": study, "threshold": 0.5}
        (self.folder / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))


@pytest.fixture(scope="module")
def foreign(tmp_path_factory):
    """Its whole run."""
    folder = tmp_path_factory.mktemp("foreign")
    make_study(folder)
    (folder / "Snakefile").write_text(SNAKEFILE)
    workflow = Foreign(folder)
    workflow.configure()
    status, output = workflow.run()
    assert status == 0, output
    return workflow


def test_scores_are_those_of_the_workflow_alone(foreign, workflow):
    status, output = workflow.run("score")
    assert status == 0, output
    scores = foreign.results / "scores.csv"
    assert scores.read_bytes() == (workflow.results / "scores.csv").read_bytes()
    lines = (foreign.folder / "answer.txt").read_text()
    assert int(lines) == len(scores.read_text().splitlines())


def test_second_run_does_nothing_and_a_change_reruns_what_it_touches(foreign):
    assert foreign.planned() == {}
    foreign.configure(models={"cnn": {"feature": "log_mel", "training": {"epochs": 2}}})
    try:
        planned = foreign.planned()
        assert planned == {
            "deepself_train": 3,
            "deepself_fuse": 6,
            "deepself_score": 1,
            "answer": 1,
        }
    finally:
        foreign.configure()


def test_a_mistake_in_the_study_is_one_line(foreign):
    foreign.configure(models={"cnn": {"featuer": "log_mel"}})
    try:
        status, output = foreign.run("--dry-run")
    finally:
        foreign.configure()
    assert status != 0
    assert "models.cnn.featuer: unknown key, did you mean feature?" in output
    assert "Traceback" not in output


def test_a_prefix_is_refused(foreign, tmp_path):
    file = foreign.folder / "prefixed.smk"
    file.write_text(
        SNAKEFILE.replace("    config: config", '    prefix: "sub"\n    config: config')
    )
    status, output = foreign.run("--dry-run", "--snakefile", str(file))
    assert status != 0
    assert "prefix: what a study writes lies below results/ and its name" in output


def test_the_demo_runs_in_another_folder(tmp_path):
    command = [sys.executable, "-m", "snakemake", "--cores", "2", "--directory", str(tmp_path)]
    found = subprocess.run([*command, "--dry-run"], cwd=REPOSITORY, capture_output=True, text=True)
    assert found.returncode == 0, found.stderr
    assert "data/demo/manifest.csv" in found.stdout
    assert not list(Path(tmp_path).glob("data/*"))


def commands_of(page):
    """The verbs that a page shows in its last block of commands."""
    block = page.read_text().split("```sh")[-1].split("```")[0]
    return [line.split("#")[0].split() for line in block.splitlines() if line.strip()]


def test_verbs_of_the_page_do_the_study_without_the_workflow(tmp_path):
    """As they stand there, but that its study is the demo, and this one is small."""
    make_study(tmp_path)
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    commands = commands_of(REPOSITORY / "docs/module.md")
    verbs = [words[1] for words in commands]
    assert verbs == ["check", "split", "extract", "train", "fuse", "score", "report"]
    for shown in commands:
        for words in several(shown):
            found = subprocess.run(
                [sys.executable, "-m", *words],
                cwd=tmp_path,
                env=environment,
                capture_output=True,
                text=True,
            )
            assert found.returncode == 0, found.stderr
    assert (tmp_path / "results/tiny/report.html").stat().st_size > 100_000


def several(words):
    """A verb as it is called for each feature, model or fusion."""
    names = {
        "--feature": ["log_mel", "trace"],
        "--model": ["svm", "cnn", "dense"],
        "--fusion": ["all", "best"],
    }
    words = ["study.yaml" if word.startswith("config/") else word for word in words]
    if "--all" in words or "--fold" in words or "--feature" in words:
        option = next(word for word in words if word in names)
        place = words.index(option) + 1
        for name in names[option]:
            folds = ["1", "2", "3"] if "--fold" in words else [""]
            for fold in folds:
                own = [*words]
                own[place] = name
                if fold:
                    own[words.index("--fold") + 1] = fold
                yield own
    else:
        yield words
