"""Random changes of training items, on the batch and its device; and the parts of items."""

from deepself.training.augment.augmenter import Augmenter
from deepself.training.augment.crops import Crops

__all__ = ["Augmenter", "Crops"]
