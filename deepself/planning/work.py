"""How much a network computes, in the terms that its seconds and bytes are estimated from."""

from typing import NamedTuple

from deepself.networks.summary import Summary

RECURRENT = ("GRU", "LSTM", "RNN")


class Work(NamedTuple):
    """A network in numbers, for one item.

    Attributes
    ----------
    layers
        How many layers it passes.
    multiply_adds
        Multiplications, each with an addition.
    activations
        Bytes of what its layers give.
    weights
        Bytes of its parameters.
    frames
        Steps of its recurrent layers, which wait for each other.
    """

    layers: int
    multiply_adds: int
    activations: int
    weights: int
    frames: int

    @classmethod
    def of(cls, summary: Summary) -> "Work":
        """Count what `summarise` has found."""
        return cls(
            len(summary.layers),
            summary.multiply_adds,
            summary.activations,
            summary.weights,
            sum(layer.shape[0] for layer in summary.layers if layer.type in RECURRENT),
        )

    def step(self, batch_size: int) -> list[float]:
        """Amounts of a training step, each of which costs its own: see `units.json`."""
        return [*self.forward(batch_size), self.weights]

    def forward(self, batch_size: int) -> list[float]:
        """Amounts of a pass of a batch without gradients."""
        return [
            1.0,
            self.layers,
            self.multiply_adds * batch_size,
            self.activations * batch_size,
            self.frames,
        ]

    def memory(self, batch_size: int) -> list[float]:
        """Amounts of memory that a training takes, besides its items and its process."""
        return [1.0, self.weights, self.activations * batch_size]
