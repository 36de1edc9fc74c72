"""What the best model looks at: attributions of a few test items, as a section of the report."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from deepself.errors import UserError
from deepself.report.figures import Figure
from deepself.report.ranking import Ranked
from deepself.store.feature_writer import Batch
from deepself.store.features import FeatureFile
from deepself.store.predictions import Predictions, read_predictions
from deepself.study import Layout, Study
from deepself.study.augmentation import VECTOR, sort_of
from deepself.study.identity import feature_file, read_dataset

if TYPE_CHECKING:
    from deepself.inference.bundle import Bundle
    from deepself.inference.explaining import Effort, Member, Recorded
    from deepself.inference.running import LoadedRun
    from deepself.report.evidence import Look

WEIGHTS = "weights.safetensors"

ITEMS, WRONG = 4, 2
"""Items that are shown, and how many of them the model mistakes, if it does."""

WINDOWS = 8
"""Windows of a recording that are looked at; the one with the strongest evidence is shown."""

STEPS, PASSES = 24, 96
"""Of integrated gradients, and of occlusion: a few seconds for all items."""

WORK = 2e11
"""Multiply-adds that the section may take: some seconds on two cores."""

BACKWARD = 3
"""A pass and its gradients take as much as so many passes."""

LARGEST = 48 * 120
"""Values of a heat map here: a page holds many figures."""


@dataclass(frozen=True)
class Item:
    """A test item, and what speaks for the class that the model took it for.

    Attributes
    ----------
    id, label
        The item, and its true class.
    taken_for, probability
        The most probable class, and what it got.
    looks
        Of each input, with the key of its figure.
    """

    id: str
    label: str
    taken_for: str
    probability: float
    looks: list[tuple[str, "Look"]] = field(default_factory=list)

    @property
    def wrong(self) -> bool:
        """Whether the item is mistaken."""
        return self.label != self.taken_for


@dataclass(frozen=True)
class Evidence:
    """What the template shows.

    Attributes
    ----------
    name, fold, seed
        Of the run: of the best model on dev that reads something with places to point at.
    best
        Whether that is the best of all models.
    why
        Why nothing is shown; "" where something is.
    method, said
        How it was explained, and in a few sentences what that is.
    items
        Those that are shown.
    wide
        Whether pictures need a row of the page each.
    """

    name: str
    fold: str
    seed: int
    best: bool
    why: str = ""
    method: str = ""
    said: str = ""
    items: list[Item] = field(default_factory=list)
    wide: bool = False


def explained(
    study: Study, layout: Layout, ranked: Sequence[Ranked], drawn: dict[str, Figure]
) -> Evidence | None:
    """Attributions of the best model on dev, its figures added to `drawn`.

    Parameters
    ----------
    study, layout
        A study that is scored.
    ranked
        The models and fusions that the report speaks of.
    drawn
        The page's figures.

    Returns
    -------
    Evidence
        Or why there is none; None where no model reads anything but vectors, whose values have no
        place.
    """
    models = sorted((r for r in ranked if r.kind == "model"), key=lambda r: -r.dev)
    placed = [r.name for r in models if _has_places(study, r.name)]
    if not placed:
        return None
    name, fold, seed = placed[0], read_dataset(layout)["folds"][0], study.seeds[0]
    about = Evidence(name, fold, seed, name == models[0].name)
    run = layout.run(name, fold, seed)
    if not (run / WEIGHTS).is_file():  # looked for first: what follows imports torch
        return _without(about, f"{run / WEIGHTS} is not there")
    try:
        test = read_predictions(run / "predictions.csv").part("test").recordings()
        return _shown(study, layout, about, chosen(test), drawn)
    except (UserError, OSError, ValueError, RuntimeError) as error:
        return _without(about, str(error).splitlines()[0] if str(error) else type(error).__name__)


def chosen(test: Predictions) -> list[Item]:
    """Some test items: the surest mistakes, and the surest of what is right, of several classes."""
    best = test.probabilities.argmax(axis=1)
    found = [
        Item(str(item), str(label), test.classes[most], float(own[most]))
        for item, label, most, own in zip(
            test.ids, test.labels, best, test.probabilities, strict=True
        )
    ]
    found.sort(key=lambda one: (-one.probability, one.id))
    wrong = [one for one in found if one.wrong][:WRONG]
    right = [one for one in found if not one.wrong]
    first = list({one.label: one for one in reversed(right)}.values())  # the surest of each class
    first.sort(key=lambda one: (-one.probability, one.id))
    others = [one for one in right if one not in first]
    return [*(first + others)[: ITEMS - len(wrong)], *wrong]


def _has_places(study: Study, model: str) -> bool:
    kinds = [study.features[feature].kind for feature in study.models[model].features]
    return any(sort_of(kind) != VECTOR for kind in kinds)


def _without(about: Evidence, why: str) -> Evidence:
    return Evidence(about.name, about.fold, about.seed, about.best, why.rstrip("."))


def _shown(
    study: Study, layout: Layout, about: Evidence, items: list[Item], drawn: dict[str, Figure]
) -> Evidence:
    from deepself.inference.bundle import Bundle
    from deepself.inference.explaining import Effort
    from deepself.inference.export import System, export
    from deepself.report.explained import METHODS, in_words

    with tempfile.TemporaryDirectory() as folder:
        system = System(about.name, "model")
        path = Path(folder) / "bundle"
        export(study, layout, system, path, [about.fold], [about.seed])
        bundle = Bundle(path, "cpu")
    (run,) = bundle.runs.values()
    recorded = [_recorded(study, layout, bundle, one.id) for one in items]
    effort = Effort(STEPS, STEPS, PASSES)
    affordable = _affordable(run, recorded, effort)
    if not affordable:
        why = "it would take too long here; deepself explain shows a recording by itself"
        return _without(about, why)
    made, member = [], None
    for number, (item, own) in enumerate(zip(items[:affordable], recorded, strict=False)):
        member, looks = _looks(bundle, own, item, number, effort, drawn)
        made.append(
            Item(item.id, item.label, item.taken_for, item.probability, looks),
        )
    assert member is not None
    return Evidence(
        about.name,
        about.fold,
        about.seed,
        about.best,
        method=METHODS[member.method],
        said=in_words(member, "the class that was predicted", brief=True),
        items=made,
        wide=any(look.wide for one in made for _, look in one.looks),
    )


def _looks(
    bundle: "Bundle",
    recorded: "Recorded",
    item: Item,
    number: int,
    effort: "Effort",
    drawn: dict[str, Figure],
) -> tuple["Member", list[tuple[str, "Look"]]]:
    """What one item's inputs look like; their figures are added to `drawn`."""
    from deepself.inference.explaining import explain_features
    from deepself.report.evidence import looks, strongest

    found = explain_features(bundle, recorded, target=item.taken_for, effort=effort)
    (member,) = found.members
    shown = []
    for place, one in enumerate(member.inputs):
        (own,) = looks(one, strongest(one, 1), item.taken_for, LARGEST)
        key = f"evidence-{number}-{place}"
        if own.figure is not None:
            drawn[key] = own.figure
        shown.append((key, own))
    return member, shown


