"""Weights to start from: others' in their layout, or those of a run of the same network."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from deepself.networks._pretrained import PretrainedNetwork, listed
from deepself.networks.base import Network


def start_from(network: Network, state: Mapping[str, Tensor]) -> None:
    """Load weights into a network; with another number of classes, all but its last layer's.

    Parameters
    ----------
    network
        The network.
    state
        Weights under their publisher's names, or as a run of the same network has left them.

    Raises
    ------
    ValueError
        They are not those of such a network; nothing has been loaded then.
    """
    own = network.state_dict()
    if state.keys() != own.keys():
        if not isinstance(network, PretrainedNetwork):
            raise ValueError(f"these are not the weights of such a {type(network).__name__}")
        network.load_pretrained(state)
        return
    differ = [key for key in own if own[key].shape != state[key].shape]
    wrong = [key for key in differ if not key.startswith("classifier.")]
    if wrong:
        raise ValueError(f"weights of another shape: {listed(wrong)}")
    network.load_state_dict({key: own[key] if key in differ else state[key] for key in own})
