"""A bundle as an MLflow model: a folder that MLflow serves, logs and registers.

The model names the module of the installed deepself that loads it (MLflow's loader modules), so
that the folder holds no code and no pickle.
"""

import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from deepself import __version__
from deepself.errors import UserError
from deepself.inference.card import CARD
from deepself.inference.folder import SPECIFICATION, read_specification
from deepself.inference.spec import BundleSpec
from deepself.store.files import atomic_folder
from deepself.tracking.examples import example
from deepself.tracking.requests import EXTRA, PARAMETERS
from deepself.tracking.server import connect, experiment, explained

if TYPE_CHECKING:
    from mlflow.models import ModelSignature

LOADER = "deepself.tracking.serving"

MODEL = "MLmodel"
"""What a folder is known as an MLflow model by."""

PACKAGES = (
    *("torch", "torchvision", "timm", "numpy", "scipy", "librosa", "soxr", "soundfile", "pillow"),
    *("scikit-learn", "PyWavelets", "safetensors", "pydantic", "mlflow", "pandas"),
    *("av", "braindecode"),
)
"""What loads and answers, where it is installed."""


def share(bundle: Path, output: Path) -> Path:
    """Write a bundle as an MLflow model.

    Parameters
    ----------
    bundle
        The bundle, which is copied.
    output
        The folder to be; an earlier MLflow model there is replaced.

    Raises
    ------
    UserError
        It is no bundle, or there is something else of the output's name.
    """
    spec = read_specification(bundle)
    if (
        output.exists()
        and not (output / MODEL).is_file()
        and (output.is_file() or any(output.iterdir()))
    ):
        raise UserError(f"{output}: exists, and is no MLflow model; name another by --output")
    here, there = bundle.resolve(), output.resolve()
    if here in there.parents or there in here.parents:
        raise UserError(f"--output {output}: is in the bundle, or holds it; name another folder")
    with atomic_folder(output) as temporary:
        _save(spec, bundle, temporary)
        shutil.copyfile(bundle / CARD, temporary / CARD)
    return output


def register(bundle: Path, name: str, uri: str) -> int:
    """Log a bundle to a tracking server, as a version of a registered model.

    Parameters
    ----------
    bundle
        The bundle.
    name
        Of the registered model.
    uri
        Of the server or database.

    Returns
    -------
    int
        The version.

    Raises
    ------
    UserError
        It is no bundle, or the server refuses.
    """
    spec = read_specification(bundle)
    with explained(uri):
        client = connect(uri, bundle.parent)
        import mlflow

        where = experiment(client, uri, spec.study, bundle.parent)
        before = mlflow.get_tracking_uri()
        mlflow.set_tracking_uri(uri)
        try:
            with (
                _alone(spec, bundle) as staged,
                mlflow.start_run(experiment_id=where, run_name=f"bundle {spec.name}"),
            ):
                found = mlflow.pyfunc.log_model(
                    name=_model_name(spec.name),
                    registered_model_name=name,
                    tags={"deepself.study": spec.study, f"deepself.{spec.kind}": spec.name},
                    **_content(spec, staged),
                )
        finally:
            mlflow.set_tracking_uri(before)
        number = str(found.registered_model_version)
        card = (bundle / CARD).read_text(encoding="utf-8")
        client.update_model_version(name, number, card)
    return int(number)


def _save(spec: BundleSpec, bundle: Path, folder: Path) -> None:
    import mlflow.pyfunc

    with _alone(spec, bundle) as staged:
        mlflow.pyfunc.save_model(folder, **_content(spec, staged))


@contextmanager
def _alone(spec: BundleSpec, bundle: Path) -> Iterator[Path]:
    """A folder with the bundle's own files alone: what else lies in it is not sent."""
    with TemporaryDirectory() as temporary:
        staged = Path(temporary) / bundle.resolve().name
        for name in (SPECIFICATION, *spec.files):
            target = staged / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(bundle / name, target)
        yield staged


def _content(spec: BundleSpec, bundle: Path) -> dict[str, Any]:
    """What MLflow is told of a model."""
    # Of the folder that one happens to be in, nothing belongs to the model.
    os.environ["MLFLOW_UV_AUTO_DETECT"] = "false"
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    return {
        "loader_module": LOADER,
        "data_path": str(bundle.resolve()),
        "signature": signature(spec),
        "input_example": example(spec),
        "pip_requirements": requirements(),
        "metadata": {"study": spec.study, spec.kind: spec.name, "classes": spec.classes},
    }


def signature(spec: BundleSpec) -> "ModelSignature":
    """Columns in and out, and parameters.

    A modality's column is of any type, as a recording is a file's content or an array.
    """
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema, TensorSpec
    from mlflow.types.schema import AnyType, Array, Map

    inputs: list[ColSpec | TensorSpec] = [ColSpec(AnyType(), name) for name in spec.modalities]
    inputs += [ColSpec(AnyType(), name, required=False) for name in EXTRA]
    kinds = {bool: DataType.boolean, str: DataType.string, float: DataType.double}
    parameters = [
        ParamSpec(name, kinds[kind], False if kind is bool else None)
        for name, kind in PARAMETERS.items()
    ]
    outputs: list[ColSpec | TensorSpec] = [
        ColSpec(DataType.string, "name"),
        ColSpec(DataType.string, "label", required=False),
        ColSpec(Map(DataType.double), "probabilities", required=False),
        ColSpec(DataType.boolean, "unsure", required=False),
        ColSpec(Array(DataType.string), "notes"),
        ColSpec(DataType.string, "problem", required=False),
        ColSpec(DataType.double, "start", required=False),
        ColSpec(DataType.double, "end", required=False),
    ]
    return ModelSignature(Schema(inputs), Schema(outputs), ParamSchema(parameters))


def requirements() -> list[str]:
    """The installed packages that a model needs, as pip takes them.

    What a build says of itself behind a plus, such as PyTorch's `+cpu`, is on no index.
    """
    found = [f"deepself=={__version__}"]
    for name in PACKAGES:
        try:
            found.append(f"{name}=={version(name).partition('+')[0]}")
        except PackageNotFoundError:
            continue
    return found


def _model_name(text: str) -> str:
    """MLflow's names of models have no such signs."""
    return text.translate(str.maketrans('/:.%"' + "'", "______"))
