"""What a fusion asks of its members: enough of them, their snapshots, weights, fit folds."""

from collections.abc import Iterator

from deepself.study.explain import nearest
from deepself.study.fusions import Best, Fusion
from deepself.study.schema import Study

Problem = tuple[str, str]  # key path, message

_OWN_TEST = (
    "other folds' runs have trained on this fold's test items; pool seeds or snapshots instead "
    "(splits.method: fixed_test has folds that can be pooled)"
)

NO_FOLDS = {
    "given": _OWN_TEST,
    "stratified": _OWN_TEST,
    "grouped": _OWN_TEST,
    "partition": "splits.method is partition: there is one fold only; take fixed_test",
}
"""Why the runs of all folds cannot be pooled, by the method of the splits."""


def fusion_problems(
    study: Study, path: str, fusion: Fusion, members: list[str]
) -> Iterator[Problem]:
    """Yield what is wrong of a fusion whose patterns all match, with its key's path."""
    yield from _enough(study, path, fusion, members)
    yield from _weights(path, fusion, members)
    if "folds" in fusion.over and study.splits.method in NO_FOLDS:
        yield f"{path}.over", f"folds: {NO_FOLDS[study.splits.method]}"
    if "snapshots" in fusion.over:
        for name in members:
            problem = _snapshots(study, name)
            if problem:
                yield f"{path}.over", f"snapshots: {problem}"


def _enough(study: Study, path: str, fusion: Fusion, members: list[str]) -> Iterator[Problem]:
    runs = len(members) * (len(study.seeds) if "seeds" in fusion.over else 1)
    if set(fusion.over) <= {"seeds"}:  # else there are more of them
        if runs < 2:
            pooled = ", or one and several seeds" if fusion.over else ""
            yield f"{path}.members", f"a fusion needs at least two models{pooled}"
        elif isinstance(fusion.members, Best) and fusion.members.best > runs:
            yield f"{path}.members.best", f"{fusion.members.best} of {runs}; lower it"


def _weights(path: str, fusion: Fusion, members: list[str]) -> Iterator[Problem]:
    weights = fusion.weights
    if weights is None:
        return
    for name in weights:
        if name not in members:
            yield f"{path}.method.weights.{name}", f"is no member{nearest(name, members)}"
    lacking = [name for name in members if name not in weights]
    if lacking:
        yield f"{path}.method.weights", f"no weight for {', '.join(lacking)}; 0 leaves it out"


def _snapshots(study: Study, name: str) -> str:
    """Why a model keeps no snapshots, if it keeps none."""
    model = study.models[name]
    if model.network is None:
        return f"{name} is a classifier, which keeps none; leave it out of members"
    if model.training.snapshots or "training.snapshots" in model.space:
        return ""
    return f"{name} keeps none; set models.{name}.training.snapshots: true"
