"""Talking to MLflow: quiet, and with errors that name the tracking URI."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
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
_TRAINING = {"mlflow.experimentKind": "custom_model_development"}
"""Tells MLflow's pages to show training runs, rather than traces of language models."""


def connect(uri: str) -> "MlflowClient":
    """A client for a tracking URI; the folder of an SQLite file is made where it lacks."""
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    from mlflow import MlflowClient

    for chatter in ("mlflow", "alembic"):
        logging.getLogger(chatter).setLevel(logging.WARNING)
    if (path := database(uri)) is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
    return MlflowClient(tracking_uri=uri)


def experiment(client: "MlflowClient", uri: str, name: str) -> str:
    """Id of the experiment, made or brought back where it lacks.

    Artefacts of an SQLite file lie in `mlartifacts` beside it, wherever later jobs are started;
    a server decides for itself.
    """
    found = client.get_experiment_by_name(name)
    if found is None:
        path = database(uri)
        location = None if path is None else (path.resolve().parent / "mlartifacts").as_uri()
        return client.create_experiment(name, location, _TRAINING)
    if found.lifecycle_stage == "deleted":
        client.restore_experiment(found.experiment_id)
    return found.experiment_id


def database(uri: str) -> Path | None:
    """Path of an SQLite tracking URI's file, or None for any other."""
    return Path(uri.removeprefix(_SQLITE)) if uri.startswith(_SQLITE) else None


@contextmanager
def explained(uri: str) -> Iterator[None]:
    """Turn what MLflow and its stores raise into one line for the user."""
    try:
        from mlflow.exceptions import MlflowException
        from sqlalchemy.exc import SQLAlchemyError
    except ImportError as error:
        raise UserError(f"MLflow cannot be imported ({error}); install mlflow") from None
    try:
        yield
    except (MlflowException, SQLAlchemyError, OSError, ImportError) as error:
        lines = without_password(uri, str(error)).strip().splitlines()
        reason = lines[0] if lines else type(error).__name__
        if len(reason) > 300:
            reason = reason[:299] + "…"
        shown = without_password(uri, uri)
        raise UserError(f"tracking.uri {shown}: cannot be logged to: {reason}") from None
