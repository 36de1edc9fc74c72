"""Importing torchvision, also where its compiled operators do not load.

torchvision's Linux wheel is built against CUDA PyTorch. Beside a CPU-only PyTorch its library of
operators cannot be loaded, and the import then stops where it gives two of them, ``nms`` and
``qnms``, a shape rule: "operator torchvision::nms does not exist". Models and transforms need
neither, so it is enough that the two names are declared.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from types import ModuleType

import torch

from deepself.eager import without_compiler

SCHEMAS = {
    "nms": "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}
_declared: list[torch.library.Library] = []  # a declaration lasts as long as its object


def import_torchvision() -> ModuleType:
    """Import torchvision; where its operators do not load, declare the two it cannot do without.

    Returns
    -------
    module
        ``torchvision``.

    Raises
    ------
    ImportError
        Where torchvision is not installed.
    """
    if "torchvision" not in sys.modules and not _operators_load():
        _declare()
    with without_compiler():
        return importlib.import_module("torchvision")


def _operators_load() -> bool:
    """Try torchvision's compiled library, as its import will; loading it twice does no harm."""
    spec = importlib.util.find_spec("torchvision")
    if spec is None or spec.origin is None:
        raise ImportError("torchvision is not installed: pip install torchvision")
    folder = Path(spec.origin).parent
    for suffix in EXTENSION_SUFFIXES:
        library = folder / f"_C{suffix}"
        if library.exists():
            try:
                torch.ops.load_library(str(library))
            except OSError:
                return False
            return True
    return False


def _declare() -> None:
    """Declare the schemas that are not there; calling such an operator still fails, by name."""
    library = torch.library.Library("torchvision", "FRAGMENT")
    for name, schema in SCHEMAS.items():
        if not hasattr(torch.ops.torchvision, name):
            library.define(schema)
    _declared.append(library)
