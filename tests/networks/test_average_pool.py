"""Average pooling to a given size, by matrices."""

import pytest
import torch

from deepself.networks import build
from deepself.networks._average_pool import AveragePool2d


@pytest.mark.parametrize("size", [(7, 7), (6, 6), (1, 1), (3, 5)])
@pytest.mark.parametrize("shape", [(7, 7), (1, 1), (2, 9), (14, 13), (5, 3)])
def test_values_and_gradients_are_torchs(shape, size):
    x = torch.randn(2, 3, *shape, dtype=torch.float64, requires_grad=True)
    ours, theirs = AveragePool2d(size)(x), torch.nn.AdaptiveAvgPool2d(size)(x)
    torch.testing.assert_close(ours, theirs)
    weights = torch.randn_like(ours)
    gradients = [torch.autograd.grad(y, x, weights)[0] for y in (ours, theirs)]
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize("name", ["alexnet", "vgg11"])
def test_networks_that_pool_to_more_than_one_place_use_it(name):
    with torch.device("meta"):
        network = build(name, (3, 64, 64), 2)
    modules = [type(module) for module in network.modules()]
    assert AveragePool2d in modules
    assert torch.nn.AdaptiveAvgPool2d not in modules


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_gradient_is_deterministic_on_a_gpu():
    torch.use_deterministic_algorithms(True)
    try:
        x = torch.randn(1, 2, 5, 5, device="cuda", requires_grad=True)
        AveragePool2d((7, 7))(x).sum().backward()
    finally:
        torch.use_deterministic_algorithms(False)
    assert x.grad.isfinite().all()
