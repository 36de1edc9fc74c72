"""Statistics over time, against NumPy."""

import numpy as np
import pytest
import torch

from deepself.signal import statistics

NUMPY = {"mean": np.mean, "deviation": np.std, "least": np.min, "greatest": np.max}


@pytest.mark.parametrize("shape", [(3, 2, 5, 7), (2, 4, 9), (1, 1, 1, 1)])
@pytest.mark.parametrize("wanted", [["mean", "deviation"], ["greatest", "least", "mean"]])
def test_equals_numpy_statistic_by_statistic(shape, wanted):
    values = np.random.default_rng(0).normal(3, 2, shape).astype(np.float32)
    found = statistics(torch.from_numpy(values), wanted)
    expected = [NUMPY[name](values, axis=-1).reshape(shape[0], -1) for name in wanted]
    np.testing.assert_allclose(found, np.concatenate(expected, axis=1), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("wanted", "said"), [([], "none"), (["mean", "mode"], "statistic mode")])
def test_refuses_what_it_does_not_know(wanted, said):
    with pytest.raises(ValueError, match=said):
        statistics(torch.zeros(1, 2, 3), wanted)
