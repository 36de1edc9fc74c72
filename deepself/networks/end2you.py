"""End2You's networks over waves (Tzirakis et al., 2018): a convolutional front, an LSTM."""

from __future__ import annotations

from typing import Any, NamedTuple

from torch import Tensor, nn

from deepself.networks.base import Network, check_input
from deepself.networks.conv_stack import ConvStack
from deepself.networks.layers import choose
from deepself.networks.rnn import Recurrent, as_sequence


class Front(NamedTuple):
    """Convolutions, and how their maps become steps.

    Attributes
    ----------
    samples
        Samples of a step.
    positions
        Positions of the maps that a step takes: what the poolings leave of ``samples``.
    pool_channels
        Channels of which the largest is kept.
    layers
        Settings of the :class:`ConvStack`.
    """

    samples: int
    positions: int
    pool_channels: int
    layers: dict[str, Any]


# All convolutions keep the length. At 16 kHz a step is 40 ms, of Zhao19 16 ms.
FRONTS = {
    "emo16": Front(
        640,
        320,
        10,
        {
            "channels": (40, 40),
            "kernel_size": [20, 40],
            "pool": [2, 1],
            "normalisation": "none",
            "activation_name": "relu",
        },
    ),
    "emo18": Front(
        640,
        1,
        1,
        {
            "channels": (64, 128, 256),
            "kernel_size": [8, 6, 6],
            "pool": [10, 8, 8],
            "normalisation": "batch",
            "activation_name": "leaky_relu",
        },
    ),
    "zhao19": Front(
        256,
        1,
        1,
        {
            "channels": (64, 64, 128, 128),
            "kernel_size": 3,
            "pool": 4,
            "normalisation": "batch",
            "activation_name": "elu",
        },
    ),
}


class End2You(Network):
    """Emo16 [1]_, Emo18 [2]_ and Zhao19 [3]_, with the layers' sizes of End2You [4]_.

    Not tied to the length it was built with. The convolutions run over the whole wave, as in the
    publications, not over frames cut out of it, so no edges lie between the steps of the back, an
    LSTM. The publications read speech at 16 kHz, each wave brought to zero mean and unit variance;
    that matters most to Emo16, which has no normalisation of its own.

    Parameters
    ----------
    input_shape
        ``(channels, samples)``, of at least 640 samples (Zhao19: 256). A step is so many; samples
        that do not fill a last one are left out.
    classes
        Number of classes.
    front
        "emo16", "emo18" or "zhao19".
    hidden_size, num_layers, bidirectional, readout
        The back's; see :class:`deepself.networks.rnn.Recurrent`.
    dropout
        Probability between recurrent layers and before the classifier.

    Raises
    ------
    ValueError
        For an input that is no signal, too few samples, or a setting out of range.

    References
    ----------
    .. [1] G. Trigeorgis et al., "Adieu Features? End-to-End Speech Emotion Recognition Using a Deep
       Convolutional Recurrent Network", ICASSP 2016.
    .. [2] P. Tzirakis, J. Zhang, B. W. Schuller, "End-to-End Speech Emotion Recognition Using Deep
       Neural Networks", ICASSP 2018.
    .. [3] J. Zhao, X. Mao, L. Chen, "Speech Emotion Recognition Using Deep 1D & 2D CNN LSTM
       Networks", Biomedical Signal Processing and Control 47, 2019.
    .. [4] P. Tzirakis, S. Zafeiriou, B. W. Schuller, "End2You: The Imperial Toolkit for Multimodal
       Profiling by End-to-End Learning", arXiv:1802.01115, 2018.
    """

    def __init__(
        self,
        input_shape: tuple[int, ...],
        classes: int,
        *,
        front: str = "emo18",
        hidden_size: int = 256,
        num_layers: int = 2,
        bidirectional: bool = False,
        dropout: float = 0.5,
        readout: str = "last",
    ) -> None:
        super().__init__()
        layout = FRONTS[choose("front", front, list(FRONTS))]
        check_input(front, input_shape, classes, (2,))
        if input_shape[1] < layout.samples:
            raise ValueError(
                f"{front} needs at least {layout.samples} samples, one step, not {input_shape[1]}"
            )
        stack = ConvStack(
            input_shape[0],
            input_shape[1:],
            stride=1,
            padding="same",
            dilation=1,
            groups=1,
            pool_type="max",
            **layout.layers,
        )
        stack.apply(_draw)
        self.front = stack
        self.positions, self.pool_channels = layout.positions, layout.pool_channels
        self.back = Recurrent(
            stack.out_channels // layout.pool_channels * self.positions,
            cell="lstm",
            hidden_size=hidden_size,
            num_layers=num_layers,
            bidirectional=bidirectional,
            dropout=dropout,
            readout=readout,
        )
        self.dropout = nn.Dropout(dropout)
        self.embedding_size = self.back.out_features
        self.classifier = nn.Linear(self.embedding_size, classes)

    def embed(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Give the read-out ``(batch, embedding_size)`` over each item's true ``lengths``.

        The lengths are followed through the front.
        """
        maps, lengths = self.front(x, lengths)
        if self.pool_channels > 1:
            maps = maps.unflatten(1, (-1, self.pool_channels)).amax(dim=2)
        if self.positions > 1:
            steps = maps.shape[-1] // self.positions
            maps = maps[..., : steps * self.positions].unflatten(-1, (steps, self.positions))
            maps = maps.transpose(2, 3)
            lengths = None if lengths is None else lengths // self.positions
        return self.dropout(self.back(as_sequence(maps), lengths))


def _draw(module: nn.Module) -> None:
    """Draw initial convolutions as End2You does; normalisations start as torch's do."""
    if isinstance(module, nn.Conv1d):
        nn.init.kaiming_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
