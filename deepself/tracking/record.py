"""One entry as one MLflow run, with its data sets and its logged model."""

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from deepself.tracking.datasets import Data
from deepself.tracking.entries import Entry

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Dataset, Metric, Run

KEY, DIGEST, PARENT = "deepself.key", "deepself.digest", "mlflow.parentRunId"

_METRICS, _PARAMETERS = 1000, 100
"""What MLflow takes at once."""

_LONGEST = 6000
"""Characters that MLflow takes of a parameter's value."""

_ATTEMPTS = 3


def begin(
    client: "MlflowClient", where: str, entry: Entry, tags: dict[str, str], parent: str | None
) -> "Run":
    """Make an entry's run, to be filled.

    Parameters
    ----------
    client, where
        MLflow, and the experiment's id.
    entry
        What is to be logged.
    tags
        Of the run, besides the entry's.
    parent
        Id of the run that it is nested in.
    """
    begun = int(time.time() * 1000) - _milliseconds(entry)
    nested = {} if parent is None else {PARENT: parent}
    own = {**tags, **entry.tags, KEY: entry.key, **nested}
    return client.create_run(where, begun, own, entry.name)


def fill(
    client: "MlflowClient", run: "Run", entry: Entry, tags: dict[str, str], digest: str
) -> None:
    """Log an entry to its run.

    Parameters
    ----------
    client
        MLflow.
    run
        What `begin` made of the entry.
    entry
        What is logged.
    tags
        Of the logged model, besides the entry's.
    digest
        The entry's, which the run gets when all else is there.
    """
    from mlflow.entities import LoggedModelOutput, Param

    run_id, where = run.info.run_id, run.info.experiment_id
    parameters = {_name(k): v[:_LONGEST] for k, v in entry.parameters.items()}
    for some in _batches([Param(k, v) for k, v in parameters.items()], _PARAMETERS):
        client.log_batch(run_id, params=some)
    if entry.data:
        log_data(client, run_id, entry.data)
    model_id = None
    if entry.model_type is not None:
        name, own = _model_name(entry.name), {**tags, **entry.tags, KEY: entry.key}
        model = client.create_logged_model(where, name, run_id, own, parameters, entry.model_type)
        model_id = model.model_id
        client.log_outputs(run_id, [LoggedModelOutput(model_id, 0)])
    # MLflow shows the run's own duration, not that of logging it.
    end = run.info.start_time + _milliseconds(entry)
    for several in _batches(_metrics(entry, end, model_id), _METRICS):
        client.log_batch(run_id, metrics=several)
    for name, path in entry.files.items():
        client.log_artifact(run_id, str(path), name.rpartition("/")[0] or None)
    for name, text in entry.texts.items():
        client.log_text(run_id, text, name)
    if model_id is not None:
        client.finalize_logged_model(model_id, "READY")
    client.set_tag(run_id, DIGEST, digest)
    client.set_terminated(run_id, end_time=end)


def _milliseconds(entry: Entry) -> int:
    return int(1000 * (entry.seconds or 0))


def _metrics(entry: Entry, when: int, model_id: str | None) -> list["Metric"]:
    """Values also belong to the model and the data set; curves to the run alone."""
    from mlflow.entities import Metric

    metrics = []
    for one in entry.metrics:
        own: dict[str, str | None] = {}
        if one.of_model and model_id:
            own["model_id"] = model_id
            if data := entry.data.get(one.partition or ""):
                own |= {"dataset_name": data.name, "dataset_digest": data.digest}
        metrics.append(Metric(_name(one.name), one.value, when, 0, **own))
    return metrics + [Metric(_name(name), value, when, step) for name, value, step in entry.curves]


def log_data(client: "MlflowClient", run_id: str, data: dict[str, Data]) -> None:
    """Log what a run was trained and measured on.

    MLflow looks whether it has a data set and then writes it; when another study writes the same
    one in between, the database refuses, and the next attempt finds it.
    """
    from mlflow.entities import DatasetInput, InputTag
    from mlflow.exceptions import MlflowException

    inputs = [
        DatasetInput(_dataset(one), [InputTag("mlflow.data.context", context)])
        for context, one in data.items()
    ]
    for attempt in range(_ATTEMPTS):
        try:
            return client.log_inputs(run_id, inputs)
        except MlflowException:
            if attempt + 1 == _ATTEMPTS:
                raise
            time.sleep(0.1 * 2**attempt)


def _dataset(data: Data) -> "Dataset":
    from mlflow.entities import Dataset

    return Dataset(data.name, data.digest, "local", data.source, data.schema, data.profile)


def _name(text: str) -> str:
    """MLflow's names: letters, digits, and a few signs."""
    return "".join(c if c.isascii() and (c.isalnum() or c in "_-./ ") else "_" for c in text)


def _model_name(text: str) -> str:
    """Those of models have fewer signs."""
    return _name(text).translate(str.maketrans("./", "__"))


def _batches(things: Sequence, size: int) -> Iterator[Sequence]:
    for start in range(0, len(things), size):
        yield things[start : start + size]
