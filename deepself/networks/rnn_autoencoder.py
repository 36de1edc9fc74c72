"""Recurrent sequence-to-sequence autoencoder over spectral images and films."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from deepself.networks.base import Unsupervised, check_input
from deepself.networks.layers import at_least, choose, valid_steps
from deepself.networks.rnn import CELLS, as_sequence, per_step, read

AUTOENCODER_CELLS = ("rnn", "gru")  # an LSTM's cells would be a second state to hand over


class RNNAutoencoder(Unsupervised):
    """Reads a sequence into one vector, from which it writes the sequence again, backwards.

    The last states of all the encoder's layers pass through a dense layer with tanh: the
    embedding, which is the decoder's first state. The decoder is given, at each step, the frame
    that it should have written before (zeros at the first), so that the embedding need hold only
    what a frame does not say of the next.

    Parameters
    ----------
    input_shape
        ``(channels, bins, frames)``: a step is a frame of channels * bins features; or
        ``(channels, frames, height, width)``: one of channels * height * width features.
    classes
        Number of classes.
    cell
        "rnn" (tanh) or "gru".
    hidden_size, num_layers
        Units of a layer of encoder and decoder, and layers of each.
    bidirectional
        Whether the encoder also reads backwards.
    dropout
        Probability between recurrent layers.

    Raises
    ------
    ValueError
        For a setting out of range.

    References
    ----------
    S. Amiriparian, M. Freitag, N. Cummins, B. Schuller, "Sequence to Sequence Autoencoders for
    Unsupervised Representation Learning from Audio", DCASE Workshop 2017; M. Freitag et al.,
    "auDeep: Unsupervised Learning of Representations from Audio with Deep Recurrent Neural
    Networks", Journal of Machine Learning Research 18, 2018.
    """

    def __init__(
        self,
        input_shape: tuple[int, ...],
        classes: int,
        *,
        cell: str = "gru",
        hidden_size: int = 128,
        num_layers: int = 2,
        bidirectional: bool = False,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        check_input("rnn_autoencoder", input_shape, classes, (3, 4))
        recurrent = CELLS[choose("cell", cell, AUTOENCODER_CELLS)]
        _, features = per_step(input_shape[0], input_shape[1:])
        self.num_layers = at_least("num_layers", num_layers)
        settings = {
            "num_layers": num_layers,
            "dropout": dropout if num_layers > 1 else 0.0,
            "batch_first": True,
        }
        hidden_size = at_least("hidden_size", hidden_size)
        self.encoder = recurrent(features, hidden_size, bidirectional=bidirectional, **settings)
        self.embedding_size = num_layers * hidden_size
        states = self.embedding_size * (2 if bidirectional else 1)
        self.bottleneck = nn.Sequential(nn.Linear(states, self.embedding_size), nn.Tanh())
        self.decoder = recurrent(features, hidden_size, **settings)
        self.written = nn.Linear(hidden_size, features)
        self.classifier = nn.Linear(self.embedding_size, classes)

    def embed(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Give the embedding ``(batch, embedding_size)`` of each item's true ``lengths``."""
        sequence = as_sequence(x)
        if lengths is not None:
            lengths = lengths.clamp(1, sequence.shape[1])
        _, states = read(self.encoder, sequence, lengths)
        return self.bottleneck(states.transpose(0, 1).flatten(1))

    def learn(self, x: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Give logits, and the mean squared error of each item's frames as they are written."""
        embedding = self.embed(x, lengths)
        wanted, valid = _backwards(as_sequence(x), lengths)
        given = torch.cat([torch.zeros_like(wanted[:, :1]), wanted[:, :-1]], dim=1)
        first = embedding.unflatten(1, (self.num_layers, -1)).transpose(0, 1).contiguous()
        written, _ = self.decoder(given, first)
        errors = (self.written(written) - wanted).square().mean(dim=2)
        if valid is None:
            return self.classifier(embedding), errors.mean(dim=1)
        found = (errors * valid).sum(dim=1) / valid.sum(dim=1)
        return self.classifier(embedding), found


def _backwards(sequence: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """The steps of each item from its last to its first; and which there are, where that differs.

    What is filled up stays behind them.
    """
    if lengths is None:
        return sequence.flip(1), None
    steps = sequence.shape[1]
    lengths = lengths.clamp(1, steps)
    places = torch.arange(steps, device=sequence.device)
    order = (lengths[:, None] - 1 - places).remainder(steps)
    order = order[:, :, None].expand_as(sequence)
    return sequence.gather(1, order), valid_steps(lengths, steps)
