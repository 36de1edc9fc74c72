"""Which features each network reads, and which weights it can start from."""

import os
from collections.abc import Iterable, Iterator

from deepself.store.published import published, published_names
from deepself.study.explain import nearest
from deepself.study.features import FILMS, PICTURES, SPECTRAL, WAVEFORMS
from deepself.study.networks import (
    PANN,
    AudioSetMobileNet,
    Braindecode,
    End2You,
    PictureNetwork,
    SoundNet,
    class_of,
)

IMAGES = {*SPECTRAL, *PICTURES}

BY_TYPE = {
    "cnn1d": set(WAVEFORMS),
    "cnn2d": IMAGES,
    "cnn3d": set(FILMS),
    "rnn": {*WAVEFORMS, *SPECTRAL, *FILMS},
    "cnn_rnn": {*WAVEFORMS, *SPECTRAL, *FILMS},
    "rnn_autoencoder": {*SPECTRAL, *FILMS},
    "piczak": set(SPECTRAL),
}
"""Kinds of features that networks of our own read."""

BY_CLASS = {
    AudioSetMobileNet: {"audioset_mel"},
    PANN: {"panns_mel"},
    SoundNet: {"waveform"},
    End2You: set(WAVEFORMS),
    Braindecode: set(WAVEFORMS),
}
"""Kinds of features that the networks of a family read."""


def network_input(type: str) -> set[str] | None:
    """Kinds of features that a network reads; None for any."""
    cls = class_of(type)
    if cls is not None and issubclass(cls, PictureNetwork):
        return IMAGES
    return BY_TYPE.get(type) or next((kinds for c, kinds in BY_CLASS.items() if c is cls), None)


def embedded(type: str) -> set[str]:
    """Kinds of features in the range that a network was trained on; none without such weights.

    An embedding is made once for all folds, so nothing learnt on a training partition can bring
    others to that range.
    """
    cls = class_of(type)
    if cls is None or "weights" not in cls.model_fields:
        return set()
    if issubclass(cls, PictureNetwork):
        return set(PICTURES)
    return network_input(type) or set()


def in_order(kinds: Iterable[str]) -> list[str]:
    """Kinds of features as they are listed: by name, those that are joined of others last."""
    return sorted(kinds, key=lambda kind: (kind.startswith("joined_"), kind))


def wrong_input(network: str, accepted: set[str], feature: str, kind: str) -> str:
    """Say that a network cannot read a feature."""
    if not accepted:
        return f"{network} has no pretrained weights to make an embedding by"
    kinds = ", ".join(in_order(accepted))
    return f"{network} reads features of kind {kinds}; {feature} is of kind {kind}"


def weights_problem(path: str, network: str, weights: str) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with a name or path of weights, if anything."""
    if published(network, weights) or os.path.isfile(weights):
        return
    names = published_names(network)
    if os.path.isdir(weights):
        yield path, f"{weights} is a folder; name the file in it"
    elif network.startswith("timm/"):
        yield path, f"{weights!r} is neither a tag of timm's, such as a1_in1k, nor a file"
    elif names:
        known = nearest(weights, names) if len(names) > 1 else f"; known: {names[0]}"
        yield path, f"{weights!r} is neither published nor a file that exists{known}"
    else:
        yield path, f"{weights!r} is no file that exists; {network} has weights only by path"
