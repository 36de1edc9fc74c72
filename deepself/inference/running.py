"""A trained run, rebuilt from its bundle: items in, probabilities out."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from deepself.errors import UserError
from deepself.inference.fitting import require_fit
from deepself.inference.spec import RunSpec
from deepself.networks.base import Network
from deepself.training.augment import Crops
from deepself.training.classifiers import predict as classify
from deepself.training.data import Normaliser
from deepself.training.network import make_network
from deepself.training.partitions import InMemory
from deepself.training.precision import Precision
from deepself.training.predicting import predict, to_numpy

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Items:
    """Rows of one feature: float32 (rows, *shape), and true lengths (rows,) where some differ."""

    values: np.ndarray
    lengths: np.ndarray | None = None


class LoadedRun:
    """A network or classifier with its weights, on a device.

    Parameters
    ----------
    name, spec
        The run.
    path
        File of its weights.
    classes
        Number of classes.
    device
        `cpu`, or a GPU such as `cuda`.

    Raises
    ------
    UserError
        The weights are not those of such a network or classifier.
    """

    def __init__(self, name: str, spec: RunSpec, path: Path, classes: int, device: str):
        self.spec, self.device = spec, device
        self._classes = classes
        arrays = _arrays(path)
        self.normalisers = {
            branch: _normaliser(path, one.normalise, branch, one.shape, arrays)
            for branch, one in spec.inputs.items()
        }
        self._arrays = {
            key: value for key, value in arrays.items() if key.startswith("classifier.")
        }
        self.network: Network | None = None
        self.crops = Crops.of(spec.training, [one.kind for one in spec.inputs.values()])
        self.precision = Precision(spec.training, torch.device(device).type)
        if spec.network is not None:
            self.network = self._built(name, path, arrays)
        else:
            self._require_fit(path)

    def probabilities(self, features: Mapping[str, Items]) -> np.ndarray:
        """Probabilities (rows, classes), float64, of items of each feature that it reads."""
        own = [features[one.feature] for one in self.spec.inputs.values()]
        batch = self.normalised(own)
        if self.spec.classifier is not None:
            return self.classified(batch[0][0].flatten(1).numpy())
        assert self.network is not None
        rows = len(own[0].values)
        targets = torch.zeros(rows, dtype=torch.int64, device=self.device)
        lengths = [length for _, length in batch]
        partition = InMemory([items for items, _ in batch], targets, lengths)
        size = self.spec.training.batch_size
        logits = predict(self.network, partition, size, self.crops, self.precision)
        return to_numpy(logits.double().softmax(1))

    def _require_fit(self, path: Path) -> None:
        """Refuse what is no such classifier, by what it says of a vector of zeros."""
        (one,) = self.spec.inputs.values()
        try:
            if "classifier.left" in self._arrays:
                _require_trees(self._arrays)
            with np.errstate(all="ignore"):
                found = self.classified(np.zeros((1, math.prod(one.shape)), dtype=np.float32))
        except (KeyError, IndexError, TypeError, ValueError):
            found = np.empty((0, 0))
        if found.shape != (1, self._classes) or not np.isfinite(found).all():
            raise UserError(f"{path}: not the weights of this classifier")

    def classified(self, vectors: np.ndarray) -> np.ndarray:
        """Probabilities (rows, classes) of normalised vectors (rows, features); no network's."""
        assert self.spec.classifier is not None
        return classify(self.spec.classifier.type, self._arrays, vectors)

    def normalised(self, own: list[Items]) -> list[tuple[Tensor, Tensor | None]]:
        """Items of each input, in their order, on the device as the network reads them."""
        # A classifier computes by NumPy.
        device = "cpu" if self.spec.classifier is not None else self.device
        batch = []
        for one, normaliser in zip(own, self.normalisers.values(), strict=True):
            items = torch.tensor(one.values, device=device)  # a copy: several runs read them
            lengths = None
            if one.lengths is not None:
                lengths = torch.tensor(one.lengths, device=device)
            normaliser.apply_to(items, lengths)
            batch.append((items, lengths))
        return batch

    def _built(self, name: str, path: Path, arrays: Arrays) -> Network:
        spec = self.spec
        assert spec.network is not None
        shapes = {n: self.crops.shape(one.shape, one.kind) for n, one in spec.inputs.items()}
        prefix = "network."
        state = {
            key.removeprefix(prefix): torch.from_numpy(value)
            for key, value in arrays.items()
            if key.startswith(prefix)
        }

        def make() -> Network:
            assert spec.network is not None
            return make_network(spec.network, shapes, self._classes, dict.fromkeys(spec.inputs))

        try:
            require_fit(spec.network.model_dump(), shapes, state, make)
            network = make()
        except UserError as error:
            raise UserError(f"{name}: {error}") from None
        except ValueError as error:
            raise UserError(f"{path}: not the weights of this network: {error}") from None
        try:
            network.load_state_dict(state)
        except RuntimeError:  # names or shapes of other layers
            raise UserError(f"{path}: not the weights of this network") from None
        network.to(self.device).eval()
        self.precision.lay_out(network)
        return network


def _require_trees(arrays: Arrays) -> None:
    """Refuse nodes that do not lead on to later ones: the way from one to a leaf would not end."""
    left, right = arrays["classifier.left"], arrays["classifier.right"]
    inner = np.flatnonzero(arrays["classifier.features"] >= 0)
    leaves = arrays["classifier.features"] == -1
    if not (leaves.sum() + len(inner) == len(left) == len(right)):
        raise ValueError
    if not ((left[inner] > inner).all() and (right[inner] > inner).all()):
        raise ValueError


def _arrays(path: Path) -> Arrays:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        arrays: Arrays = load_file(path)
    except (OSError, ValueError, SafetensorError) as error:
        raise UserError(f"{path}: weights cannot be read: {error}") from None
    for key, value in arrays.items():
        if value.dtype.kind == "f" and not np.isfinite(value).all():
            raise UserError(f"{path}: {key} holds values that are not finite")
    return arrays


def _normaliser(
    path: Path, method: str, branch: str, shape: tuple[int, ...], arrays: Arrays
) -> Normaliser:
    if method == "none":
        return Normaliser()
    if method == "item":
        return Normaliser(per_item=True)
    prefix = f"normaliser.{branch}." if branch else "normaliser."
    try:
        mean, deviation = arrays[f"{prefix}mean"], arrays[f"{prefix}deviation"]
        if np.broadcast_shapes(mean.shape, deviation.shape, shape) != shape:
            raise ValueError
        if mean.dtype.kind != "f" or deviation.dtype.kind != "f" or not (deviation > 0).all():
            raise ValueError
    except (KeyError, ValueError):
        raise UserError(f"{path}: lacks what its items are normalised by") from None
    return Normaliser(mean, deviation)
