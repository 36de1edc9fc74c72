"""Networks for EEG (Lawhern et al., 2018; Schirrmeister et al., 2017), built by braindecode."""

from __future__ import annotations

import inspect
import warnings
from collections import OrderedDict
from importlib import import_module
from typing import Any

from torch import Tensor, nn

from deepself.networks.base import Network, check_input
from deepself.networks.layers import choose

# braindecode's names, the newest first, and the fewest samples that leave a step to classify:
# EEGNet pools by 4 and 8, Deep4 by 3 after each of four kernels of 10, and ShallowFBCSP by 75 after
# a kernel of 25.
ARCHITECTURES = {
    "eegnet": (("EEGNet", "EEGNetv4"), 27),
    "deep4": (("Deep4Net",), 441),
    "shallow_fbcsp": (("ShallowFBCSPNet",), 99),
}


class EEGNetwork(Network):
    """EEGNet [1]_, or the deep and the shallow network of Schirrmeister et al. [2]_.

    braindecode's layers, tied to the number of samples that they were built with. The publications
    read some seconds at 128 Hz (EEGNet) and 250 Hz, band-passed; the samples are best standardised
    (`normalise: channel`), since EEG in volts is too small for the initial weights.

    Parameters
    ----------
    input_shape
        ``(channels, samples)``, of at least 27 samples (eegnet), 441 (deep4) or 99 (shallow_fbcsp).
    classes
        Number of classes.
    architecture
        "eegnet", "deep4" or "shallow_fbcsp".
    dropout
        Probability of braindecode's dropout layers; None leaves the publication's, 0.25 for eegnet
        and 0.5 for the others.

    Attributes
    ----------
    embedding_size
        Length of the last maps, flattened: what the last layer reads.

    Raises
    ------
    ValueError
        Where braindecode is not installed, and for an input that is no signal or too short.

    References
    ----------
    .. [1] V. J. Lawhern et al., "EEGNet: A Compact Convolutional Neural Network for EEG-Based
       Brain-Computer Interfaces", Journal of Neural Engineering 15, 2018.
    .. [2] R. T. Schirrmeister et al., "Deep Learning with Convolutional Neural Networks for EEG
       Decoding and Visualization", Human Brain Mapping 38, 2017.
    """

    def __init__(
        self,
        input_shape: tuple[int, ...],
        classes: int,
        *,
        architecture: str = "eegnet",
        dropout: float | None = None,
    ) -> None:
        super().__init__()
        choose("architecture", architecture, list(ARCHITECTURES))
        names, least = ARCHITECTURES[architecture]
        check_input(architecture, input_shape, classes, (2,))
        if input_shape[1] < least:
            raise ValueError(f"{architecture} needs at least {least} samples, not {input_shape[1]}")
        settings = {} if dropout is None else {"drop_prob": dropout}
        self.body = _build(_class(architecture, names), input_shape, classes, settings)
        self.classifier = _as_linear(_last_layer(self.body.final_layer))
        self.body.final_layer = nn.Flatten()
        self.embedding_size = self.classifier.in_features
        self.train()  # some are built in evaluation mode

    def embed(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Give the last maps, flattened, ``(batch, embedding_size)``; ``lengths`` plays no part."""
        return self.body(x)


def _class(architecture: str, names: tuple[str, ...]) -> Any:
    """Give braindecode's class, by the first of its names that the installed version has."""
    try:
        # Imported here, since it takes seconds, and by name, since it is an extra.
        models = import_module("braindecode.models")
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "braindecode":
            raise ValueError(
                f'{architecture} needs braindecode: pip install "deepself[braindecode]"'
            ) from None
        raise ValueError(_unloadable(architecture, error)) from error
    except (ImportError, OSError) as error:
        raise ValueError(_unloadable(architecture, error)) from error
    found = [getattr(models, name) for name in names if hasattr(models, name)]
    if not found:
        raise ValueError(f"{architecture}: this braindecode has no {' or '.join(names)}")
    return found[0]


def _unloadable(architecture: str, error: Exception) -> str:
    reason = (str(error).splitlines() or [type(error).__name__])[0]
    return f"{architecture}: the installed braindecode does not load: {reason}"


def _build(
    architecture: Any, input_shape: tuple[int, ...], classes: int, settings: dict[str, Any]
) -> Any:
    """Build braindecode's network over whole items, without a softmax."""
    channels, samples = input_shape
    if "add_log_softmax" in inspect.signature(architecture).parameters:
        settings = {**settings, "add_log_softmax": False}
    # braindecode merges the first two convolutions, and its merging of their biases fails for a
    # single channel: it gets two, and the convolutions are then put one after the other.
    merged = channels == 1 and "n_filters_spat" in inspect.signature(architecture).parameters
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of settings to come, on which nothing here depends
        network = architecture(
            n_chans=2 if merged else channels,
            n_outputs=classes,
            n_times=samples,
            final_conv_length="auto",
            **settings,
        )
    if merged:
        network.conv_time_spat = _for_one_channel(network.conv_time_spat)
    return network


def _for_one_channel(merged: Any) -> nn.Sequential:
    """Give the convolutions over time and over channels one by one, the second over one channel."""
    wide = merged.conv_spat
    narrow = nn.Conv2d(wide.in_channels, wide.out_channels, 1, bias=wide.bias is not None)
    nn.init.xavier_uniform_(narrow.weight)  # as the layer that it replaces
    if narrow.bias is not None:
        nn.init.zeros_(narrow.bias)
    return nn.Sequential(OrderedDict(conv_time=merged.conv_time, conv_spat=narrow))


def _last_layer(head: nn.Module) -> nn.Module:
    layers = [layer for layer in head.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    return layers[-1]


def _as_linear(layer: nn.Module) -> nn.Linear:
    """Write a convolution as long as its input as the linear layer that it is."""
    if isinstance(layer, nn.Linear):
        return layer
    assert isinstance(layer, nn.Conv2d)
    weight = layer.weight.detach().flatten(start_dim=1)
    linear = nn.Linear(weight.shape[1], weight.shape[0])
    linear.weight.data.copy_(weight)
    assert layer.bias is not None
    linear.bias.data.copy_(layer.bias.detach())
    return linear
