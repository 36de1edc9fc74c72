"""Talking to MLflow: quiet, and with errors that name the tracking URI."""

import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from deepself.errors import UserError
from deepself.evaluation.provenance import without_password

if TYPE_CHECKING:
    from mlflow import MlflowClient

_QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    # A server that is down is named within seconds, not after seven growing pauses.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "60",
}
_SQLITE = "sqlite:///"
_DATABASES = ("sqlite", "postgresql", "mysql", "mssql")
_TAGS = {
    "mlflow.experimentKind": "custom_model_development",
    "mlflow.experiment.primaryMetric.name": "test_uar",
    "mlflow.experiment.primaryMetric.greaterIsBetter": "True",
}
"""Tell MLflow's pages to show training runs, rather than traces of language models, and by what."""


def connect(uri: str, results: Path) -> "MlflowClient":
    """A client for a tracking URI; the folder of an SQLite file is made where it lacks.

    MLflow lays out the tables of a new database with the first client. When two studies do so at
    once, one finds half of them, so the second waits: beside an SQLite file, or in the folder of
    all results.
    """
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    from mlflow import MlflowClient

    for chatter in ("mlflow", "alembic"):
        logging.getLogger(chatter).setLevel(logging.WARNING)
    if not is_database(uri):
        return MlflowClient(tracking_uri=uri)
    path = sqlite_file(uri)
    if path is None:
        _probe(uri)
        path = results / "mlflow"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(f".{path.name}.lock").open("a") as file:
        with suppress(OSError):  # a file system may have no locks
            fcntl.flock(file, fcntl.LOCK_EX)
        return MlflowClient(tracking_uri=uri)


def _probe(uri: str) -> None:
    """Connect to a database once: MLflow would try for minutes, and print each failure."""
    from sqlalchemy import create_engine

    engine = create_engine(uri)
    engine.connect().close()
    engine.dispose()


def experiment(client: "MlflowClient", uri: str, name: str, results: Path) -> str:
    """Id of the experiment, made or brought back where it lacks.

    Artefacts of an SQLite file lie in `mlartifacts` beside it, wherever later jobs are started,
    those of another database in `mlartifacts` in the folder of all results; a server decides for
    itself.
    """
    from mlflow.exceptions import MlflowException

    found = client.get_experiment_by_name(name)
    if found is None:
        location = None
        if is_database(uri):
            path = sqlite_file(uri)
            folder = (path.parent if path else results).resolve()
            location = (folder / "mlartifacts").as_uri()
        try:
            return client.create_experiment(name, location, _TAGS)
        except MlflowException:  # another study may have made it just now
            found = client.get_experiment_by_name(name)
            if found is None:
                raise
    if found.lifecycle_stage == "deleted":
        try:
            client.restore_experiment(found.experiment_id)
        except MlflowException:
            if client.get_experiment(found.experiment_id).lifecycle_stage == "deleted":
                raise
    return found.experiment_id


def is_database(uri: str) -> bool:
    """Whether a tracking URI is that of a database, rather than of a server."""
    return uri.split("://")[0].split("+")[0] in _DATABASES


def sqlite_file(uri: str) -> Path | None:
    """Path of an SQLite tracking URI's file, or None for any other."""
    return Path(uri.removeprefix(_SQLITE)) if uri.startswith(_SQLITE) else None


@contextmanager
def explained(uri: str) -> Iterator[None]:
    """Turn what MLflow and its stores raise into one line for the user."""
    try:
        from alembic.util.exc import CommandError
        from mlflow.exceptions import MlflowException
        from sqlalchemy.exc import SQLAlchemyError
    except ImportError as error:
        raise UserError(f"MLflow cannot be imported ({error}); install mlflow") from None
    try:
        yield
    except (MlflowException, SQLAlchemyError, CommandError, OSError, ImportError) as error:
        lines = without_password(uri, str(error)).strip().splitlines()
        reason = lines[0] if lines else type(error).__name__
        if len(reason) > 300:
            reason = reason[:299] + "…"
        shown = without_password(uri, uri)
        raise UserError(f"tracking.uri {shown}: cannot be logged to: {reason}") from None
