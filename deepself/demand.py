"""What jobs ask a cluster for, as `plan` has estimated it.

`check` writes the estimates; no rule does, as no job depends on them.
"""

import subprocess
import sys
from functools import lru_cache
from pathlib import Path
from typing import Any

from deepself.dataset.fold_names import fold_names
from deepself.errors import UserError
from deepself.store.files import read_json
from deepself.study import Layout, Study, identity
from deepself.study.identity import feature_file

ASKED = {"mem_mb": 4000, "minutes": 120}
"""Where nothing is known."""


class Demand:
    """Memory and time of a study's jobs.

    Parameters
    ----------
    study, layout
        The study, and where its results lie.
    file
        The study as a file, for the verb that estimates.
    """

    def __init__(self, study: Study, layout: Layout, file: Path):
        self._study, self._layout, self._file = study, layout, file

    def estimate_anew(self) -> None:
        """Estimate the jobs once more, if features or models have changed since `check` did.

        Raises
        ------
        UserError
            A network does not fit what it will read.
        """
        plan = self._layout.plan
        of = identity.digest(identity.plan_slice(self._study))
        if not self._layout.inventory.exists() or (plan.exists() and read_json(plan)["of"] == of):
            return
        verb = [sys.executable, "-m", "deepself", "plan", str(self._file)]
        found = subprocess.run(verb, capture_output=True, text=True)
        if found.returncode:
            raise UserError(found.stderr.strip())

    def of_feature(self, stem: str | None) -> dict[str, int]:
        """Memory (`mem_mb`) and `minutes` of a job that makes a feature's file, or of any."""
        if stem is None:
            return self._most("features", list(self._study.features))
        names = list(self._study.features) if self._layout.dataset.exists() else []
        found = (n for n in names if feature_file(self._study, self._layout, n).stem == stem)
        return self._most("features", list(found))

    def of_model(self, name: str | None) -> dict[str, int]:
        """Memory (`mem_mb`) and `minutes` of a run of a model, or of any."""
        return self._most("models", list(self._study.models) if name is None else [name])

    def _most(self, kind: str, names: list[str]) -> dict[str, int]:
        """The most that any of these asks for."""
        plan = self._layout.plan
        planned = _read_plan(plan, plan.stat().st_mtime_ns)[kind] if plan.exists() else {}
        asked = [planned.get(name, ASKED) for name in names] or [ASKED]
        return {unit: max(one[unit] for one in asked) for unit in ASKED}

    @property
    def most_jobs(self) -> int:
        """Most jobs of one rule that may be ready at a time."""
        folds, models = len(fold_names(self._study)), self._study.models.values()
        runs = sum(folds * len(self._study.seeds) for model in models if model.folds == "apart")
        trials = sum(folds * model.trials for model in models)
        shards = sum(getattr(spec, "shards", 1) for spec in self._study.features.values())
        return max(runs, trials, shards)


@lru_cache(maxsize=1)
def _read_plan(path: Path, _changed: int) -> Any:
    """Each job asks for its memory and its time; the file is read once."""
    return read_json(path)
