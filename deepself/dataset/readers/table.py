"""Tables with typed columns: Parquet."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from deepself.dataset.readers.decoded import Decoded, ReadError
from deepself.dataset.readers.decoding import decoding
from deepself.dataset.readers.selection import listed, positions
from deepself.study.dataset import SensorModality


def read_parquet(modality: SensorModality, path: Path, content: bytes) -> Decoded:
    """Read Parquet: wanted columns are channels, rows are samples, empty cells are NaN.

    An index that pandas has written is no channel. Columns of other than numbers may stand beside
    those wanted.
    """
    import pyarrow
    from pyarrow import parquet

    with decoding("Parquet"):
        file = parquet.ParquetFile(pyarrow.BufferReader(content))
        schema = file.schema_arrow
        index = _index(schema.metadata or {})
        columns = [i for i, name in enumerate(schema.names) if name not in index]
        names = [schema.names[i] for i in columns]
        wanted = [columns[k] for k in positions(modality, len(columns), names)]
        odd = [
            f"{schema.names[i]}: {schema.types[i]}" for i in wanted if not _real(schema.types[i])
        ]
        if odd:
            raise ReadError(
                f"has columns that are no numbers ({listed(odd)}); choose others by channels"
            )
        if not wanted:
            raise ReadError("holds no columns")
        table = file.read(use_threads=False)
        with np.errstate(all="ignore"):
            values = np.stack(
                [np.asarray(table.column(i).to_numpy(), dtype=np.float32) for i in wanted]
            )
    return Decoded(values, None, tuple(schema.names[i] for i in wanted))


def _real(kind: Any) -> bool:
    from pyarrow import types

    return types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind)


def _index(metadata: dict[bytes, bytes]) -> set[str]:
    written = json.loads(metadata.get(b"pandas", b"{}"))
    return {name for name in written.get("index_columns", ()) if isinstance(name, str)}
