"""Which values a trial tries: by grid, at random, or by what earlier trials found.

A proposal depends on the seed, the ranges, the trial's number and the results of earlier rounds,
and on nothing else: trials may run in any order, on any machines, and again.
"""

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any

from deepself.study.ranges import Choice, Interval, LogUniform, Range, Space
from deepself.study.search import Search

if TYPE_CHECKING:
    import optuna

STARTUP = 10
"""Trials at random before the estimator is asked (Optuna's own default)."""


@dataclass(frozen=True)
class Earlier:
    """What an earlier trial found.

    Attributes
    ----------
    values
        Its value of each parameter.
    uar
        Best UAR on dev; None where it failed.
    pruned
        The epoch in which it was stopped.
    """

    values: Mapping[str, Any] = field(default_factory=dict)
    uar: float | None = None
    pruned: int | None = None


def propose(
    search: Search, space: Space, seed: int, trial: int, earlier: Sequence[Earlier] = ()
) -> dict[str, Any]:
    """Values for a trial.

    Parameters
    ----------
    search, space
        How it searches, and what.
    seed
        Of the search.
    trial
        Its number, from 0.
    earlier
        What the trials of earlier rounds found, in their order.

    Returns
    -------
    dict
        A value for each parameter of `space`.
    """
    match search.method:
        case "grid":
            return _of_grid(space, seed, trial)
        case "random":
            random = Random(f"{seed}/{trial}")  # noqa: S311 - not for secrets
            return {path: _drawn(one, random) for path, one in space.items()}
        case "tpe":
            return _by_tpe(search, space, seed, trial, earlier)


def _of_grid(space: Space, seed: int, trial: int) -> dict[str, Any]:
    """One of all combinations. In a random order, so that the first few are no corner of it."""
    choices = {path: one.choice for path, one in space.items() if isinstance(one, Choice)}
    places = list(range(math.prod(map(len, choices.values()))))
    Random(seed).shuffle(places)  # noqa: S311
    place, values = places[trial], {}
    for path, choice in choices.items():
        place, index = divmod(place, len(choice))
        values[path] = choice[index]
    return values


def _drawn(one: Range, random: Random) -> Any:
    if isinstance(one, Choice):
        return random.choice(one.choice)
    low, high = one.ends
    if not isinstance(one, LogUniform):
        return random.randint(int(low), int(high)) if one.whole else random.uniform(low, high)
    # Whole numbers are as likely as the interval that is rounded to them.
    margin = 0.5 if one.whole else 0.0
    value = math.exp(random.uniform(math.log(low - margin), math.log(high + margin)))
    value = min(max(round(value) if one.whole else value, low), high)
    return int(value) if one.whole else float(value)


def _by_tpe(
    search: Search, space: Space, seed: int, trial: int, earlier: Sequence[Earlier]
) -> dict[str, Any]:
    """Tree-structured Parzen estimator (Bergstra et al. 2011), as Optuna has it.

    Trials of a round know nothing of each other's results. They are proposed one after the other,
    those before counting as bad (constant liar), so that they do not try the same.
    """
    import optuna

    start = search.earlier(trial).stop
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        sampler = optuna.samplers.TPESampler(
            seed=Random(f"{seed}/{start}").getrandbits(32),  # noqa: S311
            n_startup_trials=STARTUP,
            constant_liar=True,
        )
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        study = optuna.create_study(direction="maximize", sampler=sampler)
        distributions = {path: distribution(one) for path, one in space.items()}
        for one in earlier:
            study.add_trial(finished(one, space))
        asked = [study.ask(distributions) for _ in range(start, trial + 1)][-1]
    finally:
        optuna.logging.set_verbosity(verbosity)
    return {path: _value(space[path], asked.params[path]) for path in space}


def distribution(one: Range) -> "optuna.distributions.BaseDistribution":
    """A range in Optuna's words; a choice is one of its places, whatever stands there."""
    from optuna.distributions import (
        CategoricalDistribution,
        FloatDistribution,
        IntDistribution,
    )

    if isinstance(one, Choice):
        return CategoricalDistribution(range(len(one.choice)))
    low, high = one.ends
    if one.whole:
        return IntDistribution(int(low), int(high), log=isinstance(one, LogUniform))
    return FloatDistribution(low, high, log=isinstance(one, LogUniform))


def finished(one: Earlier, space: Space) -> "optuna.trial.FrozenTrial":
    """A trial in Optuna's words: one that was stopped is worse than all that were not.

    One that failed is worse still: Optuna would forget it, and propose its like again.
    """
    from optuna.trial import TrialState, create_trial

    pruned = one.uar is None or one.pruned is not None
    seen = {} if one.uar is None else {one.pruned or 0: one.uar}
    return create_trial(
        state=TrialState.PRUNED if pruned else TrialState.COMPLETE,
        value=None if pruned else one.uar,
        params={path: _place(space[path], one.values[path]) for path in space},
        distributions={path: distribution(range_) for path, range_ in space.items()},
        intermediate_values=seen if pruned else {},
    )


def _place(one: Range, value: Any) -> Any:
    return one.choice.index(value) if isinstance(one, Choice) else value


def _value(one: Range, place: Any) -> Any:
    if isinstance(one, Choice):
        return one.choice[place]
    assert isinstance(one, Interval)
    return int(place) if one.whole else float(place)
