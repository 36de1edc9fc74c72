"""The workflow as a part of another: the same study, under names of its own."""

import copy
import shutil
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest
import yaml

from deepself.cli import main
from tests.sharing import copied
from tests.studying import inside
from tests.tiny import make_study
from tests.workflow.conftest import REPOSITORY, Workflow, featured_study

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


def foreign_workflow(folder):
    """A workflow of others, around the study that lies in a folder."""
    (folder / "Snakefile").write_text(SNAKEFILE)
    workflow = Foreign(folder)
    workflow.configure()
    return workflow


@pytest.fixture(scope="module")
def foreign(tmp_path_factory):
    """Its run, over features that are there already."""
    folder = tmp_path_factory.mktemp("foreign")
    copied(featured_study(folder), folder)
    workflow = foreign_workflow(folder)
    status, output = workflow.run()
    assert status == 0, output
    return workflow


def test_scores_are_those_of_the_workflow_alone(foreign, whole):
    scores = foreign.results / "scores.csv"
    assert scores.read_bytes() == (whole.results / "scores.csv").read_bytes()
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
    assert (
        "module deepself: study: models.cnn.featuer: unknown key, did you mean feature?" in output
    )
    assert "Traceback" not in output


@pytest.mark.parametrize("keyword", ['prefix: "sub"', 'replace_prefix: {"results/": "elsewhere/"}'])
def test_other_places_for_what_it_writes_are_refused(foreign, tmp_path, keyword):
    file = tmp_path / "moved.smk"
    file.write_text(SNAKEFILE.replace("    config: config", f"    {keyword}\n    config: config"))
    status, output = foreign.run("--dry-run", "--snakefile", str(file))
    assert status != 0
    assert "module deepself: what a study writes lies below results/ and its name" in output


def test_a_module_without_a_study_is_refused(foreign, tmp_path):
    file = tmp_path / "without.smk"
    file.write_text(SNAKEFILE.replace('    config: config["deepself"]\n', ""))
    status, output = foreign.run("--dry-run", "--snakefile", str(file))
    assert status != 0
    assert (
        'module deepself: has no study; say where it stands: config: config["deepself"]' in output
    )


def test_files_named_on_the_command_line_belong_to_the_workflow_around_it(foreign, tmp_path):
    file = tmp_path / "named.smk"
    file.write_text(SNAKEFILE.replace('configfile: "config.yaml"\n', ""))
    assert foreign.planned("--snakefile", str(file), "--configfile", "config.yaml") == {}


def test_a_rule_above_it_stays_the_one_that_is_made(foreign, tmp_path):
    head, answer = SNAKEFILE.split("rule answer:")
    answer = "rule answer:" + answer.replace("    default_target: True\n", "")
    head = head.replace(
        "module deepself:", answer.replace("answer.txt", "above.txt") + "\n\nmodule deepself:"
    )
    file = tmp_path / "above.smk"
    file.write_text(head)
    assert foreign.planned("--snakefile", str(file)) == {"answer": 1}


def test_its_tables_are_in_the_report_of_the_workflow_around_it(foreign):
    status, output = foreign.run("--report", "all.zip")
    assert status == 0, output
    with ZipFile(foreign.folder / "all.zip") as archive:
        held = {name.split("/")[-1]: archive.read(name) for name in archive.namelist()}
    assert held["scores.csv"] == (foreign.results / "scores.csv").read_bytes()
    assert b"Which of 3 models" not in held["report.html"]  # what it is about, others say


def test_from_a_host_of_repositories_it_is_the_same(foreign, tmp_path, monkeypatch):
    """The host is a folder here: git is told so."""
    repository = tmp_path / "host/someone/deepself"
    for name in ("workflow", "envs"):
        shutil.copytree(REPOSITORY / name, repository / name)
    shutil.copy(REPOSITORY / "Snakefile", repository)
    author = ["-c", "user.name=Someone", "-c", "user.email=someone@example.org"]
    for words in (["init", "-q", "-b", "main"], ["add", "."], [*author, "commit", "-qm", "All"]):
        subprocess.run(["git", *words], cwd=repository, check=True)
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", f"url.file://{tmp_path}/host/.insteadOf")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "https://github.com/")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    hosted = 'github("someone/deepself", path="Snakefile", branch="main")'
    file = foreign.folder / "hosted.smk"
    file.write_text(SNAKEFILE.replace(f'"{REPOSITORY}/Snakefile"', hosted))
    assert hosted in file.read_text()
    assert foreign.planned("--snakefile", str(file)) == {}
    assert foreign.planned("--snakefile", str(file), "--forcerun", "deepself_score") == {
        "deepself_score": 1,
        "answer": 1,
    }


TWO = f"""
configfile: "config.yaml"


module one:
    snakefile: "{REPOSITORY}/Snakefile"
    config: config["one"]


use rule * from one as one_*


module other:
    snakefile: "{REPOSITORY}/Snakefile"
    config: config["other"]


use rule * from other as other_*


ruleorder: one_extract > other_extract


rule all:
    default_target: True
    input:
        "results/one/scores.csv",
        "results/other/scores.csv",
"""


def test_two_studies_are_two_modules_and_make_what_they_share_once(tmp_path):
    study = make_study(tmp_path, models__cnn=None, models__dense=None, fusions=None)
    study = yaml.safe_load(study.read_text())
    one, other = study | {"name": "one"}, copy.deepcopy(study) | {"name": "other"}
    other["features"]["coarse"] = other["features"]["log_mel"] | {"n_mels": 8}
    other["models"]["coarse"] = other["models"]["svm"] | {"feature": "coarse"}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({"one": one, "other": other}))
    (tmp_path / "Snakefile").write_text(TWO)
    both = Foreign(tmp_path)
    status, output = both.run()
    assert status == 0, output
    assert (tmp_path / "results/one/scores.csv").is_file()
    assert "coarse" in (tmp_path / "results/other/scores.csv").read_text()
    assert len(list(tmp_path.glob("results/features/*.h5"))) == 2
    assert both.planned() == {}


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
    commands = commands_of(REPOSITORY / "docs/module.md")
    verbs = [words[1] for words in commands]
    assert verbs == ["check", "split", "extract", "train", "fuse", "score", "report"]
    with inside(tmp_path):
        for shown in commands:
            for _, *words in several(shown):
                assert main(words) == 0
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
