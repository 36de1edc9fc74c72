"""A bundle as MLflow's Python function: what `MLmodel` names as its loader.

Nothing that lies in the model's folder is executed: the bundle is data, and this module is of the
installed package.
"""

import functools
import json
import logging
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any

from deepself.errors import UserError
from deepself.inference.answers import Answer, Asked
from deepself.inference.bundle import Bundle
from deepself.tracking.requests import (
    LARGEST,
    Question,
    Request,
    asked,
    questions,
    read_request,
)

if TYPE_CHECKING:
    import pandas as pd

SERVER = "mlflow.pyfunc.scoring_server"

COLUMNS = ("name", "label", "probabilities", "unsure", "notes", "problem")
"""Of an answer; windows also have `start` and `end`."""

_log = logging.getLogger(__name__)

Row = dict[str, Any]


def _load_pyfunc(path: str) -> "Served":
    """Load the bundle that lies in an MLflow model, as MLflow calls it."""
    served = Served(Bundle(path))
    server = sys.modules.get(SERVER)
    if server is not None and os.environ.get(getattr(server, "_SERVER_MODEL_PATH", "")):
        _answer_by(server, served)
    return served


class Served:
    """A bundle that answers tables of recordings.

    Parameters
    ----------
    bundle
        What answers.
    """

    def __init__(self, bundle: Bundle):
        self.bundle = bundle

    def predict(self, data: Any, params: Mapping[str, Any] | None = None) -> "pd.DataFrame":
        """Answer for recordings.

        Parameters
        ----------
        data
            A table, or a list of mappings: a row a recording, a column a modality; perhaps
            `sample_rate` and `name`. A value is a file's bytes, or its base64; an array; or a
            mapping with `file` and `name`, or `array` and `sample_rate`.
        params
            See `PARAMETERS`.

        Returns
        -------
        DataFrame
            Rows in the order of the recordings, columns `COLUMNS`; of windows, one each.

        Raises
        ------
        MlflowException
            Of a request that cannot be understood, or where no recording can be answered for.
        """
        import pandas as pd
        from mlflow.exceptions import MlflowException

        rows = data.to_dict(orient="records") if isinstance(data, pd.DataFrame) else data
        if isinstance(rows, Mapping):
            rows = [rows]
        try:
            if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows):
                raise UserError("give a table: a row a recording, a column a modality")
            if not rows:
                raise UserError("the table holds no recordings")
            found = self.answer(Request(rows, dict(params or {})))
        except UserError as error:
            raise MlflowException.invalid_parameter_value(str(error)) from None
        return pd.DataFrame(
            {key: pd.Series([r[key] for r in found], dtype=object) for key in found[0]}
        )

    def answer(self, request: Request) -> list[Row]:
        """A row a recording, or a window of one.

        Raises
        ------
        UserError
            Of a request that cannot be understood, or where no recording can be answered for.
        """
        how = asked(self.bundle, request.parameters)
        found = list(self._answers(questions(request.rows, self.bundle.spec.modalities), how))
        if not any(one.predictions for one in found):
            first = found[0]
            those = f"; none of the {len(found)} can be answered for" if len(found) > 1 else ""
            raise UserError(f"recording {first.name}: {first.problem or 'has no answer'}{those}")
        return [row for one in found for row in _rows(one, how)]

    def _answers(self, asked_of: Sequence[Question], how: Asked) -> Iterator[Answer]:
        """Answers in the order of the questions; those that can be asked go in together."""
        good = [(one.name, one.sources) for one in asked_of if one.sources is not None]
        stream = self.bundle.stream(good, how)
        for one in asked_of:
            yield Answer(one.name, problem=one.problem) if one.sources is None else next(stream)


def _rows(answer: Answer, how: Asked) -> Iterator[Row]:
    for one in answer.predictions:
        row = {
            "name": answer.name,
            "label": one.label,
            "probabilities": one.probabilities,
            "unsure": one.unsure,
            "notes": list(one.notes),
            "problem": None,
        }
        yield row | ({} if how.window is None else {"start": one.start, "end": one.end})
    if answer.problem:
        row = {**dict.fromkeys(COLUMNS), "name": answer.name, "notes": []}
        row["problem"] = _one_line(answer.problem)
        yield row | ({} if how.window is None else {"start": None, "end": None})


def _answer_by(server: ModuleType, served: Served) -> None:
    """Let the scoring server, in whose process this is, answer as `respond` does.

    By itself it leaves out parameters that it does not know, says 500 to a request without a
    content type or with values that its tables cannot hold, and sends tracebacks and the request
    itself back.
    """
    usual: Callable | None = getattr(server, "invocations", None)
    response = getattr(server, "InvocationsResponse", None)
    if usual is None or response is None:
        _log.warning("MLflow's scoring server is another than this deepself knows")
        return

    @functools.wraps(usual)
    def invocations(data: bytes, content_type: str | None, *_: object) -> Any:
        status, text = respond(served, data, content_type)
        return response(response=text, status=status, mimetype="application/json")

    server.invocations = invocations  # type: ignore[attr-defined]


def respond(served: Served, body: bytes, content_type: str | None) -> tuple[int, str]:
    """Answer a request to `/invocations`.

    Parameters
    ----------
    served
        The bundle.
    body, content_type
        What was sent.

    Returns
    -------
    status : int
        Of HTTP.
    text : str
        JSON: `predictions`; or `error_code`, and as `message` one line.
    """
    kind = (content_type or "").partition(";")[0].strip().lower()
    if kind != "application/json":
        said = kind if kind.isascii() and kind.isprintable() and kind else "nothing"
        return _refused(
            415, "BAD_REQUEST", f"Content-Type: says {said[:60]}; send application/json"
        )
    if len(body) > LARGEST:
        return _refused(413, "BAD_REQUEST", f"the request has more than {LARGEST} bytes")
    try:
        return 200, json.dumps({"predictions": served.answer(read_request(body))})
    except UserError as error:
        return _refused(400, "INVALID_PARAMETER_VALUE", _one_line(str(error)))
    except Exception as error:
        # Of our own making; the one who runs the server reads why.
        _log.error("".join(traceback.format_exception(error)))
        return _refused(500, "INTERNAL_ERROR", "the server failed; its log says why")


def _refused(status: int, code: str, message: str) -> tuple[int, str]:
    return status, json.dumps({"error_code": code, "message": message})


def _one_line(text: str) -> str:
    return " ".join(text.split())