def _recorded(study: Study, layout: Layout, bundle: "Bundle", item: str) -> "Recorded":
    """An item's features as the study has them on disk; some of its windows."""
    from deepself.inference.explaining import Recorded

    batches = {}
    for name in bundle.features:
        with FeatureFile(feature_file(study, layout, name)) as file:
            rows = file.rows([item])
            places = np.linspace(0, len(rows) - 1, min(WINDOWS, len(rows))).round().astype(int)
            rows = rows[np.unique(places)]
            starts, lengths = (
                None if values is None else values[rows] for values in (file.starts, file.lengths)
            )
            batches[name] = Batch(file.read_rows(rows), [len(rows)], starts, lengths)
    return Recorded(item, batches)


def _affordable(run: "LoadedRun", recorded: Sequence["Recorded"], effort: "Effort") -> int:
    """How many of the items may be explained, by the multiply-adds that they take."""
    from torch import nn

    from deepself.networks.summary import summarise

    network, spec = run.network, run.spec
    if network is None:
        return len(recorded)
    shapes = [run.crops.shape(one.shape, one.kind) for one in spec.inputs.values()]
    adds = summarise(network, shapes).multiply_adds
    for module in network.modules():
        if isinstance(module, nn.RNNBase):  # of whose steps nothing is counted
            steps = max(shape[1] if len(shape) == 4 else shape[-1] for shape in shapes)
            adds += steps * sum(weight.numel() for weight in module.parameters())
    each = adds * BACKWARD * effort.steps * max(1, spec.training.crops)
    lead = next(iter(spec.inputs.values())).feature
    total, count = 0.0, 0
    for one in recorded:
        total += each * len(one.batches[lead].items)
        if total > WORK:
            break
        count += 1
    return count
