"""Doing without torch's compiler, whose import takes as long as that of torch.

Torch's optimisers import it for two functions that mean something to the compiler alone: one that
marks a place in a program, one that exempts a function; so do the functions that stand in for
operators on the meta device. torchvision imports it to ask, one day, whether a device can compile.
Where these are at work, a stand-in gives what they want; at any other time `torch._dynamo` is what
it always is.
"""

import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import torch

NAME = "torch._dynamo"


class StandIn(ModuleType):
    """In the compiler's place; asked for anything else, it imports the compiler."""

    @staticmethod
    def graph_break(*_: object) -> None:
        """Mark a place where a compiled program is to be cut."""

    @staticmethod
    def disable(fn: Callable, *_: object, **__: object) -> Callable:
        """Exempt a function from being compiled."""
        return fn

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name != "__path__":  # who looks at all modules asks for these
            raise AttributeError(name)
        _step_aside()
        return getattr(importlib.import_module(NAME), name)


def _is_compile_supported(device: str) -> bool:
    """What the compiler says, once it is asked."""
    return importlib.import_module(f"{NAME}.utils").is_compile_supported(device)


STAND_IN = StandIn(NAME)
UTILS = ModuleType(f"{NAME}.utils")
vars(UTILS)["is_compile_supported"] = _is_compile_supported


def _step_aside() -> None:
    for module in (STAND_IN, UTILS):
        if sys.modules.get(module.__name__) is module:
            del sys.modules[module.__name__]
    if vars(torch).get("_dynamo") is STAND_IN:
        del vars(torch)["_dynamo"]


@contextmanager
def without_compiler() -> Iterator[None]:
    """Work without importing the compiler; where it is there already, it is used."""
    if NAME in sys.modules:
        yield
        return
    sys.modules[NAME] = STAND_IN
    sys.modules[UTILS.__name__] = UTILS
    torch._dynamo = STAND_IN
    try:
        yield
    finally:
        _step_aside()
