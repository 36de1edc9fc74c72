"""Systems of several studies of one data set, measured on one protocol."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from deepself.errors import UserError
from deepself.evaluation.comparisons import Comparison, compare
from deepself.evaluation.evaluate import Evaluated, chances
from deepself.evaluation.protocol import Protocol, Truth, protocol
from deepself.evaluation.scores import evaluate_study
from deepself.study import Layout, Study
from deepself.study.identity import read_dataset

NAMED = 3
"""Items that a message names."""


@dataclass(frozen=True)
class Scored:
    """A study that is to be compared: the file it was read from, and where its results lie."""

    file: str
    study: Study
    layout: Layout


@dataclass(frozen=True)
class Across:
    """Systems of several studies.

    Attributes
    ----------
    studies
        In the order given.
    measured
        What all systems are tested on.
    systems
        Study by study, each named `study/system`. Of dev they have scores only if all studies
        have the same dev items.
    chances
        What chance reaches on the same.
    pairs
        Every pair, within studies and across.
    other_dev
        How dev first differs between two studies; empty if it does not.
    remarks
        What else makes two studies' systems differ besides their definitions.
    """

    studies: list[Scored]
    measured: Protocol
    systems: list[Evaluated]
    chances: list[Evaluated]
    pairs: list[Comparison]
    other_dev: str
    remarks: list[str]


def across(studies: Sequence[Scored]) -> Across:
    """Evaluate several studies on one protocol, and compare every pair of their systems.

    Test items, their labels and groups must be the same in each fold: then pairs can be compared
    item by item, in the same resamples. Where dev items differ, test is still the same for all
    and was looked at by none, so it alone is compared. Numbers of seeds may differ.

    Raises
    ------
    UserError
        If there are fewer than two studies, two have one name, one is not complete and scored, or
        the studies are not tested on the same.
    """
    _require_different(studies)
    for one in studies:
        _require_scored(one)
    first, *others = studies
    measured = protocol(first.layout)
    own = {one.study.name: protocol(one.layout) for one in others}
    for other in others:
        problem = test_difference(measured, own[other.study.name], first.file)
        if problem:
            raise UserError(f"{other.file}: {problem}")
    found = [dev_difference(measured, own[o.study.name], o.file, first.file) for o in others]
    other_dev = next(filter(None, found), "")
    protocols = [measured, *(_tested_alike(measured, own[o.study.name], other_dev) for o in others)]
    systems = [
        replace(system, name=f"{one.study.name}/{system.name}")
        for one, its in zip(studies, protocols, strict=True)
        for system in _evaluated(one, its)
    ]
    guesses = chances(measured)
    if other_dev:
        systems, guesses = [_test_only(s) for s in systems], [_test_only(c) for c in guesses]
    # Where training partitions differ in size, the one that makes the t-test most careful.
    careful = max(protocols, key=lambda one: one.test_to_train)
    pairs = compare(systems, careful)
    remarks = _remarks(studies, protocols)
    return Across(list(studies), measured, systems, guesses, pairs, other_dev, remarks)


def test_difference(first: Protocol, other: Protocol, file: str) -> str:
    """What differs first between what two studies are tested on; empty if nothing does.

    Parameters
    ----------
    first, other
        The protocols.
    file
        The file of the first study, as the text names it.
    """
    if other.classes != first.classes:
        if set(other.classes) == set(first.classes):
            return (
                f"classes stand in another order than in {file}; "
                "give both studies the same dataset.classes"
            )
        odd = _some(set(other.classes) ^ set(first.classes))
        return f"has other classes than {file}: {odd}; compare studies of one data set"
    if other.folds != first.folds:
        return (
            f"has folds {', '.join(other.folds)}, and {file} has {', '.join(first.folds)}; "
            "give both studies the same splits"
        )
    if other.grouped != first.grouped:
        has, lacks = ("has groups", "none") if other.grouped else ("has no groups", "some")
        return f"{has}, and {file} has {lacks}; give both studies the same dataset.group"
    for fold in first.folds:
        pair = first.truth[fold, "test"], other.truth[fold, "test"]
        problem = _difference(*pair, first.grouped, f"fold {fold} tests", file)
        if problem:
            return problem
    return ""


def dev_difference(first: Protocol, other: Protocol, file: str, first_file: str) -> str:
    """How the dev items of two studies that are tested alike first differ; empty if they do not."""
    for fold in first.folds:
        pair = first.truth[fold, "dev"], other.truth[fold, "dev"]
        what = f"fold {fold} of {file} chooses on"
        problem = _difference(*pair, first.grouped, what, first_file)
        if problem:
            return problem
    return ""


def _require_different(studies: Sequence[Scored]) -> None:
    if len(studies) < 2:
        raise UserError("name at least two studies to compare")
    seen: dict[str, str] = {}
    for one in studies:
        name = one.study.name
        if name in seen:
            raise UserError(
                f"{one.file}: is called {name}, as {seen[name]} is; compare studies of different "
                "names, which have their own results"
            )
        seen[name] = one.file


def _require_scored(one: Scored) -> None:
    if not one.layout.summary.is_file():
        raise UserError(
            f"{one.file}: not scored, there is no {one.layout.summary}; run this study to its end"
        )


def _evaluated(one: Scored, measured: Protocol) -> list[Evaluated]:
    try:
        return evaluate_study(one.study, one.layout, measured)
    except UserError as error:
        lines = str(error).splitlines()
        more = [f"and {len(lines) - NAMED} more"] if len(lines) > NAMED else []
        raise UserError("\n".join(f"{one.file}: {t}" for t in lines[:NAMED] + more)) from None


def _tested_alike(first: Protocol, other: Protocol, other_dev: str) -> Protocol:
    """The other's protocol, with items in the first's order, so that both share resamples."""
    if not other_dev:
        return replace(first, trained_on=other.trained_on)
    truth = {key: first.truth[key] if key[1] == "test" else own for key, own in other.truth.items()}
    return replace(other, truth=truth)


def _test_only(system: Evaluated) -> Evaluated:
    return replace(
        system,
        runs=[run for run in system.runs if run.partition == "test"],
        overall={key: over for key, over in system.overall.items() if key[0] == "test"},
        by_class={key: over for key, over in system.by_class.items() if key[0] == "test"},
    )


def _difference(first: Truth, other: Truth, grouped: bool, what: str, file: str) -> str:
    odd = set(first.ids) ^ set(other.ids)
    if odd:
        return f"{what} other items than in {file}: {_some(odd)}; give both studies the same splits"
    place = {name: i for i, name in enumerate(other.ids)}
    order = np.array([place[name] for name in first.ids])
    for named, own, its in (
        ("label", first.true, other.true),
        *([("group", first.units, other.units)] if grouped else []),
    ):
        wrong = np.flatnonzero(own != its[order])
        if wrong.size:
            return (
                f"{what} items whose {named} is another in {file}: "
                f"{_some({first.ids[i] for i in wrong})}; compare studies of one data set"
            )
    return ""


def _some(names: set[str]) -> str:
    shown = ", ".join(sorted(names)[:NAMED])
    return f"{shown} and {len(names) - NAMED} more" if len(names) > NAMED else shown


def _remarks(studies: Sequence[Scored], protocols: Sequence[Protocol]) -> list[str]:
    """What the first study and another do not share, besides their definitions."""
    first = studies[0]
    remarks = []
    recordings = [read_dataset(one.layout)["modalities"] for one in studies]
    for other, its, held in zip(studies[1:], protocols[1:], recordings[1:], strict=True):
        trained, own = its.trained_on.sum(axis=1), protocols[0].trained_on.sum(axis=1)
        if (its.trained_on != protocols[0].trained_on).any():
            remarks.append(
                f"{other.study.name} trains on {_range(trained)} items a fold, "
                f"{first.study.name} on {_range(own)}."
            )
        remarks += [
            f"Recordings of {name} are not the same in {other.study.name} and {first.study.name}."
            for name in held
            if name in recordings[0] and held[name]["digest"] != recordings[0][name]["digest"]
        ]
    return remarks


def _range(numbers: np.ndarray) -> str:
    low, high = int(numbers.min()), int(numbers.max())
    return str(low) if low == high else f"{low} to {high}"
