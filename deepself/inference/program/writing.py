"""A program written to a file, as ONNX or as an exported program of torch's, and checked."""

import json
import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from deepself import __version__
from deepself.errors import UserError
from deepself.inference.answers import Asked
from deepself.inference.bundle import Bundle
from deepself.inference.program.examples import Examples
from deepself.inference.program.inputs import ProgramInput
from deepself.inference.program.module import Program
from deepself.store.files import atomic_path

Form = Literal["onnx", "torch"]

OPSET = 18
"""Of ONNX: what runtimes of the last years read."""

SUFFIXES: dict[Form, str] = {"onnx": ".onnx", "torch": ".pt2"}
"""Of files: torch reads no others."""

OUTPUTS = ("probabilities", "label")
"""What a program gives."""

AXES = ("batch", "windows")
"""Axes of any size, by name."""

METADATA = "deepself.json"
"""Where a program of torch's keeps its metadata: an extra file."""

LARGEST = 2**31 - 2**24
"""Bytes of weights that fit an ONNX file, which is one message of Protocol Buffers."""

CLOSE = 1e-4
"""How far probabilities by what is read back may be from those by what was written."""

SAME = 1e-3
"""How far those may be from the bundle's: signals' transforms are computed in another order."""

BATCHES = (1, 3)
"""Sizes that are tried."""

TRACED = 2
"""Size of the batch that is traced: torch takes sizes of 0 and 1 for constants."""


@dataclass(frozen=True)
class Written:
    """What was written.

    Attributes
    ----------
    path
        The file.
    inputs
        What it takes.
    difference
        Largest one between probabilities by the file and by the module that was written.
    from_bundle
        Likewise between the module and the bundle, of recordings that were made up.
    """

    path: Path
    inputs: list[ProgramInput]
    difference: float
    from_bundle: float


def write(
    bundle: Bundle, program: Program, form: Form, path: Path, calibrated: bool, fold: str | None
) -> Written:
    """Write a program, read it back, and compare what both say.

    Parameters
    ----------
    bundle, program
        The bundle, and the program made of it.
    form
        Of the file.
    path
        The file to be; an earlier one is replaced.
    calibrated, fold
        As the program was made.

    Raises
    ------
    UserError
        A package is missing, torch cannot express the program in this form, or the file does not
        give what the program gives; then there is no file.
    """
    _require(form, path)
    examples = Examples(bundle, program)
    from_bundle = _from_bundle(bundle, program, examples, calibrated, fold)
    exported = _exported(program, examples.batch(TRACED, 0)[0])
    about = metadata(bundle, program, calibrated, fold)
    with atomic_path(path) as temporary:
        if form == "onnx":
            _write_onnx(exported, program, about, temporary)
            read = _read_onnx(temporary)
        else:
            _write_torch(exported, about, temporary)
            read = _read_torch(temporary)
        difference = _largest(program, read, examples)
        if not difference <= CLOSE:
            raise UserError(
                f"{path}: not written: its probabilities differ from the bundle's by up to "
                f"{difference:.2g}, more than {CLOSE:g}"
            )
    return Written(path, program.inputs, difference, from_bundle)


def metadata(
    bundle: Bundle, program: Program, calibrated: bool, fold: str | None
) -> dict[str, Any]:
    """What a program says of itself: JSON values by name."""
    spec = bundle.spec
    return {
        "bundle": spec.name,
        "study": spec.study,
        "kind": spec.kind,
        "classes": list(bundle.classes),
        "inputs": [one.described() for one in program.inputs],
        "sample_rates": {
            one.name: one.sample_rate for one in program.inputs if one.sample_rate is not None
        },
        "features": {
            name: feature.model_dump(mode="json") for name, feature in spec.features.items()
        },
        "fold": fold,
        "calibrated": calibrated,
        "deepself": __version__,
    }


def _require(form: Form, path: Path) -> None:
    """Refuse early what another name or packages that are not there would stop."""
    if path.suffix != SUFFIXES[form]:
        raise UserError(f"--output: {path} must end in {SUFFIXES[form]}")
    if form == "onnx":
        from importlib.util import find_spec

        for package in ("onnx", "onnxscript", "onnxruntime"):
            if find_spec(package) is None:
                raise UserError(
                    f'--to onnx: needs the package {package}: pip install "deepself[onnx]"'
                )


