"""What made a study's results: the study itself, and the commit of the code."""

import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from deepself.study import Study


def study_content(study: Study) -> dict[str, Any]:
    """The study with every default written out, as a file that can be read again would say it."""
    content = study.model_dump(mode="json")
    for model in content["models"].values():
        if model["classifier"] is not None:
            del model["training"]  # belongs to networks; beside a classifier it is refused
    return content


def study_yaml(study: Study) -> str:
    """`study_content` as text, without a password that the tracking URI may hold."""
    uri = study.tracking.uri
    content = study_content(study)
    content["tracking"]["uri"] = without_password(uri, uri)
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True)


def without_password(uri: str, text: str) -> str:
    """A text in which the password of a URI is starred out."""
    try:
        password = urlsplit(uri).password
    except ValueError:
        password = None
    return text.replace(f":{password}@", ":***@") if password else text


def git_commit(folder: Path | None = None) -> str | None:
    """The commit checked out in `folder` (default: here), and whether anything is uncommitted."""
    head = _git(["rev-parse", "HEAD"], folder)
    if not head:
        return None
    changed = _git(["status", "--porcelain", "--untracked-files=no"], folder)
    return head + (" with uncommitted changes" if changed else "")


def _git(arguments: list[str], folder: Path | None) -> str:
    """What git prints, or nothing where there is no git, no repository or no commit."""
    command = ["git", *arguments]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
