"""A network in numbers."""

import pytest
import torch
from torch import nn

from deepself.networks import build
from deepself.networks.branches import Branched
from deepself.networks.summary import on_paper, summarise


def of(name, shape, classes=3, **settings):
    return summarise(on_paper(lambda: build(name, shape, classes, **settings)), [shape])


def test_convolution_by_hand():
    found = of(
        "cnn2d", (2, 8, 10), channels=[4], kernel_size=[[3, 5]], pool=1, normalisation="none"
    )
    convolution = next(layer for layer in found.layers if layer.type == "Conv2d")
    assert convolution.shape == (4, 8, 10)
    assert convolution.parameters == 4 * 2 * 15 + 4
    assert convolution.multiply_adds == 4 * 8 * 10 * 2 * 15
    assert found.multiply_adds == convolution.multiply_adds + 4 * 3
    assert found.parameters == convolution.parameters + 4 * 3 + 3
    assert found.weights == 4 * found.parameters


@pytest.mark.parametrize(("cell", "gates"), [("rnn", 1), ("gru", 3), ("lstm", 4)])
def test_recurrent_layers_by_hand(cell, gates):
    found = of("rnn", (1, 12, 20), cell=cell, hidden_size=8, bidirectional=True)
    assert found.multiply_adds == 2 * 20 * gates * 8 * (12 + 8) + 16 * 3


def test_attention_is_counted():
    with torch.device("meta"):
        networks = {n: build("dense", (6,), 3, hidden=[8]) for n in "ab"}
        network = Branched(networks, 3, join="cross_attention", size=8, heads=2)
    found = summarise(network, [(6,), (6,)])
    projections = 2 * (6 * 8) + 2 * (8 * 8)
    attention = 2 * (4 * 8 * 8) + 2 * (2 * 2 * 8)  # in and out for two tokens; scores and sums
    assert found.multiply_adds == projections + attention + 8 * 3


def test_a_layer_that_is_passed_twice_is_counted_twice():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Linear(4, 4)

        def forward(self, x):
            return self.inner(self.inner(x))

    with torch.device("meta"):
        found = summarise(Twice(), [(4,)])
    assert [layer.multiply_adds for layer in found.layers] == [16, 16]
    assert found.multiply_adds == 32
    assert found.parameters == 20


def test_training_memory_grows_with_the_batch():
    found = of("cnn1d", (1, 100))
    assert found.training(2) - found.training(1) == found.activations
    assert found.training(1) > 4 * found.weights


def test_counts_are_those_that_others_publish():
    """He et al. 2016, table 1: 1.8e9 multiply-adds; torchvision's documentation: 11,689,512."""
    found = of("resnet18", (3, 224, 224), classes=1000)
    assert found.parameters == 11_689_512
    assert found.multiply_adds == pytest.approx(1.81e9, rel=0.01)