def _from_bundle(
    bundle: Bundle, program: Program, examples: Examples, calibrated: bool, fold: str | None
) -> float:
    """How far the module is from the bundle, of recordings that were made up.

    Raises
    ------
    UserError
        Farther than rounding explains.
    """
    inputs, features = examples.batch(max(BATCHES), 1)
    ours, _ = program(*inputs)
    theirs = bundle.of_features(features, Asked(fold, calibrated))
    far = float(np.abs(ours.numpy() - theirs).max())
    if not far <= SAME and not _rounded(bundle, program):
        raise UserError(
            f"the program's probabilities differ from the bundle's by up to {far:.2g}, "
            f"more than {SAME:g}; try --features outside"
        )
    return far


def _rounded(bundle: Bundle, program: Program) -> bool:
    """Whether the bundle itself computes in 16 bits; programs do in 32."""
    settings = [bundle.spec.runs[name].training for name in program.run_names]
    return any(one.precision != "float32" for one in settings)


def _exported(program: Program, inputs: tuple[Tensor, ...]) -> torch.export.ExportedProgram:
    """The program as a graph, for batches of any size."""
    dims = {name: torch.export.Dim(name, min=1) for name in AXES}
    shapes = tuple({axis: dims[name] for axis, name in own.items()} for own in _axes(program))
    try:
        with _quiet(), torch.no_grad():
            return torch.export.export(program, inputs, dynamic_shapes=(shapes,), strict=False)
    except Exception as error:  # the exporter fails in its own ways, by operator
        raise UserError(f"torch cannot export it: {_line(error)}") from error


def _axes(program: Program) -> tuple[dict[int, str], ...]:
    """Names of each input's axes that may have any size."""
    batch, windows = AXES
    return tuple(
        {0: batch, 1: windows} if None in one.shape else {0: batch} for one in program.inputs
    )


def _write_onnx(
    exported: torch.export.ExportedProgram, program: Program, about: dict[str, Any], path: Path
) -> None:
    size = sum(v.numel() * v.element_size() for v in program.state_dict().values())
    if size > LARGEST:
        raise UserError(
            f"{size / 1e9:.1f} GB of weights are more than an ONNX file can hold; convert "
            "a fold alone by --fold, or --to torch"
        )
    try:
        with _quiet():
            written = torch.onnx.export(
                exported,
                input_names=[one.name for one in program.inputs],
                output_names=list(OUTPUTS),
                opset_version=OPSET,
                dynamic_shapes=(_axes(program),),  # of the graph, which has them, only the names
                verbose=False,
            )
    except Exception as error:
        raise UserError(f"torch cannot write it as ONNX: {_line(error)}") from error
    assert written is not None
    for key, value in about.items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        written.model.metadata_props[key] = text
    written.model.producer_name, written.model.producer_version = "deepself", __version__
    written.save(path, external_data=False)


Reader = Callable[[Sequence[Tensor]], tuple[np.ndarray, np.ndarray]]
"""Probabilities and labels that a file gives for inputs."""


def _read_onnx(path: Path) -> Reader:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [one.name for one in session.get_inputs()]

    def run(inputs: Sequence[Tensor]) -> tuple[np.ndarray, np.ndarray]:
        given = {name: one.numpy() for name, one in zip(names, inputs, strict=True)}
        probabilities, label = session.run(list(OUTPUTS), given)
        return probabilities, label

    return run


def _write_torch(exported: torch.export.ExportedProgram, about: dict[str, Any], path: Path) -> None:
    said = {METADATA: json.dumps(about, ensure_ascii=False)}
    # By way of a stream: of files, torch judges by the suffix, which a temporary one lacks.
    with _quiet(), open(path, "wb") as stream:
        torch.export.save(exported, stream, extra_files=said)


def _read_torch(path: Path) -> Reader:
    with _quiet(), open(path, "rb") as stream:
        module = torch.export.load(stream).module()

    def run(inputs: Sequence[Tensor]) -> tuple[np.ndarray, np.ndarray]:
        probabilities, label = module(*inputs)
        return probabilities.numpy(), label.numpy()

    return run


def _largest(program: Program, read: Reader, examples: Examples) -> float:
    """Largest difference over batches of noise and of what looks like recordings."""
    largest = 0.0
    for seed, rows in enumerate(BATCHES, start=2):
        inputs, _ = examples.batch(rows, seed)
        wanted, _ = program(*inputs)
        found, _ = read(inputs)
        if found.shape != tuple(wanted.shape):
            return float("inf")
        largest = max(largest, float(np.abs(found - wanted.numpy()).max()))
    return largest


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what the exporters tell their developers from the user."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [one.level for one in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for one in loggers:
            one.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for one, level in zip(loggers, levels, strict=True):
                one.setLevel(level)


def _line(error: Exception) -> str:
    """The first line that says something."""
    return next(
        filter(None, (line.strip() for line in str(error).splitlines())), type(error).__name__
    )
