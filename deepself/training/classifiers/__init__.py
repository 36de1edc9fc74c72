"""Classical classifiers over vectors.

Each family fits by scikit-learn and leaves plain arrays, from which NumPy alone predicts.
"""

from deepself.training.classifiers.run import predict, run_classifier

__all__ = ["predict", "run_classifier"]
