"""One job: a fusion on one fold with one seed."""

from pathlib import Path
from typing import Any

from deepself.errors import UserError
from deepself.evaluation.metrics import accuracy, uar
from deepself.fusion.choose import best, best_per_modality, dev_uar
from deepself.fusion.combine import align, mean
from deepself.store.files import write_json
from deepself.store.predictions import Predictions, read_predictions, write_predictions
from deepself.study import Layout, Study
from deepself.study.explain import nearest
from deepself.study.identity import read_dataset
from deepself.study.references import members as matching


def fuse(study: Study, layout: Layout, name: str, fold: str, seed: int) -> Path:
    """Combine the predictions of a fusion's members; return the folder written.

    Raises
    ------
    UserError
        If the study has no such fusion, fold or seed, a member has no predictions, or the
        members' predictions do not fit together.
    """
    _known(study, layout, name, fold, seed)
    fusion = study.fusions[name]
    names = matching(study, fusion.members)
    members = align({m: _read(layout, m, fold, seed) for m in names})
    on_dev = dev_uar(members)
    chosen = names
    if fusion.choose == "best_per_modality":
        modalities = {m: study.modality_of_model(m) for m in names}
        chosen = best_per_modality(on_dev, modalities)
    fused = mean({m: members[m] for m in chosen})

    folder = layout.fusion(name, fold, seed)
    record = {
        "study": study.name,
        "fusion": name,
        "fold": fold,
        "seed": seed,
        "method": fusion.method,
        "choose": fusion.choose,
        "members": names,
        "chosen": chosen,
        "members_dev_uar": on_dev,
        "best_member_on_dev": best(on_dev),
        "scores": scores(fused),
        "specification": fusion.model_dump(mode="json"),
    }
    write_json(folder / "fusion.json", record)
    write_predictions(folder / "predictions.csv", fused)
    return folder


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


def _read(layout: Layout, member: str, fold: str, seed: int) -> Predictions:
    path = layout.run(member, fold, seed) / "predictions.csv"
    if not path.is_file():
        raise UserError(f"{member}, fold {fold}, seed {seed}: no {path}; run train")
    return read_predictions(path).recordings()
