"""Choosing a fusion's members; only dev is looked at."""

from collections.abc import Mapping

from deepself.evaluation.metrics import uar
from deepself.store.predictions import Predictions


def dev_uar(members: Mapping[str, Predictions]) -> dict[str, float]:
    """UAR of each member on dev."""
    parts = {name: predictions.part("dev") for name, predictions in members.items()}
    return {name: uar(p.true, p.predicted, len(p.classes)) for name, p in parts.items()}


def best(scores: Mapping[str, float]) -> str:
    """Name of the highest score; of equal ones, the first."""
    return max(scores, key=scores.__getitem__)


def best_per_modality(scores: Mapping[str, float], modalities: Mapping[str, str]) -> list[str]:
    """Of each modality, the member with the best score.

    Parameters
    ----------
    scores
        UAR on dev by member, in the study's order: of equal members, the first is chosen.
    modalities
        Modality of each member.

    Returns
    -------
    list of str
        The chosen members, in the order of `scores`.
    """
    chosen = {
        best({name: score for name, score in scores.items() if modalities[name] == modality})
        for modality in modalities.values()
    }
    return [name for name in scores if name in chosen]
