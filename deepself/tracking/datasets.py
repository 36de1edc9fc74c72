"""The data set as MLflow knows it: whole, and the items that a number was measured on."""

import hashlib
import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from deepself.dataset.manifest import data_root
from deepself.errors import UserError
from deepself.store.files import read_table
from deepself.study import Layout, Study
from deepself.study.identity import digest as digest_of
from deepself.study.identity import read_dataset

PARTITIONS = ("train", "dev", "test")

_CHARACTERS = 16
"""Of a digest; MLflow takes 36 and shows all of them in each column's title."""


@dataclass(frozen=True)
class Data:
    """Some items of the data set.

    Attributes
    ----------
    name
        Of the data set, with the fold and the partition if it is not whole.
    digest
        Of the items, their labels and groups, and the recordings of all modalities: equal for
        studies that measure on the same.
    source
        The manifest.
    schema
        The manifest's columns, as MLflow writes those of a table.
    profile
        JSON: how many items there are, in all and of each class, groups, and the digests of the
        recordings as files of features have them.
    """

    name: str
    digest: str
    source: str = field(compare=False)
    schema: str = field(repr=False)
    profile: str = field(repr=False)


class DataSet:
    """A study's items, as `split` divided them.

    Parameters
    ----------
    study, layout
        Whose `folds.csv` and `dataset.json` there are.
    """

    def __init__(self, study: Study, layout: Layout):
        self._rows = read_table(layout.folds)
        found = read_dataset(layout)
        self._classes: list[str] = found["classes"]
        self._folds: list[str] = found["folds"]
        self._recordings = {name: one["digest"] for name, one in found["modalities"].items()}
        self._name = _name(study)
        self._source = json.dumps({"uri": str(_manifest(study))})
        self._columns = _columns(study)

    def whole(self) -> Data:
        """All items."""
        return self._data("", self._rows)

    def over(self, partition: str) -> Data:
        """Items that any fold has in a partition: what means over folds are measured on.

        Where folds are tested in turn these are all items, and this is the whole data set.
        """
        columns = [f"fold-{fold}" for fold in self._folds]
        held = [row for row in self._rows if any(row[c] == partition for c in columns)]
        return self._data(partition if len(held) < len(self._rows) else "", held)

    def part(self, fold: str, partition: str) -> Data:
        """Items of one fold's partition; that of the only fold is the partition over all."""
        if len(self._folds) == 1:
            return self.over(partition)
        held = [row for row in self._rows if row[f"fold-{fold}"] == partition]
        return self._data(f"fold {fold} {partition}", held)

    def _data(self, which: str, rows: list[dict[str, str]]) -> Data:
        hashed = hashlib.sha256()
        for row in rows:
            hashed.update(json.dumps([row["id"], row["label"], row["group"]]).encode())
        counts = Counter(row["label"] for row in rows)
        groups = {row["group"] for row in rows} - {""}
        profile = {
            "num_rows": len(rows),
            "num_classes": len(self._classes),
            "classes": {label: counts[label] for label in self._classes},
            **({"num_groups": len(groups)} if groups else {}),
            **{f"{name}_recordings": digest[:12] for name, digest in self._recordings.items()},
        }
        schema = {"mlflow_colspec": self._columns}
        digest = digest_of([hashed.hexdigest(), self._recordings, self._columns])
        return Data(
            f"{self._name} {which}".strip(),
            digest[:_CHARACTERS],
            self._source,
            json.dumps(schema),
            json.dumps(profile),
        )


def _name(study: Study) -> str:
    """The name of the data set's folder; of a study in the folder itself, the study's."""
    return Path(study.dataset.root).name.strip(".") or study.name


def _manifest(study: Study) -> Path:
    try:
        return data_root(study.dataset).resolve() / study.dataset.manifest
    except UserError:  # results can be tracked where the recordings are not
        return Path(study.dataset.root) / study.dataset.manifest


def _columns(study: Study) -> list[dict[str, str | bool]]:
    columns = study.dataset
    names = [columns.id, columns.label, columns.group]
    names += [modality.column or name for name, modality in columns.modalities.items()]
    return [{"type": "string", "name": name, "required": True} for name in names if name]
