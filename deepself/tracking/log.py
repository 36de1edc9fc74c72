"""Logging a study to MLflow, as often as one likes: each result is one run there."""

import getpass
import os
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from deepself.evaluation.provenance import git_commit, without_password
from deepself.store.files import write_json
from deepself.study import Layout, Study
from deepself.tracking.entries import Entry, entries
from deepself.tracking.server import connect, experiment, explained

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

KEY, DIGEST = "deepself.key", "deepself.digest"
STUDY, ORIGIN = "deepself.study", "deepself.origin"
PARENT = "mlflow.parentRunId"

_METRICS, _PARAMETERS = 1000, 100
"""What MLflow takes at once."""

_LONGEST = 6000
"""Characters that MLflow takes of a parameter's value."""


@dataclass(frozen=True)
class Outcome:
    """What tracking did: where, and how many runs are new, replaced, unchanged and deleted."""

    uri: str
    experiment: str
    counts: Counter

    def __str__(self) -> str:
        words = ("new", "replaced", "unchanged", "deleted")
        done = ", ".join(f"{self.counts[word]} {word}" for word in words if self.counts[word])
        return f"runs in experiment {self.experiment} at {self.uri}: {done}"


def track(study: Study, layout: Layout) -> Outcome:
    """Bring MLflow's runs of a study in line with its results; write tracking.json.

    A run whose content is there already is left as it is, a changed one is replaced, and one
    that the study no longer has is deleted. An interrupted call is mended by the next: a run
    gets its digest last. Runs that another user, machine or clone logged of a study of the same
    name are theirs, and stay.

    Raises
    ------
    UserError
        If results are missing, or the tracking URI cannot be logged to.
    """
    wanted = entries(study, layout)
    uri, name = study.tracking.uri, study.tracking.experiment or study.name
    shown = without_password(uri, uri)
    counts: Counter = Counter()
    with explained(uri):
        client = connect(uri)
        where = experiment(client, uri, name)
        owner = {STUDY: study.name, ORIGIN: origin(layout)}
        there = _existing(client, where, owner)
        ids = _align(client, where, owner, wanted, there, counts)
    write_json(
        layout.tracking,
        {"uri": shown, "experiment": name, "experiment_id": where, "runs": ids},
    )
    return Outcome(shown, name, counts)


def origin(layout: Layout) -> str:
    """Who tracks from where, as `user:folder`.

    Without the host's name: a cluster's nodes share folders, and a container's name is drawn anew.
    Written as in a URL, since MLflow's search has no way to quote a quotation mark.
    """
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user may have a number and no name
        user = str(os.getuid())
    place = f"{user}:{layout.results.resolve()}"
    return quote(place, safe="/:")


def _existing(client: "MlflowClient", where: str, owner: dict[str, str]) -> list["Run"]:
    """All runs of this study from here, also such as an interrupted call left."""
    wanted = " AND ".join(f"tags.`{name}` = '{value}'" for name, value in owner.items())
    found: list[Run] = []
    token = None
    while True:
        page = client.search_runs([where], wanted, max_results=1000, page_token=token)
        found += page
        token = page.token
        if not token:
            return found


def _align(
    client: "MlflowClient",
    where: str,
    owner: dict[str, str],
    wanted: list[Entry],
    there: list["Run"],
    counts: Counter,
) -> dict[str, str]:
    """Make what lacks, replace what changed, delete the rest; return run ids by key."""
    digests = {entry.key: entry.digest for entry in wanted}
    kept: dict[str, Run] = {}
    known = {run.data.tags.get(KEY) for run in there}
    for run in there:
        key = run.data.tags.get(KEY, "")
        same = key in digests and run.data.tags.get(DIGEST) == digests[key]
        if same and key not in kept:
            kept[key] = run
        else:
            client.delete_run(run.info.run_id)
            counts["deleted"] += key not in digests
    ids: dict[str, str] = {}
    common = dict(owner)
    if commit := git_commit():
        common |= {"deepself.commit": commit, "mlflow.source.git.commit": commit.split()[0]}
    for entry in wanted:
        parent = ids[entry.parent] if entry.parent else None
        if entry.key in kept:
            run = kept[entry.key]
            ids[entry.key] = run.info.run_id
            if parent and run.data.tags.get(PARENT) != parent:
                client.set_tag(run.info.run_id, PARENT, parent)
            counts["unchanged"] += 1
        else:
            tags = common | ({PARENT: parent} if parent else {})
            ids[entry.key] = _log(client, where, entry, tags, digests[entry.key])
            counts["replaced" if entry.key in known else "new"] += 1
    return ids


def _log(
    client: "MlflowClient", where: str, entry: Entry, tags: dict[str, str], digest: str
) -> str:
    from mlflow.entities import Metric, Param, RunTag

    now = int(time.time() * 1000)
    begun = now - int(1000 * (entry.seconds or 0))  # so that MLflow shows the run's own duration
    run = client.create_run(where, begun, {**tags, KEY: entry.key}, entry.name)
    run_id = run.info.run_id
    labels = [RunTag(name, value) for name, value in entry.tags.items()]
    if labels:
        client.log_batch(run_id, tags=labels)
    parameters = [Param(_name(k), v[:_LONGEST]) for k, v in entry.parameters.items()]
    for some in _batches(parameters, _PARAMETERS):
        client.log_batch(run_id, params=some)
    metrics = [Metric(_name(k), v, now, step) for k, v, step in entry.metrics]
    for several in _batches(metrics, _METRICS):
        client.log_batch(run_id, metrics=several)
    for path in entry.files:
        client.log_artifact(run_id, str(path))
    for name, text in entry.texts.items():
        client.log_text(run_id, text, name)
    client.set_tag(run_id, DIGEST, digest)
    client.set_terminated(run_id, end_time=now)
    return run_id


def _name(text: str) -> str:
    """MLflow's names: letters, digits, and a few signs."""
    return "".join(c if c.isascii() and (c.isalnum() or c in "_-./ ") else "_" for c in text)


def _batches(things: Sequence, size: int) -> Iterator[Sequence]:
    for start in range(0, len(things), size):
        yield things[start : start + size]
