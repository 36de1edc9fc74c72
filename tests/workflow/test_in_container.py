"""Jobs inside a container, as `--sdm apptainer` asks for it.

Apptainer itself is stood in for by a script that takes the same command line and runs the command
outside of any container: what is tried is which jobs Snakemake sends there, and how.
"""

import os
import re
import shlex

IMAGE = "envs/deepself.sif"

# As `apptainer exec [OPTION [VALUE]]… IMAGE COMMAND…`, noting its arguments, a line a call. As
# Apptainer, it takes the image's path from the folder that it was called in.
APPTAINER = """#!/bin/bash
if [[ $1 == --version ]]; then
    echo "apptainer version 1.3.4"
    exit
fi
printf '%q ' "$@" >>"$CALLS"
echo >>"$CALLS"
while [[ $1 != *.sif ]]; do shift; done
[[ -f $1 ]] || { echo "FATAL: could not open image $1" >&2; exit 255; }
shift
exec "$@"
"""


def with_apptainer(workflow, monkeypatch, image=True):
    """Put the stand-in on PATH and an image where it is looked for; return the file of calls."""
    folder, calls = workflow.folder / "bin", workflow.folder / "calls"
    folder.mkdir()
    (folder / "apptainer").write_text(APPTAINER)
    (folder / "apptainer").chmod(0o755)
    if image:
        (workflow.folder / IMAGE).parent.mkdir()
        (workflow.folder / IMAGE).touch()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setenv("CALLS", str(calls))
    return calls


def test_every_job_runs_inside_the_container_and_none_in_a_conda_environment(workflow, monkeypatch):
    calls = with_apptainer(workflow, monkeypatch)
    arguments = ("--sdm", "apptainer", "--apptainer-args=--nv", "results/tiny/folds.csv")
    status, output = workflow.run(*arguments)
    assert status == 0, output
    assert (workflow.results / "folds.csv").is_file()
    assert "Conda environments: ignored" in output
    assert "Activating conda" not in output

    commands = []
    for line in calls.read_text().splitlines():
        *options, image, shell, flag, command = shlex.split(line)
        assert (image, shell, flag) == (IMAGE, "bash", "-c")
        assert options[:3] == ["exec", "--home", str(workflow.folder)]  # reads and writes there
        assert "--nv" in options
        assert "activate" not in command  # a conda environment
        commands += re.findall(r"deepself (\w+)", command)
    assert sorted(commands) == ["check", "split"]
    assert output.count("Activating singularity image") == len(commands)


def test_the_same_command_without_it_needs_no_image_and_starts_no_container(workflow, monkeypatch):
    calls = with_apptainer(workflow, monkeypatch, image=False)
    status, output = workflow.run("results/tiny/folds.csv")
    assert status == 0, output
    assert not calls.exists()
