"""The table of published weights, its rows of torchvision as the installed torchvision has them.

`python -m tests.store.published_table` writes it.
"""

import csv
import re

from deepself.networks._torchvision import import_torchvision
from deepself.networks.registry import TORCHVISION
from deepself.store.published import TABLE

COLUMNS = ("network", "name", "file", "url", "checksum", "learnt_on")

LEFT_OUT = ("imagenet1k_swag_e2e_v1", "imagenet1k_features")
"""Of larger pictures, so of another shape; with a classifier that is not a number."""

COPIES = {"mobilenet_v3": "mobilenet_v3_large"}
"""Further names of architectures, with the same weights."""

FULL = {"f37072fd": "f37072fd47e89c5e827621c5baffa7500819f7896bbacec160b1a16c560e07ec"}
"""Whole checksums, where they are known, by what torchvision publishes of them."""


def torchvision_rows():
    """Rows of all of torchvision's architectures, sorted."""
    models = import_torchvision().models
    rows = []
    for network in (*TORCHVISION, *COPIES):
        weights = models.get_model_weights(COPIES.get(network, network))
        rows.append(row(network, "imagenet", weights.DEFAULT.url))
        rows += [row(network, one.name.lower(), one.url) for one in weights]
    return sorted(row for row in rows if row[1] not in LEFT_OUT)


def row(network, name, url):
    file = url.rpartition("/")[2]
    prefix = re.fullmatch(r".*-([0-9a-f]{8})\.pth", file)[1]  # as torch.hub reads file names
    checksum = f"sha256:{FULL[prefix]}" if prefix in FULL else f"sha256-prefix:{prefix}"
    return (network, name, file, url, checksum, "pictures")


def read():
    """Rows of the table as it is."""
    with open(TABLE, newline="", encoding="utf-8") as file:
        return [tuple(row) for row in csv.reader(file)][1:]


def main():
    own = {*TORCHVISION, *COPIES}
    rows = torchvision_rows() + [row for row in read() if row[0] not in own]
    with open(TABLE, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(sorted(rows))


if __name__ == "__main__":
    main()
