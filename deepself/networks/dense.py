"""Fully connected network."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from torch import Tensor, nn

from deepself.networks.base import Network, check_input
from deepself.networks.layers import DenseStack, silence


class Dense(Network):
    """Multi-layer perceptron over the flattened input, of any number of axes.

    Parameters
    ----------
    input_shape
        Shape of one item; all its elements become one vector.
    classes
        Number of classes.
    hidden
        Units of each hidden layer; none makes it multinomial logistic regression.
    activation
        Name of the activation after each hidden layer.
    dropout
        Probability of dropping a hidden unit.
    normalisation
        What normalises each hidden layer before its activation: "batch" each unit over the batch,
        "layer" each item over the units, or "none".

    Raises
    ------
    ValueError
        For a setting out of range, or an input of more than four axes.
    """

    def __init__(
        self,
        input_shape: tuple[int, ...],
        classes: int,
        *,
        hidden: Sequence[int] = (128,),
        activation: str = "relu",
        dropout: float = 0.0,
        normalisation: str = "none",
    ) -> None:
        super().__init__()
        check_input("dense", input_shape, classes, (1, 2, 3, 4))
        self.body = DenseStack(prod(input_shape), hidden, activation, dropout, normalisation)
        self.embedding_size = self.body.out_features
        self.classifier = nn.Linear(self.embedding_size, classes)

    def embed(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Give the last hidden layer ``(batch, embedding_size)``.

        An input is always as long as the network was built for; with ``lengths``, what lies beyond
        counts as zero.
        """
        if lengths is not None:
            x = silence(x, lengths.to(x.device))
        return self.body(x.flatten(start_dim=1))
