"""Runs over a feature file without a study: a network, a table of folds, nothing else."""

from collections.abc import Callable, Sequence
from pathlib import Path

from deepself.errors import UserError
from deepself.store.features import FeatureFile
from deepself.store.files import read_table
from deepself.store.published import weights_digest, weights_file
from deepself.study import defaults
from deepself.study.explain import nearest
from deepself.study.identity import VERSIONS, digest
from deepself.study.inputs import network_input, wrong_input
from deepself.study.layout import RESULTS
from deepself.study.models import Model
from deepself.study.networks import Branches
from deepself.training.job import Input, Job, Run

PREFIX = "fold-"


def jobs_of_file(
    file: Path,
    folds: Path,
    make_model: Callable[[int], Model],
    wanted: Sequence[str] | None,
    seed: int,
    output: Path,
) -> list[Job]:
    """The runs of a network over a feature file, one a fold.

    Parameters
    ----------
    file
        The feature file.
    folds
        A table with the columns id, label and fold-1, fold-2, ..., as `split` writes it.
    make_model
        Gives the model, from the number of axes of an item.
    wanted
        Names of folds; None for all.
    seed
        Seed of every run.
    output
        Folder below which each network has its own.

    Raises
    ------
    UserError
        A file that is not what it should be, an unknown fold, or a network that cannot read the
        feature.
    """
    with FeatureFile(file) as feature:
        kind = str(feature.specification["slice"]["feature"]["kind"])
        axes = len(feature.shape)
    model = make_model(axes)
    network = defaults.network(model, lambda _: kind)
    assert not isinstance(network, Branches | None)
    accepted = network_input(network.type)
    if accepted is not None and kind not in accepted:
        raise UserError(f"--network: {wrong_input(network.type, accepted, str(file), kind)}")
    classes, known = _read_folds(folds)
    for fold in wanted or ():
        if fold not in known:
            raise UserError(f"{folds}: no column {PREFIX}{fold}{nearest(fold, known)}")
    weights: str | None = getattr(network, "weights", None)
    source = Input(
        file.stem,
        kind,
        file,
        defaults.normalisation(model, kind),
        None if weights is None else weights_file(RESULTS, network.type, weights),
    )
    dumped = network.model_dump()
    if weights is not None:
        dumped["weights"] = weights_digest(network.type, weights)
    specification = {
        "version": VERSIONS["train"],
        "network": dumped,
        "normalise": source.normalise,
        "training": model.training.model_dump(),
    }
    name = network.type.replace("/", "-")
    # Other settings are another folder: what has been trained stays.
    made = digest({"model": specification, "file": file.stem, "classes": classes})[:6]
    return [
        Job(
            study="",
            run=Run(name, fold, seed),
            method=network,
            training=model.training,
            inputs={"": source},
            folds=folds,
            classes=classes,
            folder=output / f"{name}-{made}" / f"fold-{fold}" / f"seed-{seed}",
            specification=specification,
        )
        for fold in wanted or known
    ]


def _read_folds(path: Path) -> tuple[list[str], list[str]]:
    """Classes and folds of a table of folds."""
    if not path.is_file():
        raise UserError(f"{path}: no such file; --folds takes a table as `split` writes it")
    rows = read_table(path)
    columns = list(rows[0]) if rows else []
    folds = [column.removeprefix(PREFIX) for column in columns if column.startswith(PREFIX)]
    if not {"id", "label"} <= set(columns) or not folds:
        raise UserError(f"{path}: needs the columns id, label and {PREFIX}1, {PREFIX}2, …")
    seen: dict[str, int] = {}
    for number, row in enumerate(rows, start=2):
        if row["id"] in seen:
            raise UserError(f"{path}:{number}: {row['id']} stands in line {seen[row['id']]} too")
        seen[row["id"]] = number
        for fold in folds:
            if row[PREFIX + fold] not in ("train", "dev", "test"):
                found = row[PREFIX + fold]
                raise UserError(f"{path}:{number}: {found!r} is none of train, dev, test")
    for fold in folds:
        _refuse_leaks(path, rows, fold)
    return sorted({row["label"] for row in rows}), folds


def _refuse_leaks(path: Path, rows: list[dict[str, str]], fold: str) -> None:
    """A group, where the table has them, lies in one partition."""
    partition_of: dict[str, str] = {}
    for row in rows:
        group, partition = row.get("group"), row[PREFIX + fold]
        if group and partition_of.setdefault(group, partition) != partition:
            both = f"{partition_of[group]} and {partition}"
            raise UserError(f"{path}: fold {fold}: group {group} lies in {both}: a leak")
