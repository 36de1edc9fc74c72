"""What in a recording speaks for the label that a bundle gives it."""

from deepself.inference.explaining.asking import Effort
from deepself.inference.explaining.attributing import METHODS
from deepself.inference.explaining.explain import explain, explain_features
from deepself.inference.explaining.reading import Recorded, read
from deepself.inference.explaining.result import Attribution, Completeness, Explanation, Member

__all__ = [
    "METHODS",
    "Attribution",
    "Completeness",
    "Effort",
    "Explanation",
    "Member",
    "Recorded",
    "explain",
    "explain_features",
    "read",
]
