"""Jobs inside a container and inside conda's environments, as `--sdm` asks for them.

Apptainer and conda themselves are stood in for by scripts that take the same command lines: what is
tried is what Snakemake asks of them, and which jobs it runs with them. It is started in a folder
that is not the repository, on the workflow alone and on one that has it as a module.
"""

import os
import re
import shlex

import pytest

from tests.forking import program
from tests.tiny import make_study
from tests.workflow.conftest import REPOSITORY, Workflow
from tests.workflow.test_as_module import foreign_workflow

TARGET = "results/tiny/folds.csv"

# As `apptainer exec [OPTION [VALUE]]… IMAGE COMMAND…`, noting its arguments, a line a call.
APPTAINER = """#!/bin/bash
if [[ $1 == --version ]]; then
    echo "apptainer version 1.3.4"
    exit
fi
printf '%q ' "$@" >>"$CALLS"
echo >>"$CALLS"
while [[ $1 != *.sif ]]; do shift; done
shift
exec "$@"
"""

# Notes how an environment is made, and what is called in it.
CONDA = """#!/bin/bash
case "$*" in
--version) echo "conda 25.1.1" ;;
"info --json")
    printf '{"conda_prefix": "%s", "platform": "linux-64"}' "${0%/bin/conda}" ;;
"config --get channel_priority --json") echo '{"get": {"channel_priority": "strict"}}' ;;
"env create "*)
    while [[ $# -gt 0 ]]; do
        case $1 in
        --file) file=$2 ;;
        --prefix) prefix=$2 ;;
        esac
        shift
    done
    mkdir -p "$prefix/bin"
    cp "$file" "${CALLS%/*}/created.yaml"
    for name in python deepself; do cp "${0%/*}/called" "$prefix/bin/$name"; done ;;
"clean "*) ;;
*)
    echo "conda $*: not expected" >&2
    exit 1 ;;
esac
"""

CALLED = """#!/bin/bash
name=${0##*/}
printf '%q ' "$name" "$@" >>"$CALLS"
echo >>"$CALLS"
[[ $name == python ]] || exec "$DEEPSELF" "$@"
"""

ACTIVATE = 'export PATH="$1/bin:$PATH"\n'


@pytest.fixture(params=["alone", "module"])
def workflow(request, tmp_path):
    make_study(tmp_path)
    return Workflow(tmp_path) if request.param == "alone" else foreign_workflow(tmp_path)


@pytest.fixture
def calls(workflow, monkeypatch):
    """Where the stand-ins, which are on PATH, note what they are called with."""
    folder = workflow.folder / "programs/bin"
    folder.mkdir(parents=True)
    scripts = {"apptainer": APPTAINER, "conda": CONDA, "called": CALLED, "activate": ACTIVATE}
    for name, script in scripts.items():
        (folder / name).write_text(script)
        (folder / name).chmod(0o755)
    monkeypatch.setenv("DEEPSELF", str(program(workflow.folder / ".bin") / "deepself"))
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setenv("CALLS", str(workflow.folder / "calls"))
    return workflow.folder / "calls"


def test_every_job_runs_inside_the_container_and_none_in_a_conda_environment(workflow, calls):
    status, output = workflow.run("--sdm", "apptainer", "--apptainer-args=--nv", TARGET)
    assert status == 0, output
    assert (workflow.folder / TARGET).is_file()
    assert "Conda environments: ignored" in output
    assert "Activating conda" not in output

    commands = []
    for line in calls.read_text().splitlines():
        *options, image, shell, flag, command = shlex.split(line)
        assert (workflow.folder / image).resolve() == REPOSITORY / "envs/deepself.sif"
        assert (shell, flag) == ("bash", "-c")
        assert options[:3] == ["exec", "--home", str(workflow.folder)]  # reads and writes there
        assert "--nv" in options
        assert "activate" not in command  # a conda environment
        commands += re.findall(r"deepself (\w+)", command)
    assert sorted(commands) == ["check", "split"]
    assert output.count("Activating singularity image") == len(commands)


def test_every_job_runs_in_the_conda_environment_which_has_this_deepself(workflow, calls):
    status, output = workflow.run(TARGET, "--sdm", "conda")
    assert status == 0, output
    assert (workflow.folder / TARGET).is_file()
    assert "Singularity containers: ignored" in output

    created = workflow.folder / "created.yaml"
    assert created.read_text() == (REPOSITORY / "envs/conda.yaml").read_text()
    install, *jobs = [shlex.split(line) for line in calls.read_text().splitlines()]
    assert install[:4] == ["python", "-m", "pip", "install"]
    assert install[-2:] == ["--editable", str(REPOSITORY)]
    assert [job[:2] for job in jobs] == [["deepself", "check"], ["deepself", "split"]]


def test_the_same_command_without_them_starts_neither(workflow, calls):
    status, output = workflow.run(TARGET)
    assert status == 0, output
    assert not calls.exists()
