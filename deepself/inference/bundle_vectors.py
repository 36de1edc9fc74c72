"""Vectors of new recordings as one of a bundle's runs sees them."""

from collections.abc import Mapping, Sequence
from math import prod

import numpy as np
import torch

from deepself.errors import UserError
from deepself.inference.bundle import Bundle
from deepself.inference.embeddings import Recordings
from deepself.inference.opening import Opener
from deepself.inference.running import Items
from deepself.study.dataset import AnyModality
from deepself.study.explain import nearest
from deepself.training.batch import Batch
from deepself.training.predicting import to_numpy


class RunVectors:
    """What the last layer of a trained run reads, or its classifier: see `Maker` of embeddings.

    The vectors of an item's crops, and of windows that the feature itself has, are averaged.

    Parameters
    ----------
    bundle
        The bundle.
    run
        Which of its runs; None for the only one.

    Raises
    ------
    UserError
        There is no such run, or there are several.
    """

    def __init__(self, bundle: Bundle, run: str | None):
        names = list(bundle.runs)
        if run is None and len(names) > 1:
            raise UserError(f"--run: say which of the bundle's {len(names)}: {', '.join(names)}")
        if run is not None and run not in names:
            raise UserError(f"--run: the bundle has no run {run!r}{nearest(run, names)}")
        self.name = names[0] if run is None else run
        self._run, self._chain = bundle.runs[self.name], bundle.chain
        self._features = [one.feature for one in self._run.spec.inputs.values()]
        needed = {m for name in self._features for m in _modalities(bundle, name)}
        own = bundle.spec.modalities
        self.modalities: Mapping[str, AnyModality] = {n: own[n] for n in own if n in needed}
        self.openers: Mapping[str, Opener] = {n: bundle.openers[n] for n in self.modalities}
        self.windowed = False
        network = self._run.network
        shape = next(iter(self._run.spec.inputs.values())).shape
        self.size = prod(shape) if network is None else network.embedding_size

    def whole(self, recordings: Recordings) -> tuple[np.ndarray, list[float] | None]:
        """See `Maker`."""
        made = self._chain.make(self._features, recordings)
        items = [Items(made[name].items, made[name].lengths) for name in self._features]
        batch = self._run.normalised(items)
        with torch.inference_mode():
            vectors = self._vectors(Batch(*_columns(batch, self._run.device)))
        return to_numpy(vectors.mean(0, keepdim=True)), None

    def windows(self, group: Sequence[Recordings]) -> np.ndarray:
        """See `Maker`."""
        return np.concatenate([self.whole(one)[0] for one in group])

    def _vectors(self, batch: Batch) -> torch.Tensor:
        network, precision = self._run.network, self._run.precision
        if network is None:
            return batch.items[0].flatten(1)
        with precision():
            parts = map(precision.laid_out, self._run.crops.parts(batch))
            found = [network.embed(*part.arguments).float() for part in parts]
        return torch.stack(found).mean(0)


def _modalities(bundle: Bundle, feature: str) -> set[str]:
    """Modalities that a feature is made from."""
    own = getattr(bundle.spec.features[feature], "modality", None)
    if own is not None:
        return {own}
    return set().union(*(_modalities(bundle, of) for of in bundle.spec.sources(feature)))


def _columns(
    batch: Sequence[tuple[torch.Tensor, torch.Tensor | None]], device: str
) -> tuple[tuple[torch.Tensor, ...], torch.Tensor, tuple[torch.Tensor | None, ...]]:
    """Items, targets and lengths; vectors depend on no targets."""
    items, lengths = zip(*batch, strict=True)
    targets = torch.zeros(len(items[0]), dtype=torch.int64, device=device)
    return items, targets, lengths
