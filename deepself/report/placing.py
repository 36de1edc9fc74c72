"""The map of a study's items: what one of its runs makes of them, in the plane."""

from pathlib import Path
from statistics import mean

import numpy as np

from deepself.errors import UserError
from deepself.evaluation.results import Result, results
from deepself.store.files import read_table, write_json, write_table
from deepself.study import Layout, Study
from deepself.study.identity import read_dataset

ITEMS = 2000
"""Items on the map at most."""

COLUMNS = ("id", "label", "group", "partition", "fold", "pca_x", "pca_y", "tsne_x", "tsne_y")


def about(layout: Layout) -> Path:
    """What is to be said of the map, beside it."""
    return layout.map.with_suffix(".json")


def make_map(study: Study, layout: Layout, device: str) -> Path:
    """Write the map of a study's items and what is to be said of it; return the map's path.

    The run is the first (fold, seed) of the model with the best mean UAR on dev, over folds and
    seeds: among networks or, without any, among classifiers. Test plays no part in the choice.

    Parameters
    ----------
    study, layout
        A study whose runs are there.
    device
        `auto`, `cpu` or `cuda`.

    Raises
    ------
    UserError
        A run is missing, or cannot be rebuilt from what training left.
    """
    run, dev = _chosen(study, layout)

    from deepself.report.plane import drawn, in_plane
    from deepself.training.devices import claim_device
    from deepself.training.hidden import hidden
    from deepself.training.job import Run, job_of

    table = read_table(layout.folds)
    rows = [table[number] for number in drawn([row["label"] for row in table], ITEMS)]
    job = job_of(study, layout, Run(run.name, run.fold, run.seed))
    with claim_device(device) as claimed:
        found = hidden(job, {row["id"] for row in rows}, claimed)
    vectors = np.stack([found[row["id"]] for row in rows])
    if not np.isfinite(vectors).all():
        raise UserError(f"{run.folder}: what {run.name} makes of items is not finite: no map of it")
    plane = in_plane(vectors)
    tested = {row["id"]: _tested(row, read_dataset(layout)["folds"]) for row in rows}
    places = np.concatenate([plane.pca, plane.tsne], axis=1).tolist()
    write_json(
        about(layout),
        {
            "model": run.name,
            "type": job.method.type,
            "classifier": study.models[run.name].network is None,
            "features": [source.feature for source in job.inputs.values()],
            "fold": run.fold,
            "seed": run.seed,
            "dev_uar": dev,
            "windows": "start" in read_table(run.predictions)[0],
            "size": vectors.shape[1],
            "items": len(rows),
            "of": len(table),
            "shares": plane.shares,
            "perplexity": plane.perplexity,
        },
    )
    write_table(
        layout.map,
        COLUMNS,
        [
            [
                row["id"],
                row["label"],
                row["group"],
                row[f"fold-{run.fold}"],
                tested[row["id"]],
                *(f"{value:.6g}" for value in four),
            ]
            for row, four in zip(rows, places, strict=True)
        ],
    )
    return layout.map


def _chosen(study: Study, layout: Layout) -> tuple[Result, float]:
    """The first run of the model that is best on dev, and its mean UAR there."""
    networks = [name for name, model in study.models.items() if model.network is not None]
    candidates = networks or list(study.models)
    runs = [r for r in results(study, layout) if r.kind == "model" and r.name in candidates]
    if layout.partial:
        runs = [run for run in runs if (run.folder / "run.json").is_file()]
    if not runs:
        raise UserError(f"{layout.folder}: no run of {', '.join(candidates)}; run train")
    scores: dict[str, list[float]] = {}
    for run in runs:
        scores.setdefault(run.name, []).append(run.record["scores"]["dev"]["uar"])
    best = max(scores, key=lambda name: mean(scores[name]))  # of equals, the study's first
    return next(run for run in runs if run.name == best), mean(scores[best])


def _tested(row: dict[str, str], folds: list[str]) -> str:
    """The first fold in whose test an item lies, if there is one."""
    return next((fold for fold in folds if row[f"fold-{fold}"] == "test"), "")
