"""True lengths: an item's logits do not depend on how far its batch is padded."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from deepself.networks import build
from deepself.networks.layers import time_axis

SIGNAL, IMAGE, FILM, LARGE_FILM = (2, 240), (2, 20, 72), (2, 30, 4, 5), (2, 30, 17, 18)
RECURRENT = [
    {"cell": cell, "readout": readout, "bidirectional": both}
    for cell in ("rnn", "lstm", "gru")
    for readout in ("last", "mean", "attention")
    for both in (False, True)
]
FRONTS = [
    {},
    {"pool": [2, 1, 2], "pool_type": "average"},
    {"kernel_size": [4, 5, 3], "stride": [1, 2, 1], "groups": [2, 4, 4]},
    {"padding": [0, 2, 1], "normalisation": "none", "pool": 1},
    {"dilation": [3, 2, 1], "normalisation": "instance", "pool_type": "average"},
    {"padding": 3, "dilation": [1, 3, 2], "stride": [2, 1, 1], "normalisation": "group"},
    {"normalisation": "layer", "activation": "gelu", "kernel_size": [2, 3, 4]},
]
BACKS = [
    {"bidirectional": True, "readout": "last"},
    {"readout": "mean"},
    {"readout": "attention", "cell": "lstm"},
]
READOUTS = ["mean", "max", "attention"]


def axis_of(item):
    """The time axis of an item without its batch axis."""
    return time_axis(item.unsqueeze(0)) - 1


def logits(network, items, beyond=7.0):
    """Logits of items of unequal lengths, padded with what must have no effect."""
    axis = axis_of(items[0])
    lengths = [item.shape[axis] for item in items]
    sizes = list(items[0].shape)
    sizes[axis] = max(lengths)
    padded = torch.full((len(items), *sizes), beyond)
    for row, item in zip(padded, items, strict=True):
        row.narrow(axis, 0, item.shape[axis]).copy_(item)
    with torch.no_grad():
        return network(padded, torch.tensor(lengths))


def ready(name, shape, choices):
    """Build a network in eval mode whose normalisations have seen data, so that zero moves."""
    torch.manual_seed(0)
    network = build(name, shape, 3, **choices)
    network(1 + torch.randn(8, *shape))
    for key, value in network.named_parameters():
        if "norm" in key:
            torch.nn.init.normal_(value)
    return network.eval()


def check(network, shape, beyond=7.0):
    """Compare items of three lengths, padded to the longest, with each alone."""
    full = torch.randn(*shape)
    longest = shape[axis_of(full)]
    items = [full] + [
        torch.randn(*shape).narrow(axis_of(full), 0, length)
        for length in (longest // 2, longest * 2 // 3 + 1)
    ]
    with torch.no_grad():
        alone = torch.cat([network(item.unsqueeze(0)) for item in items])
    torch.testing.assert_close(logits(network, items, beyond), alone, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("shape", [SIGNAL, IMAGE, FILM])
@pytest.mark.parametrize("choices", RECURRENT)
def test_recurrent(shape, choices):
    if shape == SIGNAL:
        choices = {**choices, "frame": 8}
    check(ready("rnn", shape, choices), shape)


@pytest.mark.parametrize("shape", [IMAGE, FILM])
@pytest.mark.parametrize("both", [False, True])
def test_autoencoder(shape, both):
    check(ready("rnn_autoencoder", shape, {"hidden_size": 8, "bidirectional": both}), shape)


@pytest.mark.parametrize("front", FRONTS)
@pytest.mark.parametrize("shape", [SIGNAL, IMAGE, LARGE_FILM])
def test_convolutional(shape, front):
    for readout in READOUTS:
        network = ready(f"cnn{len(shape) - 1}d", shape, {**front, "readout": readout})
        check(network, shape)
        check(network, shape, beyond=torch.nan)


@pytest.mark.parametrize("front", FRONTS)
@pytest.mark.parametrize("shape", [SIGNAL, IMAGE, LARGE_FILM])
def test_convolutional_and_recurrent(shape, front):
    for back in BACKS:
        check(ready("cnn_rnn", shape, {**front, **back}), shape)


def test_dense_networks_take_what_lies_beyond_as_zero():
    network = ready("dense", (1, 30), {"normalisation": "layer"})
    short = torch.randn(1, 20)
    zeros = torch.cat([short, torch.zeros(1, 10)], dim=1).unsqueeze(0)
    full = torch.randn(1, 30)
    with torch.no_grad():
        torch.testing.assert_close(logits(network, [full, short])[1:], network(zeros))


@given(lengths=st.lists(st.integers(9, 90), min_size=1, max_size=5), beyond=st.floats(-9, 9))
@settings(max_examples=25, deadline=None)
def test_padding_has_no_effect_at_any_lengths(lengths, beyond):
    network = ready("cnn_rnn", (1, 90), {"kernel_size": [4, 3, 2], "normalisation": "group"})
    items = [torch.randn(1, length) for length in lengths]
    with torch.no_grad():
        alone = torch.cat([network(item.unsqueeze(0)) for item in items])
    torch.testing.assert_close(logits(network, items, beyond), alone, atol=1e-5, rtol=1e-4)


def test_an_item_shorter_than_a_step_still_counts_as_one():
    for name, choices in (
        ("rnn", {"frame": 10}),
        ("cnn_rnn", {}),
        ("cnn1d", {"readout": "max", "normalisation": "instance"}),
        ("cnn1d", {"readout": "attention", "dilation": 4, "padding": 0, "pool": 1}),
    ):
        network = ready(name, (1, 100), choices)
        for training in (False, True):
            logits = network.train(training)(torch.randn(2, 1, 100), torch.tensor([3, 100]))
            assert logits.isfinite().all()


def test_samples_beyond_the_last_whole_step_are_left_out():
    network = ready("rnn", (1, 100), {"frame": 8})
    x = torch.randn(2, 1, 100)
    with torch.no_grad():
        assert torch.equal(network(x), network(x[..., :96]))


@pytest.mark.parametrize("name", ["cnn1d", "cnn_rnn"])
def test_a_step_of_training_does_not_depend_on_the_padding(name):
    """Batch statistics and gradients are those of the true parts, however far they are padded."""
    lengths = torch.tensor([64, 40, 48])
    x = torch.randn(3, 1, 64)
    found = []
    for further in (0, 32):
        torch.manual_seed(0)
        network = build(name, (1, 96), 3, readout="mean")
        padded = torch.nn.functional.pad(x, (0, further), value=5.0)
        network(padded, lengths).square().sum().backward()
        found.append((network.state_dict(), [p.grad for p in network.parameters()]))
    for one, other in zip(found[0][0].values(), found[1][0].values(), strict=True):
        torch.testing.assert_close(one, other)
    for one, other in zip(found[0][1], found[1][1], strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)
