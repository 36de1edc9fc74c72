"""Logging a study to MLflow, as often as one likes: each result is one run there."""

import getpass
import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from deepself.evaluation.provenance import git_commit, without_password
from deepself.store.files import write_json
from deepself.study import Layout, Study
from deepself.tracking.entries import Entry, entries
from deepself.tracking.record import DIGEST, KEY, PARENT, begin, fill
from deepself.tracking.server import connect, experiment, explained

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel, Run

STUDY, ORIGIN = "deepself.study", "deepself.origin"


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
    that the study no longer has is deleted, each with its logged model. An interrupted call is
    mended by the next: a run gets its digest last. Runs that another user, machine or clone
    logged of a study of the same name are theirs, and stay.

    Raises
    ------
    UserError
        If results are missing, or the tracking URI cannot be logged to.
    """
    wanted = entries(study, layout)
    uri, name = study.tracking.uri, study.tracking.experiment or study.name
    shown = without_password(uri, uri)
    with explained(uri):
        client = connect(uri, layout.results)
        where = experiment(client, uri, name, layout.results)
        ids, counts = _align(client, where, {STUDY: study.name, ORIGIN: origin(layout)}, wanted)
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
    return quote(f"{_user()}:{layout.results.resolve()}", safe="/:")


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have a number and no name
        return str(os.getuid())


def _made_by() -> dict[str, str]:
    """Tags that MLflow's own columns show, and the commit."""
    tags = {"mlflow.user": _user(), "mlflow.source.name": "deepself track"}
    tags["mlflow.source.type"] = "LOCAL"
    if commit := git_commit():
        tags |= {"deepself.commit": commit, "mlflow.source.git.commit": commit.split()[0]}
    return tags


def _align(
    client: "MlflowClient", where: str, owner: dict[str, str], wanted: list[Entry]
) -> tuple[dict[str, str], Counter]:
    """Make what lacks, replace what changed, delete the rest; return run ids by key."""
    ours = " AND ".join(f"tags.`{name}` = '{value}'" for name, value in owner.items())
    there: list[Run] = _all(client.search_runs, [where], ours)
    models: list[LoggedModel] = _all(client.search_logged_models, [where], ours)
    counts: Counter = Counter()
    digests = {entry.key: entry.digest for entry in wanted}
    kept = _kept(there, models, wanted, digests)
    stay = {run.info.run_id for run in kept.values()}
    for model in models:
        if model.source_run_id not in stay:
            client.delete_logged_model(model.model_id)
    for run in there:
        if run.info.run_id not in stay:
            client.delete_run(run.info.run_id)
            if run.data.tags.get(KEY) not in digests:
                counts["deleted"] += 1
    known = {run.data.tags.get(KEY) for run in there}
    common = owner | _made_by()
    ids: dict[str, str] = {}
    begun: dict[str, Run] = {}
    for entry in wanted:
        key, parent = entry.key, ids[entry.parent] if entry.parent else None
        if key in kept:
            ids[key] = kept[key].info.run_id
            if parent and kept[key].data.tags.get(PARENT) != parent:
                client.set_tag(ids[key], PARENT, parent)
            counts["unchanged"] += 1
        else:
            begun[key] = begin(client, where, entry, common, parent)
            ids[key] = begun[key].info.run_id
            counts["replaced" if key in known else "new"] += 1
    # MLflow lists models the latest first: those of the study before those of its folds.
    last_first = wanted[::-1]
    for entry in sorted(last_first, key=lambda one: -one.key.count("/")):
        if entry.key in begun:
            fill(client, begun[entry.key], entry, common, digests[entry.key])
    return ids, counts


def _all(search: Callable[..., Any], where: list[str], wanted: str) -> list:
    """What a search finds, on all its pages; also what an interrupted call left."""
    found: list = []
    token = None
    while True:
        page = search(where, wanted, page_token=token)
        found += page
        token = page.token
        if not token:
            return found


def _kept(
    there: list["Run"], models: list["LoggedModel"], wanted: list[Entry], digests: dict[str, str]
) -> dict[str, "Run"]:
    """Runs by key that are as wanted, with their models."""
    modelled = {entry.key for entry in wanted if entry.model_type is not None}
    sources = {model.source_run_id for model in models}
    kept: dict[str, Run] = {}
    for run in there:
        key = run.data.tags.get(KEY, "")
        if key in modelled and run.info.run_id not in sources:
            continue
        if key in digests and run.data.tags.get(DIGEST) == digests[key]:
            kept.setdefault(key, run)
    return kept
