"""Loading others' weights, strictly."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from torch import Tensor, nn

from deepself.networks.base import Network

NAMED = 8  # keys an error spells out before it only counts


class PretrainedNetwork(Network):
    """A network for which others publish weights.

    Attributes
    ----------
    final
        Published name of the final layer, or of several that vote: where their number of classes
        differs from the published one, they keep the weights that they were built with.
    """

    final: str | Sequence[str]
    _name = ""  # what an error calls the network; its class by default

    def load_pretrained(self, state_dict: Mapping[str, Tensor]) -> list[str]:
        """Load published weights into all but, with other classes, the final layer.

        Returns
        -------
        list of str
            The keys that stay freshly initialised.

        Raises
        ------
        ValueError
            Where keys are missing, surplus, or of another shape.
        """
        given = self._given(state_dict)
        return load_checked(self, given, self.final, published=self._published, name=self._name)

    def _given(self, state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Bring what is published to what the network has, under the published names."""
        return dict(state_dict)

    def _published(self, key: str) -> str:
        """Give the published name of one of this network's keys."""
        return key


def load_checked(
    module: nn.Module,
    state_dict: Mapping[str, Tensor],
    final: str | Sequence[str],
    *,
    published: Callable[[str], str] = str,
    name: str = "",
) -> list[str]:
    """Load ``state_dict`` into ``module``; its final layer may have another number of classes.

    Parameters
    ----------
    module
        The network.
    state_dict
        The published weights.
    final
        Published name of the final layer, as "fc", or of several that vote. With another number of
        classes they keep the weights that they were built with.
    published
        Gives the published name of one of the module's keys; they are the same by default.
    name
        What an error calls the network; its class by default.

    Returns
    -------
    list of str
        The published names of the keys that kept their own weights; empty where all were loaded.

    Raises
    ------
    ValueError
        For keys that are missing, surplus, or of another shape; nothing has been loaded then.
    """
    names = {published(key): key for key in module.state_dict()}
    own = {published(key): value for key, value in module.state_dict().items()}
    # Weights saved before PyTorch 0.4.1 lack these counters, which a fixed momentum never reads.
    given = {key: own[key] for key in own if key.endswith(".num_batches_tracked")}
    given |= state_dict
    finals = (final,) if isinstance(final, str) else tuple(final)
    last = [key for key in own if key.startswith(tuple(f"{layer}." for layer in finals))]
    kept = last
    if all(key in given and given[key].shape == own[key].shape for key in last):
        kept = []
    # Only the first axis of a final weight or bias counts the classes.
    wrong = [
        key
        for key in own
        if key in given and given[key].shape[key in kept :] != own[key].shape[key in kept :]
    ]
    problems = [
        f"{what} {keys}"
        for what, keys in (
            ("missing", listed([key for key in own if key not in given])),
            ("surplus", listed([key for key in given if key not in own])),
            ("of another shape", listed([_shapes(key, given[key], own[key]) for key in wrong])),
        )
        if keys
    ]
    if problems:
        name = name or type(module).__name__
        raise ValueError(f"these weights do not fit {name}: {'; '.join(problems)}")
    module.load_state_dict({names[key]: own[key] if key in kept else given[key] for key in own})
    return kept


def _shapes(key: str, given: Tensor, own: Tensor) -> str:
    return f"{key} {tuple(given.shape)} for {tuple(own.shape)}"


def listed(keys: Sequence[str]) -> str:
    """Name the first keys and count the rest; empty for none."""
    more = f" and {len(keys) - NAMED} more" if len(keys) > NAMED else ""
    return ", ".join(keys[:NAMED]) + more
