"""Optimisers without torch's compiler, whose import takes as long as that of torch.

Torch's optimisers import it for two functions that mean something to the compiler alone: one that
marks a place in a program, one that exempts a function. While an optimiser works, a stand-in gives
these two; at any other time `torch._dynamo` is what it always is.
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
        _step_aside()
        return getattr(importlib.import_module(NAME), name)


STAND_IN = StandIn(NAME)


def _step_aside() -> None:
    if sys.modules.get(NAME) is STAND_IN:
        del sys.modules[NAME]
        vars(torch).pop("_dynamo", None)


@contextmanager
def without_compiler() -> Iterator[None]:
    """Have an optimiser work without importing the compiler; where it is there, it is used."""
    if NAME in sys.modules:
        yield
        return
    sys.modules[NAME] = STAND_IN
    torch._dynamo = STAND_IN
    try:
        yield
    finally:
        _step_aside()
