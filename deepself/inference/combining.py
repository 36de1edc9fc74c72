"""A part of a bundle: the probabilities of its runs become one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from deepself.errors import UserError
from deepself.fusion.methods import recalled
from deepself.fusion.temperature import at_temperatures
from deepself.inference.spec import Part


@dataclass(frozen=True)
class Combining:
    """A part of a bundle, ready to combine what its runs say."""

    fold: str
    runs: list[str]
    temperatures: np.ndarray | None
    rule: Any
    temperature: float

    def combine(self, by_run: Mapping[str, np.ndarray], calibrated: bool) -> np.ndarray:
        """Probabilities (recordings, classes)."""
        given = np.stack([by_run[name] for name in self.runs])
        if self.temperatures is not None:
            given = at_temperatures(given, self.temperatures)
        found = given[0] if self.rule is None else self.rule(given)
        if calibrated:
            found = at_temperatures(found[None], np.array([self.temperature]))[0]
        return found


def combining(part: Part, classes: Sequence[str]) -> Combining:
    """Make a part of a bundle ready.

    Raises
    ------
    UserError
        What it says of its fusion is none.
    """
    names, runs = list(part.candidates), list(part.candidates.values())
    record = part.fusion
    if record is None:
        return Combining(part.fold, runs[:1], None, None, part.temperature)
    try:
        rule = recalled(record, names, classes).combine
        temperatures = None
        if "temperatures" in record:
            temperatures = np.array([record["temperatures"][n] for n in names], dtype=np.float64)
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"bundle.json: the fusion of fold {part.fold}: {error}") from None
    return Combining(part.fold, runs, temperatures, rule, part.temperature)
