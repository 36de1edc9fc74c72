"""Scores of class decisions.

Classes are given as indices 0 … `classes` - 1; all arrays have one entry an item.
"""

import numpy as np
from numpy.typing import ArrayLike


def confusion(true: ArrayLike, predicted: ArrayLike, classes: int) -> np.ndarray:
    """Count how often each class was taken for each.

    Parameters
    ----------
    true, predicted
        Class indices, shape (items,).
    classes
        Number of classes.

    Returns
    -------
    numpy.ndarray
        int64, shape (classes, classes): rows are true classes, columns predicted ones.

    Raises
    ------
    ValueError
        If the two differ in length, or an index is not that of a class.
    """
    true, predicted = np.asarray(true, np.int64), np.asarray(predicted, np.int64)
    if true.shape != predicted.shape or true.ndim != 1:
        raise ValueError(f"true {true.shape} and predicted {predicted.shape} must be equally long")
    both = np.concatenate([true, predicted])
    if both.size and not (both.min() >= 0 and both.max() < classes):
        raise ValueError(f"class indices must lie between 0 and {classes - 1}")
    counts = np.bincount(true * classes + predicted, minlength=classes * classes)
    return counts.reshape(classes, classes)


def uar(true: ArrayLike, predicted: ArrayLike, classes: int) -> float:
    """Unweighted average recall: the mean of the recalls of the classes that occur in `true`.

    A class without items has no recall and is left out, as in scikit-learn's balanced accuracy.

    Parameters
    ----------
    true, predicted
        Class indices, shape (items,).
    classes
        Number of classes.

    Raises
    ------
    ValueError
        If there are no items.
    """
    counts = confusion(true, predicted, classes)
    items = counts.sum(axis=1)
    present = items > 0
    if not present.any():
        raise ValueError("no items, so no recall")
    return float((counts.diagonal()[present] / items[present]).mean())


def accuracy(true: ArrayLike, predicted: ArrayLike) -> float:
    """Share of items whose predicted class is the true one.

    Raises
    ------
    ValueError
        If there are no items.
    """
    true, predicted = np.asarray(true), np.asarray(predicted)
    if true.size == 0:
        raise ValueError("no items, so no accuracy")
    return float((true == predicted).mean())
