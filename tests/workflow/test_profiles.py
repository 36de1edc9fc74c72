"""Both profiles are in force when a user types what the README says."""

import os
import stat
import subprocess
import sys
from pathlib import Path

from tests.workflow.conftest import REPOSITORY

FAKE = """#!/bin/sh
echo "$0 $*" >> "{record}"
case $0 in *sinfo) echo PARTITION; echo "cpu*";; *) exit 1;; esac
"""


def test_slurm_profile_submits_with_its_settings(workflow, tmp_path):
    """`--profile slurm`, typed in the root, reaches sbatch; there is no cluster here to go on."""
    tools, record = tmp_path / "tools", tmp_path / "sbatch.log"
    tools.mkdir()
    for name in ("sbatch", "sacct", "squeue", "sinfo", "sacctmgr", "scancel"):
        (tools / name).write_text(FAKE.format(record=record))
        (tools / name).chmod(stat.S_IRWXU)
    path = f"{tools}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    study = workflow.folder / "study.yaml"
    command = [sys.executable, "-m", "snakemake", "--cores", "8", "--profile", "slurm"]
    done = subprocess.run(
        [*command, "--retries", "0", "--directory", workflow.folder, "--configfile", study],
        cwd=REPOSITORY,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=300,
    )
    output = done.stdout + done.stderr
    assert done.returncode != 0
    assert "profile slurm" in output
    assert "profiles/default" in output
    submitted = [line for line in record.read_text().splitlines() if "/sbatch " in line]
    assert len(submitted) == 1, output
    assert "--mem 2000" in submitted[0]
    assert "-t 60" in submitted[0]


def test_default_profile_shows_the_log_of_a_failed_job_and_goes_on(workflow):
    (workflow.folder / "recordings/files/low-1.wav").write_bytes(b"RIFF")
    status, output = workflow.run()
    assert status != 0
    assert "Using workflow specific profile" in output
    assert "low-1.wav: cannot be decoded" in output


def test_root_links_lead_to_the_profiles():
    for name in ("profiles/default", "slurm"):
        assert (REPOSITORY / name / "config.yaml").is_file()
