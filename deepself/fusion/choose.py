"""Choosing candidates; only dev is looked at."""

from collections.abc import Mapping

from deepself.evaluation.metrics import uar
from deepself.fusion.combine import Aligned


def dev_uar(aligned: Aligned) -> dict[str, float]:
    """UAR of each candidate on dev."""
    dev = aligned.dev()
    classes = dev.probabilities.shape[2]
    return {
        name: uar(dev.true, one.argmax(axis=1), classes)
        for name, one in zip(aligned.names, dev.probabilities, strict=True)
    }


def best(scores: Mapping[str, float]) -> str:
    """Name of the highest score; of equal ones, the first."""
    return max(scores, key=scores.__getitem__)


def best_of_each(
    scores: Mapping[str, float], count: int, kinds: Mapping[str, str] | None = None
) -> list[str]:
    """The candidates with the best scores.

    Parameters
    ----------
    scores
        UAR on dev by candidate, in the study's order: of equal ones, the first is chosen.
    count
        How many, of each kind; of a kind that has fewer, all.
    kinds
        Kind of each candidate, such as its modality; by default all are of one.

    Returns
    -------
    list of str
        The chosen ones, in the order of `scores`.
    """
    ranked: dict[str, list[str]] = {}
    for name in sorted(scores, key=lambda name: -scores[name]):
        ranked.setdefault("" if kinds is None else kinds[name], []).append(name)
    chosen = {name for names in ranked.values() for name in names[:count]}
    return [name for name in scores if name in chosen]
