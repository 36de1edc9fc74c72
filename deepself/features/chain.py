"""Features of single recordings, in memory: what the files of a study hold of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from deepself.dataset.recordings import Recording
from deepself.features.compute import Transformer
from deepself.features.derive import ROWS, Deriver, Embed
from deepself.features.joining import Joiner
from deepself.store.feature_writer import Batch
from deepself.study.dataset import AnyModality
from deepself.study.features import AnyFeature, Computed, Embedding, sources_of
from deepself.study.joined import Joined

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Sizes:
    """What the recordings of a study have fixed, once they were read.

    Attributes
    ----------
    samples
        Length to which signals and films of a modality are brought; None leaves them.
    shapes
        Of an item of each feature.
    """

    samples: Mapping[str, int | None]
    shapes: Mapping[str, Shape]


class Chain:
    """How features are made of one recording, whatever other features they are made from.

    Parameters
    ----------
    modalities, features
        As in the study.
    sizes
        Lengths and shapes that the study's recordings gave.
    embed
        The network of each feature that is an embedding.
    """

    def __init__(
        self,
        modalities: Mapping[str, AnyModality],
        features: Mapping[str, AnyFeature],
        sizes: Sizes,
        embed: Mapping[str, Embed],
    ):
        self._features, self._shapes = features, sizes.shapes
        self._transformers: dict[str, Transformer] = {}
        self._derivers: dict[str, Deriver] = {}
        self._joiners: dict[str, Joiner] = {}
        for name, spec in features.items():
            if isinstance(spec, Computed):
                modality = modalities[spec.modality]
                samples = sizes.samples[spec.modality]
                self._transformers[name] = Transformer(name, spec, modality, samples)
            elif isinstance(spec, Joined):
                self._joiners[name] = Joiner(spec, sizes.shapes[name])
            else:
                own = embed[name] if isinstance(spec, Embedding) else None
                self._derivers[name] = Deriver(spec, own)

    def make(self, names: Sequence[str], recordings: Mapping[str, Recording]) -> dict[str, Batch]:
        """Items of some features, each made once.

        Parameters
        ----------
        names
            Of the features.
        recordings
            Of one item, by modality.

        Raises
        ------
        ValueError
            A recording does not suit a feature, which the message names.
        """
        made: dict[str, Batch] = {}
        for name in names:
            self._make(name, recordings, made)
        return {name: made[name] for name in names}

    def _make(
        self, name: str, recordings: Mapping[str, Recording], made: dict[str, Batch]
    ) -> Batch:
        if name in made:
            return made[name]
        spec = self._features[name]
        sources = {of: self._make(of, recordings, made) for of in sources_of(spec)}
        try:
            if isinstance(spec, Computed):
                batch = self._transformers[name](recordings[spec.modality])
            elif isinstance(spec, Joined):
                batch = self._joiners[name](sources)
            else:
                (source,) = sources.values()
                batch = self._derived(name, source)
        except ValueError as error:
            raise ValueError(f"features.{name}: {error}") from None
        shape, wanted = batch.items.shape[1:], self._shapes.get(name)
        if wanted is not None and shape != tuple(wanted):
            raise ValueError(f"features.{name}: gives items of shape {shape}, not {wanted}")
        made[name] = _as_kept(batch, spec.dtype)
        return made[name]

    def _derived(self, name: str, source: Batch) -> Batch:
        rows = np.array_split(np.arange(len(source.items)), -(-len(source.items) // ROWS))
        lengths = source.lengths
        items = [
            self._derivers[name](source.items[part], None if lengths is None else lengths[part])
            for part in rows
        ]
        return Batch(np.concatenate(items), source.counts, source.starts)


def _as_kept(batch: Batch, dtype: str) -> Batch:
    """Values as the feature's file would give them back."""
    with np.errstate(over="ignore"):
        items = batch.items.astype(dtype, copy=False).astype(np.float32, copy=False)
    if not np.isfinite(items).all():
        raise ValueError(f"gives values that are not finite, or do not fit {dtype}")
    return replace(batch, items=items)
