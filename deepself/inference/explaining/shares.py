"""What each model of a bundle contributes to the probability of a class."""

from collections.abc import Mapping, Sequence

import numpy as np

from deepself.errors import UserError
from deepself.fusion.methods import Learnt, recalled
from deepself.fusion.temperature import at_temperatures
from deepself.inference.spec import BundleSpec, Part

MEANS = ("mean", "weighted_mean", "greedy")
"""Methods of fusion that are means with weights, to which members contribute by themselves."""

ADDED = (
    "its weight times its probability; the shares of all members add up to the fusion's probability"
)
LEFT_OUT = (
    "by how much the fusion's probability falls without the member ({method}); such shares need "
    "not add up, and a negative one means that the member speaks against the class"
)
REPLACED = "{method}, the mean of the others in its place"


def fused(
    parts: Sequence[Part], by_run: Mapping[str, np.ndarray], classes: Sequence[str]
) -> np.ndarray:
    """Probabilities (classes,) of one recording, given those (1, classes) that each run says."""
    found = []
    for part in parts:
        given = _given(part, by_run)
        found.append(given[0] if part.fusion is None else _combine(part, given, classes))
    return np.mean(found, axis=0)[0]


def shares(
    spec: BundleSpec, parts: Sequence[Part], by_run: Mapping[str, np.ndarray], target: int
) -> tuple[dict[str, float], str]:
    """The share of each model in the probability of a class, and in words what that is.

    Parameters
    ----------
    spec
        The bundle.
    parts
        Those that answer; shares are their means.
    by_run
        Probabilities (1, classes) of each run.
    target
        Number of the class.

    Raises
    ------
    UserError
        A fusion cannot be made of what the bundle says of it.
    """
    found: dict[str, float] = {}
    for part in parts:
        for model, share in _of_part(spec, part, by_run, target).items():
            found[model] = found.get(model, 0.0) + share / len(parts)
    return found, _rule(parts) if len(found) > 1 else ""


def _rule(parts: Sequence[Part]) -> str:
    record = parts[0].fusion
    if record is None or record["method"] in MEANS:
        return ADDED
    method = record["method"].replace("_", " ")
    if method == "stacking":
        method = REPLACED.format(method=method)
    return LEFT_OUT.format(method=method)


def _of_part(
    spec: BundleSpec, part: Part, by_run: Mapping[str, np.ndarray], target: int
) -> dict[str, float]:
    given = _given(part, by_run)
    members: dict[str, list[int]] = {}
    for place, run in enumerate(part.candidates.values()):
        members.setdefault(spec.runs[run].model, []).append(place)
    if part.fusion is None:
        return {model: float(given[places[0], 0, target]) for model, places in members.items()}
    if part.fusion["method"] in MEANS:
        weights = _learnt(part, spec.classes).weights
        if weights is None:
            weights = np.full(len(given), 1 / len(given))
        each = weights * given[:, 0, target]
        return {model: float(each[places].sum()) for model, places in members.items()}
    whole = _combine(part, given, spec.classes)[0, target]
    return {
        model: float(whole - _without(part, given, places, spec.classes, target))
        for model, places in members.items()
    }


def _without(
    part: Part, given: np.ndarray, places: list[int], classes: Sequence[str], target: int
) -> float:
    """Probability of the class if some candidates had said nothing; 0 if none are left."""
    assert part.fusion is not None
    others = np.delete(given, places, axis=0)
    if not len(others):
        return 0.0
    if part.fusion["method"] == "stacking":  # its coefficients are of all candidates
        replaced = given.copy()
        replaced[places] = others.mean(axis=0)
        others = replaced
    return float(_combine(part, others, classes)[0, target])


def _combine(part: Part, given: np.ndarray, classes: Sequence[str]) -> np.ndarray:
    combined: np.ndarray = _learnt(part, classes).combine(given)
    return combined


def _learnt(part: Part, classes: Sequence[str]) -> Learnt:
    assert part.fusion is not None
    try:
        return recalled(part.fusion, list(part.candidates), classes)
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"bundle.json: the fusion of fold {part.fold}: {error}") from None


def _given(part: Part, by_run: Mapping[str, np.ndarray]) -> np.ndarray:
    """Probabilities (candidates, 1, classes), each at the temperature that it had in the fusion."""
    given = np.stack([by_run[run] for run in part.candidates.values()])
    if part.fusion is not None and "temperatures" in part.fusion:
        own = np.array([part.fusion["temperatures"][name] for name in part.candidates])
        given = at_temperatures(given, own)
    return given
