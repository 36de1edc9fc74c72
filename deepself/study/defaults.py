"""Settings of a model that are not written: what they are, from the feature that it reads."""

from collections.abc import Callable

from deepself.store.published import is_imagenet
from deepself.study.features import SPECTRAL
from deepself.study.models import Model
from deepself.study.networks import AnyNetwork, Branch, Branches, PictureNetwork


def normalisation(part: Model | Branch, kind: str) -> str:
    """The `normalise` of a model or branch that reads a feature of a kind.

    Pretrained weights expect what they were trained on: an audio network its front end, or
    pictures in [0, 1], which the network normalises itself. A spectral image in decibels is
    neither picture nor in [0, 1]: brought to mean 0 and deviation 1, it is like a normalised
    picture. Joined spectral images may have each its own scale in one channel, so that each bin
    is brought to it by itself.
    """
    if part.normalise is not None:
        return part.normalise
    pretrained = getattr(part.network, "weights", None) is not None
    if pretrained and not _is_spectral_picture(part, kind):
        return "none"
    return "bin" if kind == "joined_spectra" else "channel"


def network(part: Model | Branch, kind_of: Callable[[str], str]) -> AnyNetwork | None:
    """The network of a model or branch, with what depends on its weights; None for classifiers."""
    own = part.network
    if isinstance(own, Branches):
        found = {
            name: branch.model_copy(update={"network": network(branch, kind_of)})
            for name, branch in own.branches.items()
        }
        return own.model_copy(update={"branches": found})
    if isinstance(own, PictureNetwork) and own.imagenet_normalisation is None:
        assert part.feature is not None
        spectral = _is_spectral_picture(part, kind_of(part.feature))
        chosen = is_imagenet(own.type, own.weights) and not spectral
        return own.model_copy(update={"imagenet_normalisation": chosen})
    return own


def _is_spectral_picture(part: Model | Branch, kind: str) -> bool:
    """Whether a network of pictures reads a spectral image as it is."""
    return isinstance(part.network, PictureNetwork) and kind in SPECTRAL
