"""How different the errors of systems are: what a fusion can gain from."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Pairs:
    """Of each pair of systems, how many items which of the two has right; (systems, systems).

    Attributes
    ----------
    both, only_first, only_second, neither
        Row: the first; column: the second. Where systems have several seeds these are means over
        all pairs of one's seeds with the other's.
    """

    both: np.ndarray
    only_first: np.ndarray
    only_second: np.ndarray
    neither: np.ndarray

    @property
    def disagreement(self) -> np.ndarray:
        """Share of the items that exactly one of the two has right."""
        apart = self.only_first + self.only_second
        return apart / (self.both + self.neither + apart)

    @property
    def q(self) -> np.ndarray:
        """Yule's Q: 1 if both have the same items right, 0 if independently, negative if others.

        NaN where it does not exist: one of the two has all right, or all wrong.

        References
        ----------
        L. I. Kuncheva and C. J. Whitaker, "Measures of Diversity in Classifier Ensembles and
        Their Relationship with the Ensemble Accuracy", Machine Learning 51, 2003, eq. 1 and 3.
        """
        same, apart = self.both * self.neither, self.only_first * self.only_second
        whole = same + apart
        return np.divide(same - apart, whole, out=np.full_like(whole, np.nan), where=whole > 0)


def count_pairs(right: np.ndarray, weights: np.ndarray | None = None) -> Pairs:
    """Count who has which items right.

    Parameters
    ----------
    right
        Share of a system's seeds that have an item right, shape (systems, items).
    weights
        How much each item counts, shape (items,); default: 1.
    """
    counted = np.ones(right.shape[1]) if weights is None else weights
    both = (right * counted) @ right.T
    own = right @ counted
    # Rounding must not make a count negative.
    only_first = np.clip(own[:, None] - both, 0, None)
    neither = np.clip(counted.sum() - own[:, None] - only_first.T, 0, None)
    return Pairs(both, only_first, only_first.T, neither)
