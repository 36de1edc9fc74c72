"""`explain`: a recording in, what speaks for its label out."""

from collections.abc import Mapping, Sequence

import numpy as np

from deepself.errors import UserError
from deepself.inference.bundle import Bundle
from deepself.inference.explaining.asking import Attributed, Effort
from deepself.inference.explaining.attributing import USUAL, attribute
from deepself.inference.explaining.reading import Recorded, axes_of, read
from deepself.inference.explaining.result import (
    Attribution,
    Completeness,
    Explanation,
    Member,
)
from deepself.inference.explaining.shares import fused, shares
from deepself.inference.opening import Source
from deepself.inference.spec import Part
from deepself.networks.layers import time_axis
from deepself.study.augmentation import FILM, SPECTRUM, WAVE, sort_of
from deepself.study.explain import nearest


def explain(
    bundle: Bundle,
    source: Source | Mapping[str, Source],
    sample_rate: float | None = None,
    *,
    method: str | None = None,
    target: str | None = None,
    fold: str | None = None,
    effort: Effort = USUAL,
) -> Explanation:
    """Say what in a recording speaks for a class, and what each model of a bundle contributes.

    Parameters
    ----------
    bundle
        A model or fusion, see `deepself.load`.
    source, sample_rate
        The recording, as `Bundle.predict` takes it.
    method
        `integrated_gradients`, `grad_cam` or `occlusion`, for all models; default: integrated
        gradients of networks, occlusion of classifiers, which have no gradients.
    target
        The class whose evidence is shown; default: the label that the bundle gives.
    fold
        The fold whose part is explained; default: all, of whose attributions the mean is taken.
    effort
        How much may be computed.

    Raises
    ------
    UserError
        The recording cannot be read, the class or fold is unknown, or a model is of a kind for
        which the method is none.
    """
    parts = _parts(bundle, fold)
    _require_class(bundle, target)
    recorded = read(bundle, source, sample_rate)
    return _explained(bundle, recorded, parts, method, target, effort)


def explain_features(
    bundle: Bundle,
    recorded: Recorded,
    *,
    method: str | None = None,
    target: str | None = None,
    fold: str | None = None,
    effort: Effort = USUAL,
) -> Explanation:
    """The same of a recording that was read; see `explain`."""
    parts = _parts(bundle, fold)
    _require_class(bundle, target)
    return _explained(bundle, recorded, parts, method, target, effort)


def _explained(
    bundle: Bundle,
    recorded: Recorded,
    parts: Sequence[Part],
    method: str | None,
    target: str | None,
    effort: Effort,
) -> Explanation:
    names = list(dict.fromkeys(run for part in parts for run in part.candidates.values()))
    by_run = bundle.of_runs([recorded.batches], names)
    probabilities = fused(parts, by_run, bundle.classes)
    label = bundle.classes[int(probabilities.argmax())]
    chosen = bundle.classes.index(target or label)
    share, rule = shares(bundle.spec, parts, by_run, chosen)
    members = []
    for model in share:
        own = [name for name in names if bundle.spec.runs[name].model == model]
        probability = float(np.mean([by_run[name][0, chosen] for name in own]))
        members.append(
            _member(bundle, recorded, own, method, chosen, effort, probability, share[model])
        )
    return Explanation(
        recording=recorded.name,
        bundle=bundle.spec.name,
        kind=bundle.spec.kind,
        study=bundle.spec.study,
        label=label,
        target=bundle.classes[chosen],
        probabilities=dict(zip(bundle.classes, probabilities.tolist(), strict=True)),
        members=tuple(sorted(members, key=lambda one: -one.share)),
        rule=rule,
        notes=recorded.notes,
    )


def _member(
    bundle: Bundle,
    recorded: Recorded,
    names: list[str],
    method: str | None,
    target: int,
    effort: Effort,
    probability: float,
    share: float,
) -> Member:
    runs = [bundle.runs[name] for name in names]
    spec = runs[0].spec
    network = spec.network is not None
    chosen = method or ("integrated_gradients" if network else "occlusion")
    inputs = list(spec.inputs.items())
    items = [recorded.items(one.feature) for _, one in inputs]
    apart = [not getattr(bundle.spec.features[one.feature], "deltas", 0) for _, one in inputs]
    found = [attribute(run, items, target, chosen, apart, effort) for run in runs]
    return Member(
        name=spec.model,
        runs=tuple(names),
        type=spec.method.type,
        method=chosen,
        about=found[0].about,
        quantity="logit" if network else "probability",
        probability=probability,
        share=share,
        inputs=tuple(
            _attribution(bundle, recorded, branch, one.feature, chosen, found, place)
            for place, (branch, one) in enumerate(inputs)
        ),
        completeness=_completeness(found),
    )


def _attribution(
    bundle: Bundle,
    recorded: Recorded,
    branch: str,
    feature: str,
    method: str,
    found: list[Attributed],
    place: int,
) -> Attribution:
    """Of one input, the mean over runs."""
    items, batch = recorded.items(feature), recorded.batches[feature]
    axes = axes_of(bundle.spec, feature)
    kind = bundle.spec.features[feature].kind
    sort = sort_of(kind)
    seconds = None
    if axes.frame_rate and sort in (WAVE, SPECTRUM, FILM):
        seconds = np.arange(items.values.shape[time_axis(items.values)]) / axes.frame_rate
    rows = axes.frequencies
    return Attribution(
        branch=branch,
        feature=feature,
        kind=kind,
        sort=sort,
        items=items.values,
        values=np.mean([one.values[place] for one in found], axis=0, dtype=np.float64).astype("f4"),
        method=method,
        baseline=found[0].baselines[place],
        lengths=items.lengths,
        starts=batch.starts,
        frequencies=None if rows is None else np.asarray(rows, dtype=np.float64),
        seconds=seconds,
    )


def _completeness(found: list[Attributed]) -> Completeness | None:
    totals = [one.totals for one in found if one.totals is not None]
    differences = [one.differences for one in found if one.differences is not None]
    if not totals:
        return None
    steps = max(one.steps for one in found)
    return Completeness(np.stack(totals), np.stack(differences), steps)


def _parts(bundle: Bundle, fold: str | None) -> list[Part]:
    fold = bundle.spec.known_fold(fold)
    return [part for part in bundle.spec.parts if fold in (None, part.fold)]


def _require_class(bundle: Bundle, target: str | None) -> None:
    if target is not None and target not in bundle.classes:
        hint = nearest(target, list(bundle.classes))
        raise UserError(f"target: the bundle knows no class {target!r}{hint}")
