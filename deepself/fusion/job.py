"""One job: a fusion on one fold, with one seed or all of them."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from deepself.errors import UserError
from deepself.evaluation.metrics import accuracy, uar
from deepself.fusion.candidates import Candidate, candidates
from deepself.fusion.choose import best, best_of_each, dev_uar
from deepself.fusion.combine import Aligned, align
from deepself.fusion.methods import Learnt, learn
from deepself.fusion.temperature import at_temperatures, learn_temperatures
from deepself.store.files import read_table, write_json
from deepself.store.predictions import Predictions, write_predictions
from deepself.study import Layout, Study
from deepself.study.explain import nearest
from deepself.study.fusions import Best, Fusion, Stacking
from deepself.study.identity import read_dataset


def fuse(study: Study, layout: Layout, name: str, fold: str, seed: int) -> Path:
    """Combine the predictions of a fusion's candidates; return the folder written.

    Raises
    ------
    UserError
        If the study has no such fusion, fold or seed, a candidate has no predictions, or their
        predictions do not fit together.
    """
    _known(study, layout, name, fold, seed)
    fusion = study.fusions[name]
    found = candidates(study, layout, name, fold, seed)
    try:
        record, fused = _fuse(study, layout, fusion, found)
    except UserError as error:
        raise UserError(f"fusion {name}, fold {fold}, seed {seed}: {error}") from None
    folder = layout.fusion(name, fold, seed)
    about = {"study": study.name, "fusion": name, "fold": fold, "seed": seed}
    specification = fusion.model_dump(mode="json")
    write_json(folder / "fusion.json", {**about, **record, "specification": specification})
    write_predictions(folder / "predictions.csv", fused)
    return folder


def _fuse(
    study: Study, layout: Layout, fusion: Fusion, found: Sequence[Candidate]
) -> tuple[dict[str, Any], Predictions]:
    """What was decided, by dev alone, and what comes of it."""
    everything = align({c.name: c.predictions for c in found})
    on_dev = dev_uar(everything)
    aligned = everything.only(_choose(study, fusion, found, on_dev))
    temperatures = {}
    if fusion.temperatures:
        learnt = learn_temperatures(aligned.dev())
        temperatures = {"temperatures": _by_name(aligned.names, learnt.tolist())}
        aligned = replace(aligned, probabilities=at_temperatures(aligned.probabilities, learnt))
    given = None
    if fusion.weights is not None:
        models = {c.name: c.model for c in found}
        given = [fusion.weights[models[name]] for name in aligned.names]
    dev = aligned.dev(_groups(layout) if isinstance(fusion.method, Stacking) else None)
    method = learn(fusion.method, dev, aligned.names, aligned.rows.classes, given)
    fused = aligned.fused(method.combine(aligned.probabilities))
    record = {
        "method": fusion.method.type,
        "over": fusion.over,
        "members": list(everything.names),
        "chosen": _used(aligned, method),
        **_weights(aligned, method),
        **temperatures,
        **method.record,
        "members_dev_uar": on_dev,
        "best_member_on_dev": best(on_dev),
        "scores": scores(fused),
    }
    return record, fused


def _choose(
    study: Study, fusion: Fusion, found: Sequence[Candidate], on_dev: dict[str, float]
) -> list[str]:
    if not isinstance(fusion.members, Best):
        return list(on_dev)
    kinds = None
    if fusion.members.per == "modality":
        kinds = {c.name: study.modality_of_model(c.model) for c in found}
    return best_of_each(on_dev, fusion.members.best, kinds)


def _groups(layout: Layout) -> dict[str, str] | None:
    """Group of each item, where items have groups."""
    groups = {row["id"]: row["group"] for row in read_table(layout.folds)}
    return groups if any(groups.values()) else None


def _used(aligned: Aligned, method: Learnt) -> list[str]:
    """Names of the candidates that have any weight."""
    if method.weights is None:
        return list(aligned.names)
    return [n for n, weight in zip(aligned.names, method.weights, strict=True) if weight > 0]


def _weights(aligned: Aligned, method: Learnt) -> dict[str, Any]:
    if method.weights is None:
        return {}
    weights = _by_name(aligned.names, method.weights.tolist())
    return {"weights": {name: weight for name, weight in weights.items() if weight > 0}}


def _by_name(names: Sequence[str], values: Sequence[float]) -> dict[str, float]:
    return dict(zip(names, values, strict=True))


def scores(predictions: Predictions) -> dict[str, dict[str, float]]:
    """UAR and accuracy of each partition that is there."""
    found: dict[str, Any] = {}
    for partition in ("dev", "test"):
        part = predictions.part(partition)
        if part.ids.size:
            found[partition] = {
                "uar": uar(part.true, part.predicted, len(part.classes)),
                "accuracy": accuracy(part.true, part.predicted),
            }
    return found


def _known(study: Study, layout: Layout, name: str, fold: str, seed: int) -> None:
    if name not in study.fusions:
        raise UserError(f"unknown fusion {name!r}{nearest(name, list(study.fusions))}")
    folds = read_dataset(layout)["folds"]
    if fold not in folds:
        raise UserError(f"unknown fold {fold!r}{nearest(fold, folds)}")
    if seed not in study.seeds:
        known = ", ".join(map(str, study.seeds))
        raise UserError(f"unknown seed {seed}; the study has {known}")
    placed = study.fusions[name].placed(study.seeds)
    if seed not in placed:
        raise UserError(f"fusion {name} pools all seeds: its result is that of seed {placed[0]}")
