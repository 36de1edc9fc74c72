"""SoundNet (Aytar et al., 2016): convolutions over waves, in the layout of published weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from torch import Tensor, nn

from deepself.networks._pretrained import PretrainedNetwork
from deepself.networks.base import check_input
from deepself.networks.layers import Length, conv_length, valid_steps

SCALE = 256.0  # the publication's waves lie between -256 and 256
STRIDE = 2


class Layer(NamedTuple):
    """A convolution of stride 2, padded by half its kernel, and a max-pooling; 1 for none."""

    channels: int
    kernel: int
    pool: int

    def steps(self, length: Length) -> Length:
        """Give the steps that are left of so many."""
        convolved = conv_length(length, self.kernel, STRIDE, 2 * (self.kernel // 2))
        return conv_length(convolved, self.pool, self.pool)

    def least(self, steps: int) -> int:
        """Give the fewest steps of which so many are left: the inverse of :meth:`steps`."""
        return max(1, STRIDE * (steps * self.pool - 1))


# By the number of layers in the name, of which the last, the published classifiers, is left out.
LAYERS = {
    5: (Layer(32, 64, 8), Layer(64, 32, 8), Layer(128, 16, 8), Layer(256, 8, 1)),
    8: (
        Layer(16, 64, 8),
        Layer(32, 32, 8),
        Layer(64, 16, 1),
        Layer(128, 8, 1),
        Layer(256, 4, 4),
        Layer(512, 4, 1),
        Layer(1024, 4, 1),
    ),
}


class SoundNet(PretrainedNetwork):
    """SoundNet [1]_ of 5 or 8 layers over waves, not tied to the length it was built with.

    The keys are those of the usual conversions to PyTorch (``conv1``, ``batchnorm1``, ...), with
    one classifier in place of the two published ones, of objects and of scenes. Pretrained weights
    expect waves at 22.05 kHz as they are recorded, within [-1, 1]: the network scales them.

    Parameters
    ----------
    input_shape
        ``(channels, samples)``, of at least 3,550 samples (5 layers) or 4,574 (8 layers). Several
        channels are averaged into one.
    classes
        Number of classes.
    layers
        5 or 8, the classifier included.
    dropout
        Probability before the classifier.

    Attributes
    ----------
    embedding_size
        256 for 5 layers, 1024 for 8: the last convolution's maps, averaged over time.

    Raises
    ------
    ValueError
        For an input that is no signal, too few samples, or another number of layers.

    References
    ----------
    .. [1] Y. Aytar, C. Vondrick, A. Torralba, "SoundNet: Learning Sound Representations from
       Unlabeled Video", NeurIPS 2016.
    """

    final = "classifier"

    def __init__(
        self,
        input_shape: tuple[int, ...],
        classes: int,
        *,
        layers: int = 8,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if layers not in LAYERS:
            raise ValueError(f"SoundNet has 5 or 8 layers, not {layers}")
        self._name, self.layout = f"soundnet{layers}", LAYERS[layers]
        check_input(self._name, input_shape, classes, (2,))
        least = least_samples(self.layout)
        if input_shape[1] < least:
            raise ValueError(
                f"{self._name} needs at least {least:,} samples, not {input_shape[1]:,}"
            )
        width = 1
        for number, layer in enumerate(self.layout, start=1):
            # Two axes, of which one is idle: so are the published kernels.
            convolution = nn.Conv2d(
                width, layer.channels, (layer.kernel, 1), (STRIDE, 1), (layer.kernel // 2, 0)
            )
            self.add_module(f"conv{number}", convolution)
            self.add_module(f"batchnorm{number}", nn.BatchNorm2d(layer.channels))
            width = layer.channels
        self.replaced = tuple(f"conv{layers}_{labels}" for labels in ("objs", "scns"))
        self.apply(_draw)
        self.dropout = nn.Dropout(dropout)
        self.embedding_size = width
        self.classifier = nn.Linear(width, classes)

    def embed(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Give the last maps' mean ``(batch, embedding_size)`` over each item's true ``lengths``.

        The lengths are followed through all layers, and what lies beyond them is set to zero
        before each: an item's embedding is the one that it has alone.
        """
        maps = SCALE * x.mean(dim=1)[:, None, :, None]
        maps, lengths = _silence(maps, lengths)
        for number, layer in enumerate(self.layout, start=1):
            maps = self.get_submodule(f"conv{number}")(maps)
            maps = self.get_submodule(f"batchnorm{number}")(maps).relu()
            if layer.pool > 1:
                maps = nn.functional.max_pool2d(maps, (layer.pool, 1))
            maps, lengths = _silence(maps, None if lengths is None else layer.steps(lengths))
        if lengths is None:
            return self.dropout(maps.mean(dim=(2, 3)))
        return self.dropout(maps.sum(dim=(2, 3)) / lengths.unsqueeze(1))

    def load_pretrained(self, state_dict: Mapping[str, Tensor]) -> list[str]:
        """Load published weights into all but the classifier, which they do not have.

        Returns
        -------
        list of str
            The keys that stay freshly initialised.
        """
        kept = super().load_pretrained(state_dict)
        own = (key for key in self.state_dict() if key.startswith(f"{self.final}."))
        return kept or [key for key in own if key not in state_dict]

    def _given(self, state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Leave out the two last layers, such as ``conv8_objs`` and ``conv8_scns``."""
        weights = {k: v for k, v in state_dict.items() if k.split(".")[0] not in self.replaced}
        return {**self.classifier.state_dict(prefix="classifier."), **weights}


def least_samples(layers: tuple[Layer, ...]) -> int:
    """Give the fewest samples of which the layers leave a step."""
    least = 1
    for layer in reversed(layers):
        least = layer.least(least)
    return least


def _silence(maps: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """Zero ``(batch, channels, steps, 1)`` beyond the true lengths, and bound these to the axis."""
    if lengths is None:
        return maps, None
    steps = maps.shape[2]
    lengths = lengths.to(maps.device).clamp(1, steps)
    return maps.masked_fill(~valid_steps(lengths, steps)[:, None, :, None], 0.0), lengths


def _draw(module: nn.Module) -> None:
    """Draw initial weights as the publication does."""
    if isinstance(module, nn.Conv2d):
        nn.init.normal_(module.weight, std=0.01)
        assert module.bias is not None
        nn.init.zeros_(module.bias)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
