"""Recurrent networks over spectral images, framed signals and films."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from deepself.networks.base import Network, check_input
from deepself.networks.layers import at_least, choose, time_axis, valid_steps
from deepself.networks.readout import Attention

READOUTS = ("last", "mean", "attention")
CELLS: dict[str, Callable[..., nn.RNNBase]] = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}
MAX_RAW_STEPS = 1000  # beyond it a signal's single samples are no sensible steps


class Recurrent(nn.Module):
    """Recurrent layers over a sequence, read out as one vector.

    Parameters
    ----------
    features
        Features of a step.
    cell
        "rnn" (tanh), "lstm" [1]_ or "gru" [2]_.
    hidden_size
        Units of a layer, in each direction.
    num_layers
        Layers on top of one another.
    bidirectional
        Also read backwards; the output is twice as long.
    dropout
        Probability between the layers, so none with a single layer.
    readout
        "last": each direction's state once it has read the whole item; "mean": the outputs'
        mean over the item's steps; "attention": that mean weighted by learnt scores
        (:class:`deepself.networks.readout.Attention`).

    Attributes
    ----------
    out_features
        Length of the vector.

    References
    ----------
    .. [1] S. Hochreiter, J. Schmidhuber, "Long Short-Term Memory", Neural Computation 9, 1997.
    .. [2] K. Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder for
       Statistical Machine Translation", EMNLP 2014.
    """

    def __init__(
        self,
        features: int,
        *,
        cell: str,
        hidden_size: int,
        num_layers: int,
        bidirectional: bool,
        dropout: float,
        readout: str,
    ) -> None:
        super().__init__()
        choose("cell", cell, list(CELLS))
        self.readout = choose("readout", readout, READOUTS)
        self.layers = CELLS[cell](
            features,
            at_least("hidden_size", hidden_size),
            at_least("num_layers", num_layers),
            bidirectional=bidirectional,
            dropout=dropout if num_layers > 1 else 0.0,  # torch warns where it has no place
            batch_first=True,
        )
        self.directions = 2 if bidirectional else 1
        self.out_features = self.directions * hidden_size
        self.attention = Attention(self.out_features) if readout == "attention" else None

    def forward(self, sequence: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Read ``(batch, steps, features)`` out as ``(batch, out_features)``.

        Steps beyond an item's length have no effect on its vector.
        """
        steps = sequence.shape[1]
        if lengths is not None:
            lengths = lengths.clamp(1, steps)
        output, state = read(self.layers, sequence, lengths)
        if self.readout == "last":
            hidden = state[0] if isinstance(state, tuple) else state  # an LSTM adds its cells
            return torch.cat(tuple(hidden[-self.directions :]), dim=1)
        if lengths is None:
            return output.mean(dim=1) if self.attention is None else self.attention(output)
        output, _ = pad_packed_sequence(output, batch_first=True, total_length=steps)
        lengths = lengths.to(output.device)
        if self.attention is not None:
            return self.attention(output, valid_steps(lengths, steps))
        return output.sum(dim=1) / lengths.unsqueeze(1)  # padded with zeros


def read(layers: nn.RNNBase, sequence: Tensor, lengths: Tensor | None) -> tuple[Any, Any]:
    """What recurrent layers give of ``(batch, steps, features)``, by true lengths from 1 to steps.

    Returns
    -------
    tuple
        The outputs, packed where there are lengths; and the last states, as torch gives them.
    """
    if lengths is None:
        return layers(sequence)
    return layers(
        pack_padded_sequence(sequence, lengths.cpu(), batch_first=True, enforce_sorted=False)
    )


class RNN(Network):
    """Recurrent network, not tied to the length it was built with.

    Parameters
    ----------
    input_shape
        ``(channels, bins, frames)``: a step is a frame of channels * bins features;
        ``(channels, frames, height, width)``: a step is a frame of channels * height * width
        features; or ``(channels, samples)``: a step is ``frame`` samples of all channels.
    classes
        Number of classes.
    cell, hidden_size, num_layers, bidirectional, readout
        See :class:`Recurrent`.
    dropout
        Probability between recurrent layers and before the classifier.
    frame
        Samples a step, for signals alone; samples that do not fill a last step are left out. None
        takes single samples as steps, for signals of at most 1,000.

    Raises
    ------
    ValueError
        For a long signal without ``frame``, a frame that does not fit, or a setting out of range.
    """

    def __init__(
        self,
        input_shape: tuple[int, ...],
        classes: int,
        *,
        cell: str = "gru",
        hidden_size: int = 64,
        num_layers: int = 1,
        bidirectional: bool = False,
        dropout: float = 0.0,
        readout: str = "last",
        frame: int | None = None,
    ) -> None:
        super().__init__()
        check_input("rnn", input_shape, classes, (2, 3, 4))
        self.frame = _frame(input_shape, frame)
        _, features = per_step(input_shape[0], input_shape[1:])
        features *= self.frame
        self.recurrent = Recurrent(
            features,
            cell=cell,
            hidden_size=hidden_size,
            num_layers=num_layers,
            bidirectional=bidirectional,
            dropout=dropout,
            readout=readout,
        )
        self.dropout = nn.Dropout(dropout)
        self.embedding_size = self.recurrent.out_features
        self.classifier = nn.Linear(self.embedding_size, classes)

    def embed(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Give the read-out ``(batch, embedding_size)`` over each item's true ``lengths``."""
        if x.dim() == 3:
            steps = x.shape[-1] // self.frame
            x = x[..., : steps * self.frame].unflatten(-1, (steps, self.frame)).transpose(2, 3)
            lengths = None if lengths is None else lengths // self.frame
        return self.dropout(self.recurrent(as_sequence(x), lengths))


def as_sequence(maps: Tensor) -> Tensor:
    """Fold maps ``(batch, channels, ...)`` of a signal, an image or a film into a sequence.

    Returns
    -------
    Tensor
        ``(batch, steps, features)``: the time axis as steps, all other axes folded into features.
    """
    return maps.movedim(time_axis(maps), 1).flatten(2)


def per_step(channels: int, sizes: tuple[int, ...]) -> tuple[int, int]:
    """Steps, and features a step, of what :func:`as_sequence` makes of such maps."""
    steps = sizes[0] if len(sizes) == 3 else sizes[-1]
    return steps, channels * prod(sizes) // steps


def _frame(input_shape: tuple[int, ...], frame: int | None) -> int:
    """Give the samples a step, refused where they make no sensible sequence."""
    if len(input_shape) > 2:
        if frame is not None:
            kind = "image" if len(input_shape) == 3 else "film"
            raise ValueError(f"rnn: frame is for signals; a step of this {kind} is one frame")
        return 1
    samples = input_shape[1]
    if frame is None:
        if samples > MAX_RAW_STEPS:
            raise ValueError(
                f"rnn: {samples:,} raw samples as steps are hopelessly slow: set frame, the "
                f"samples a step (at most {MAX_RAW_STEPS:,} samples go without)"
            )
        return 1
    if at_least("frame", frame) > samples:
        raise ValueError(f"rnn: a frame of {frame} is longer than the {samples} samples there are")
    return frame
