"""The worst mistakes of the best model or fusion on test, and items that every model mistakes."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from deepself.evaluation.results import Result
from deepself.report.examples import Example, examples
from deepself.report.figures import Figure
from deepself.report.sound import Player, Sound
from deepself.store.predictions import read_predictions
from deepself.study import Layout, Study
from deepself.study.dataset import AudioModality
from deepself.study.features import VECTORS, WAVEFORMS, sources_of
from deepself.study.identity import feature_file
from deepself.study.references import members

WORST = 12
"""Mistakes that are shown."""

HARD = 10
"""Items that every model mistakes, of those that are named."""

SHARE = 4
"""A fourth of the values that a page's examples may have goes to mistakes, beside the others."""


@dataclass(frozen=True)
class Decided:
    """What one system makes of a test item: probabilities, as means over seeds.

    Attributes
    ----------
    label, taken_for
        True class, and the most probable one.
    true, probability
        What each of them got.
    """

    label: str
    taken_for: str
    true: float
    probability: float

    @property
    def wrong(self) -> bool:
        """Whether the item is mistaken."""
        return self.label != self.taken_for


Place = tuple[str, str]
"""Fold and id of a test item."""


@dataclass(frozen=True)
class Mistake:
    """One mistake, and what there is to see and to hear of the item.

    Attributes
    ----------
    key
        Of its figure; empty where there is a picture, or nothing.
    said
        What is to be said of the sound, or why there is none.
    """

    item: str
    fold: str
    decided: Decided
    example: Example | None = None
    key: str = ""
    sound: Sound | None = None
    said: str = ""


@dataclass(frozen=True)
class Hard:
    """An item that every model mistakes, and for what most of them take it."""

    item: str
    label: str
    taken_for: str
    models: int


@dataclass(frozen=True)
class Mistakes:
    """What the template shows.

    Attributes
    ----------
    name, kind, seeds
        The best system on test, and how many seeds it has results of.
    wrong, of
        Test items that it mistakes, and all.
    worst
        Some of them, the worst first.
    models
        How many models there are; with one, `hard` would say nothing new.
    hard, hards
        Items that all of them mistake: those named, and how many there are.
    feature, note
        Which feature is shown, and what is to be said of it.
    wide
        Whether each example needs a row of the page.
    """

    name: str
    kind: str
    seeds: int
    wrong: int
    of: int
    worst: list[Mistake]
    models: int
    hard: list[Hard]
    hards: int
    feature: str = ""
    note: str = ""
    wide: bool = False


def mistakes(
    study: Study,
    layout: Layout,
    found: Sequence[Result],
    names: Sequence[str],
    drawn: dict[str, Figure],
) -> Mistakes:
    """The worst mistakes on test; their figures are added to `drawn`.

    Parameters
    ----------
    study, layout
        A study that is scored.
    found
        The runs and fusions that the report speaks of.
    names
        Those models and fusions, the best on test first.
    drawn
        The page's figures.
    """
    best = names[0]
    own = [result for result in found if result.name == best]
    kind, seeds = own[0].kind, len({result.seed for result in own})
    decided = {name: _decided([r for r in found if r.name == name]) for name in names}
    models = [name for name in names if name in study.models]
    hard = _hard([decided[model] for model in models]) if len(models) > 1 else []
    wrong = {place: one for place, one in decided[best].items() if one.wrong}
    places = sorted(wrong, key=lambda place: (wrong[place].true, place))[:WORST]
    worst = [Mistake(item, fold, wrong[fold, item]) for fold, item in places]
    shown = Mistakes(
        name=best,
        kind=kind,
        seeds=seeds,
        wrong=len(wrong),
        of=len(decided[best]),
        worst=worst,
        models=len(models),
        hard=hard[:HARD],
        hards=len(hard),
    )
    if not worst:
        return shown
    read = members(study, study.fusions[best].members) if kind == "fusion" else [best]
    read.sort(key=names.index)  # the best of a fusion's members first
    return _heard(study, layout, read, _pictured(study, layout, read, shown, drawn))


def _decided(results: Sequence[Result]) -> dict[Place, Decided]:
    """What a system makes of each test item, by fold and id: means over seeds."""
    sums: dict[Place, np.ndarray] = {}
    labels: dict[Place, str] = {}
    classes: tuple[str, ...] = ()
    for result in results:
        test = read_predictions(result.predictions).part("test").recordings()
        classes = test.classes
        for item, label, own in zip(test.ids, test.labels, test.probabilities, strict=True):
            place = result.fold, item
            labels[place] = label
            sums[place] = own if place not in sums else sums[place] + own
    found = {}
    for place, own in sums.items():
        means, true, most = own / own.sum(), classes.index(labels[place]), int(own.argmax())
        found[place] = Decided(labels[place], classes[most], float(means[true]), float(means[most]))
    return found


def _hard(decided: Sequence[Mapping[Place, Decided]]) -> list[Hard]:
    """Items that all models mistake, those first whose true class got least on average."""
    first, *others = decided
    everywhere = [place for place in first if all(place in other for other in others)]
    found = []
    for place in everywhere:
        own = [one[place] for one in decided]
        if all(one.wrong for one in own):
            taken_for, models = Counter(one.taken_for for one in own).most_common(1)[0]
            true = sum(one.true for one in own)
            found.append((true, place, Hard(place[1], own[0].label, taken_for, models)))
    return [hard for *_, hard in sorted(found, key=lambda one: one[:2])]


def _pictured(
    study: Study, layout: Layout, read: list[str], shown: Mistakes, drawn: dict[str, Figure]
) -> Mistakes:
    """The same with an example of each item, of a feature that the best of some models reads."""
    name = _feature(study, layout, study.models[read[0]].features)
    kind, path = study.features[name].kind, feature_file(study, layout, name)
    items = [(one.item, one.decided.label) for one in shown.worst]
    of_feature = examples(name, kind, str(path), items, SHARE)
    by_item = {example.item: example for example in of_feature.items}
    worst = []
    for number, one in enumerate(shown.worst):
        example = by_item.get(one.item)
        key = f"mistake-{number}" if example is not None and example.figure else ""
        if example is not None and example.figure:
            drawn[key] = example.figure
        worst.append(replace(one, example=example, key=key))
    return replace(shown, worst=worst, feature=name, note=of_feature.note, wide=of_feature.wide)


def _feature(study: Study, layout: Layout, features: Sequence[str]) -> str:
    """The feature to show: of those that are read, and those they are made from, one to look at."""
    candidates = list(features)
    for name in candidates:  # which grows as it is gone through: the sources of sources, too
        candidates += [s for s in sources_of(study.features[name]) if s not in candidates]

    def rank(name: str) -> tuple[bool, int]:
        kind = study.features[name].kind
        dull = 2 if kind in VECTORS else 1 if kind in WAVEFORMS else 0
        return not feature_file(study, layout, name).is_file(), dull

    return min(candidates, key=rank)  # of equals the first


def _heard(study: Study, layout: Layout, read: Sequence[str], shown: Mistakes) -> Mistakes:
    """The same with sound, where one of some models reads any."""
    modalities = [
        modality
        for model in read
        for feature in study.models[model].features
        for modality in study.modalities_of(feature)
        if isinstance(study.dataset.modalities[modality], AudioModality)
    ]
    if not modalities:
        return shown
    player = Player(study, layout, modalities[0])
    worst = []
    for one in shown.worst:
        sound, said = player.sound_of(one.item)
        worst.append(replace(one, sound=sound, said=said))
    return replace(shown, worst=worst)
