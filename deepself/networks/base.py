"""What every network of this package is."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn

# What an input of so many axes is, in the words of an error message.
AXES = {
    1: "vectors (features,)",
    2: "signals (channels, samples)",
    3: "images (channels, bins or height, frames or width)",
    4: "films (channels, frames, height, width)",
}


class Network(nn.Module, ABC):
    """A classifier: an embedding, and a last layer that turns it into logits.

    Attributes
    ----------
    embedding_size
        Length of what :meth:`embed` gives for one item.
    classifier
        The module that turns an embedding into logits.
    """

    embedding_size: int
    classifier: nn.Module

    @abstractmethod
    def embed(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Turn ``x`` ``(batch, *input_shape)`` into what the last linear layer sees.

        Parameters
        ----------
        x
            The batch; items shorter than its time axis are padded at the end. That axis is the
            last, but in films ``(batch, channels, frames, height, width)`` the frames'.
        lengths
            True lengths along the time axis, ``(batch,)``; None says that all are full.

        Returns
        -------
        Tensor
            ``(batch, embedding_size)``.
        """

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Give the logits ``(batch, classes)`` of ``x``; see :meth:`embed` for the arguments."""
        return self.classifier(self.embed(x, lengths))


class Unsupervised(Network):
    """A network that learns without labels, by a task that it sets itself.

    Its :attr:`classifier` is one linear layer, which that task does not teach: whoever trains it
    fits it to the embeddings.
    """

    classifier: nn.Linear

    @abstractmethod
    def learn(self, x: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Take up the task; see :meth:`embed` for the arguments.

        Returns
        -------
        tuple of Tensor
            The logits ``(batch, classes)``, and each item's loss ``(batch,)``, on which the logits
            have no influence.
        """


def check_input(
    network: str, input_shape: tuple[int, ...], classes: int, ranks: tuple[int, ...]
) -> None:
    """Refuse what no setting of ``network`` could take.

    Raises
    ------
    ValueError
        Where ``input_shape`` has another number of axes than ``ranks`` allows, an empty axis, or
        there are fewer than two classes.
    """
    if len(input_shape) not in ranks:
        takes = " or ".join(AXES[rank] for rank in ranks)
        raise ValueError(f"{network} takes {takes}, not an input of shape {input_shape}")
    if any(size < 1 for size in input_shape):
        raise ValueError(f"{network}: input shape {input_shape} has an axis without elements")
    if classes < 2:
        raise ValueError(f"{network} needs at least two classes to tell apart, not {classes}")
