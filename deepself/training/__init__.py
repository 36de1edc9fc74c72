"""Training: a network, or a classical classifier, and a feature become a run."""
