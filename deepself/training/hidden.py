"""What a trained run makes of items: the vectors that its last layer, or its classifier, reads."""

from collections.abc import Callable, Collection

import numpy as np
import torch
from torch import Tensor

from deepself.errors import UserError
from deepself.networks.base import Network
from deepself.store.files import read_json
from deepself.store.predictions import means
from deepself.store.weights import read_weights
from deepself.study.models import Classifier
from deepself.training.augment import Crops
from deepself.training.batch import Batch
from deepself.training.data import Part
from deepself.training.fit import named
from deepself.training.homes import Fold, open_fold
from deepself.training.job import Job
from deepself.training.network import make_network
from deepself.training.partitions import Partition
from deepself.training.precision import Precision
from deepself.training.predicting import to_numpy
from deepself.training.record import RECORD, is_of
from deepself.training.seeding import seed_everything

Embed = Callable[[Batch], Tensor]
"""From a batch to vectors (rows, size)."""


@torch.no_grad()
def hidden(job: Job, ids: Collection[str], device: str) -> dict[str, np.ndarray]:
    """Vectors of some recordings, as a run that has been trained sees them.

    Of a network these are what its last layer reads, by the weights and in the precision that
    gave the run's predictions; of a classifier, its own input, normalised. The vectors of a
    recording's windows, and of an item's crops, are averaged.

    Parameters
    ----------
    job
        The run; its folder holds what training left.
    ids
        Recordings of the run's fold, of any partition.
    device
        `cpu`, or a GPU such as `cuda:0`.

    Returns
    -------
    dict
        Each id's vector, of one length.

    Raises
    ------
    UserError
        The run is missing, or is not what the study now asks for.
    """
    _require_same(job)
    seed_everything(job.run.seed, job.run.fold)  # with deterministic operators, as in training
    with (
        open_fold(job.inputs, job.folds, job.run.fold, job.classes, device) as fold,
        named(job, fold.shapes),
    ):
        embed = _flat if isinstance(job.method, Classifier) else _embedding(job, fold, device)
        found: dict[str, np.ndarray] = {}
        for name, part in fold.parts.items():
            wanted = np.array([item in ids for item in part.ids], dtype=bool)
            rows = np.flatnonzero(wanted[part.recordings])
            if len(rows):
                vectors = _vectors(embed, fold.partitions[name], rows, job.training.batch_size)
                found |= _by_recording(part, rows, vectors)
    return found


def _require_same(job: Job) -> None:
    """A run of other settings or features cannot be rebuilt from the study as it is."""
    if not is_of(read_json(job.folder / RECORD), job):
        raise UserError(f"{job.folder}: is of the study as it was before; run train again")


def _embedding(job: Job, fold: Fold, device: str) -> Embed:
    """What a run's network gives its last layer."""
    assert not isinstance(job.method, Classifier)
    crops = Crops.of(job.training, [source.kind for source in job.inputs.values()])
    shapes = {
        name: crops.shape(shape, job.inputs[name].kind) for name, shape in fold.shapes.items()
    }
    # Its weights are the run's own: what it started from need not be there any more.
    network = make_network(job.method, shapes, len(job.classes), dict.fromkeys(job.inputs))
    _load(network, job)
    network.to(device).eval()
    precision = Precision(job.training, torch.device(device).type)
    precision.lay_out(network)

    def embed(batch: Batch) -> Tensor:
        with precision():
            parts = [
                network.embed(*part.arguments).float()
                for part in map(precision.laid_out, crops.parts(batch))
            ]
        return torch.stack(parts).mean(0) if len(parts) > 1 else parts[0]

    return embed


def _load(network: Network, job: Job) -> None:
    path = job.folder / "weights.safetensors"
    if not path.exists():
        raise UserError(f"{path}: not found; run train again")
    try:
        network.load_state_dict(read_weights(path, of_run=True))
    except RuntimeError:  # names or shapes of other layers
        raise UserError(f"{path}: not the weights of this network; run train again") from None


def _flat(batch: Batch) -> Tensor:
    return batch.items[0].flatten(1)


def _vectors(embed: Embed, partition: Partition, rows: np.ndarray, batch_size: int) -> np.ndarray:
    batches = partition.batches(torch.from_numpy(rows).split(batch_size))
    return np.concatenate([to_numpy(embed(batch)) for batch in batches])


def _by_recording(part: Part, rows: np.ndarray, vectors: np.ndarray) -> dict[str, np.ndarray]:
    """Vectors of rows as those of their recordings."""
    recordings, places = np.unique(part.recordings[rows], return_inverse=True)
    if part.starts is not None:
        vectors = means(vectors, places, len(recordings)).astype(np.float32)
    names = [part.ids[number] for number in recordings.tolist()]
    return dict(zip(names, vectors, strict=True))
