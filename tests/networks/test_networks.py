"""What holds for every registered network."""

import subprocess
import sys

import pytest
import torch

from deepself.networks import available, build

# name -> (settings, two input shapes and more where the network takes other channels or axes)
CASES = {
    "dense": ({"normalisation": "batch", "dropout": 0.1}, [(7,), (2, 30), (3, 6, 5)]),
    "cnn1d": ({"kernel_size": [9, 4, 3], "stride": [2, 1, 1]}, [(1, 100), (3, 257)]),
    "cnn2d": ({"kernel_size": [[5, 3], 3, 3], "hidden": [8]}, [(1, 32, 40), (3, 17, 25)]),
    "rnn": ({"num_layers": 2, "dropout": 0.1}, [(1, 12, 20), (2, 8, 31), (2, 150)]),
    "cnn_rnn": ({"cell": "lstm", "bidirectional": True}, [(1, 16, 40), (2, 24, 57), (2, 200)]),
    "resnet18": ({"imagenet_normalisation": False}, [(3, 40, 40), (1, 33, 70), (2, 32, 32)]),
    "mn04_as": ({}, [(1, 128, 64), (1, 128, 101)]),
}
NAMES_AND_SHAPES = [(name, shape) for name, case in CASES.items() for shape in case[1]]
CLASSES = 4


def built(name, shape, seed=0, **settings):
    torch.manual_seed(seed)
    return build(name, shape, CLASSES, **{**CASES[name][0], **settings})


def batch(shape, items=3):
    return torch.rand(items, *shape, generator=torch.Generator().manual_seed(1))


def test_every_registered_network_has_a_case():
    assert sorted(CASES) == available()


@pytest.mark.parametrize(("name", "shape"), NAMES_AND_SHAPES)
def test_gives_logits_and_gradients(name, shape):
    network = built(name, shape)
    logits = network(batch(shape))
    assert logits.shape == (3, CLASSES)
    torch.nn.functional.cross_entropy(logits, torch.tensor([0, 1, 2])).backward()
    for key, parameter in network.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), key
    assert (logits.detach().sum(1) - 1).abs().max() > 1e-3, "softmax inside?"


@pytest.mark.parametrize(("name", "shape"), NAMES_AND_SHAPES)
def test_an_item_alone_is_as_in_its_batch(name, shape):
    network = built(name, shape).eval()
    x = batch(shape)
    with torch.no_grad():
        assert network.embed(x).shape == (3, network.embedding_size)
        torch.testing.assert_close(network(x[:1]), network(x)[:1], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(("name", "shape"), [(name, case[1][0]) for name, case in CASES.items()])
def test_takes_lengths(name, shape):
    network = built(name, shape).eval()
    full = torch.full((3,), shape[-1])
    with torch.no_grad():
        x = batch(shape)
        torch.testing.assert_close(network(x, full), network(x), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", CASES)
def test_seed_makes_the_weights_and_a_state_dict_carries_them(name):
    shape = CASES[name][1][0]
    first, second, other = built(name, shape), built(name, shape), built(name, shape, seed=1)
    weights = first.state_dict()
    assert all(torch.equal(weights[key], value) for key, value in second.state_dict().items())
    assert any(not torch.equal(weights[key], value) for key, value in other.state_dict().items())
    other.load_state_dict(weights)
    with torch.no_grad():
        x = batch(shape)
        assert torch.equal(other.eval()(x), first.eval()(x))


def separable(shape, items=48):
    """Three classes by the place and rate of an oscillation along the last axis."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(items) % 3
    time = torch.arange(shape[-1]) / shape[-1]
    waves = torch.stack([torch.sin(6.3 * rate * time) for rate in (2, 5, 11)])
    x = 0.3 * torch.randn(items, *shape, generator=generator)
    return x + waves[labels].view(items, *[1] * (len(shape) - 1), -1), labels


SMALL = [
    ("dense", (1, 64), {}),
    ("cnn1d", (1, 64), {"padding": "same", "kernel_size": 5}),
    ("cnn2d", (1, 8, 64), {"readout": "max"}),
    ("rnn", (1, 64), {"frame": 4, "readout": "mean"}),
    ("cnn_rnn", (1, 8, 64), {}),
]


@pytest.mark.parametrize(("name", "shape", "settings"), SMALL)
def test_small_networks_learn_a_separable_problem(name, shape, settings):
    torch.manual_seed(0)
    network = build(name, shape, 3, **settings)
    x, labels = separable(shape)
    optimiser = torch.optim.Adam(network.parameters(), lr=5e-3)
    for _ in range(60):
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(network(x), labels).backward()
        optimiser.step()
    with torch.no_grad():
        assert (network.eval()(x).argmax(1) == labels).all()


@pytest.mark.parametrize(("readout", "hidden"), [("mean", ()), ("max", (9,)), ("flatten", ())])
def test_readouts(readout, hidden):
    network = build("cnn2d", (1, 16, 24), 2, readout=readout, hidden=hidden)
    size = hidden[-1] if hidden else 64 * 2 * 3 if readout == "flatten" else 64
    assert network.embedding_size == size == network.embed(batch((1, 16, 24))).shape[1]


@pytest.mark.parametrize("name", ["rnn", "cnn_rnn", "cnn2d", "mn04_as"])
def test_frames_may_differ_at_forward_time(name):
    shape = CASES[name][1][0]
    assert built(name, shape)(batch((*shape[:-1], shape[-1] + 13))).shape == (3, CLASSES)


@pytest.mark.parametrize("padding", ["same", 0, [2, 1]])
@pytest.mark.parametrize("kernel", [1, 4, 7, [5, 2]])
@pytest.mark.parametrize("stride", [1, 2, [3, 1]])
def test_sizes_are_those_that_torch_leaves(padding, kernel, stride):
    for samples in (60, 61):
        shape, settings = (2, samples), {"padding": padding, "stride": stride, "pool": [2, 1]}
        network = build("cnn1d", shape, 2, channels=(4, 5), kernel_size=kernel, **settings)
        maps, _ = network.stack(batch(shape))
        assert maps.shape[1:] == (5, *network.stack.out_sizes)


def test_same_padding_keeps_the_length_on_each_axis_without_a_stride():
    settings = {"kernel_size": [[4, 4]], "stride": [[1, 2]], "pool": 1, "channels": [3]}
    assert build("cnn2d", (1, 10, 10), 2, **settings).stack.out_sizes == (10, 6)


def test_import_costs_neither_torch_nor_torchvision():
    code = (
        "import sys; from deepself.networks import available, build; available();"
        "assert 'torch' not in sys.modules;"
        "build('cnn1d', (1, 99), 2); build('mn04_as', (1, 128, 50), 2);"
        "assert 'torchvision' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
