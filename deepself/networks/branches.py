"""Several networks, each over its own input, joined before one classifier."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from deepself.networks.base import Network
from deepself.networks.layers import at_least, choose

JOINS = ("concatenation", "gated_sum", "cross_attention")


class Branched(Network):
    """Networks side by side, their embeddings joined and classified; trained as one.

    Parameters
    ----------
    networks
        A network a branch, by the branch's name. Their own classifiers are taken off.
    classes
        Number of classes.
    join
        "concatenation" of the embeddings, under a dense layer that sees all of them; "gated_sum":
        their sum, each weighed by a gate that sees all of them (a gated multimodal unit [1]_ for
        any number of branches); "cross_attention": each attends to all by multi-head attention
        [2]_, and the mean is taken.
    size
        Length to which each embedding is brought by a linear layer.
    heads
        Heads of the attention; they divide ``size``.
    dropout
        Probability of dropping a unit of what is joined.

    Raises
    ------
    ValueError
        For fewer than two networks, or a setting out of range.

    References
    ----------
    .. [1] J. Arevalo et al., "Gated Multimodal Units for Information Fusion", ICLR workshop 2017.
    .. [2] A. Vaswani et al., "Attention Is All You Need", NeurIPS 2017.
    """

    def __init__(
        self,
        networks: Mapping[str, Network],
        classes: int,
        *,
        join: str = "concatenation",
        size: int = 128,
        heads: int = 4,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if len(networks) < 2:
            raise ValueError("branches: give at least two networks to join")
        self.join = choose("join", join, JOINS)
        at_least("size", size)
        # A module's own attributes (items, type, train) are no names for its parts.
        self.networks = nn.ModuleDict({f"{n}_branch": part for n, part in networks.items()})
        for network in networks.values():
            network.classifier = nn.Identity()
        self.project = nn.ModuleDict(
            {
                f"{name}_branch": nn.Linear(network.embedding_size, size)
                for name, network in networks.items()
            }
        )
        count = len(networks)
        if join == "concatenation":
            self.mix = nn.Linear(count * size, size)
        elif join == "gated_sum":
            total = sum(network.embedding_size for network in networks.values())
            self.gate = nn.Linear(total, count * size)
        else:
            if size % at_least("heads", heads):
                raise ValueError(f"size ({size}) must be a multiple of heads ({heads})")
            self.attention = nn.MultiheadAttention(size, heads, dropout, batch_first=True)
            self.norm = nn.LayerNorm(size)
        self.dropout = nn.Dropout(dropout)
        self.embedding_size = size
        self.classifier = nn.Linear(self.embedding_size, classes)

    def branches(self) -> list[Network]:
        """The networks, in their order."""
        return [network for network in self.networks.values() if isinstance(network, Network)]

    def embed(  # type: ignore[override]
        self, x: Sequence[Tensor], lengths: Sequence[Tensor | None] | None = None
    ) -> Tensor:
        """Give what is joined, ``(batch, embedding_size)``.

        Parameters
        ----------
        x
            A batch a branch, in the branches' order.
        lengths
            True lengths a branch, or None for a branch without.
        """
        known = lengths if lengths is not None else [None] * len(x)
        embeddings = [
            network.embed(one, length)
            for network, one, length in zip(self.branches(), x, known, strict=True)
        ]
        projected = [
            layer(one) for layer, one in zip(self.project.values(), embeddings, strict=True)
        ]
        if self.join == "concatenation":
            joined = self.mix(torch.cat([one.relu() for one in projected], dim=1)).relu()
        elif self.join == "gated_sum":
            tokens = torch.stack([one.tanh() for one in projected], dim=1)
            gates = self.gate(torch.cat(embeddings, dim=1)).sigmoid()
            joined = (gates.view_as(tokens) * tokens).sum(dim=1)
        else:
            tokens = torch.stack(projected, dim=1)
            attended, _ = self.attention(tokens, tokens, tokens, need_weights=False)
            joined = self.norm(tokens + attended).mean(dim=1)
        return self.dropout(joined)

    def forward(  # type: ignore[override]
        self, x: Sequence[Tensor], lengths: Sequence[Tensor | None] | None = None
    ) -> Tensor:
        """Give the logits ``(batch, classes)``; see :meth:`embed` for the arguments."""
        return self.classifier(self.embed(x, lengths))
