"""True lengths: an item's logits do not depend on how far its batch is padded."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from deepself.networks import build

RECURRENT = [
    ("rnn", {"cell": cell, "readout": readout, "bidirectional": both})
    for cell in ("rnn", "lstm", "gru")
    for readout in ("last", "mean")
    for both in (False, True)
]
FRONTED = [
    ("cnn_rnn", {"bidirectional": True, "readout": "last"}),
    ("cnn_rnn", {"readout": "mean", "pool": [2, 1, 2]}),
    ("cnn_rnn", {"kernel_size": [4, 5, 3], "stride": [1, 2, 1]}),
    ("cnn_rnn", {"kernel_size": 3, "padding": [0, 2, 1], "normalisation": "none"}),
]
CONVOLUTIONAL = [
    ("cnn", {"readout": "mean"}),
    ("cnn", {"readout": "max", "stride": [2, 1, 1], "activation": "gelu"}),
]


def logits(network, items, beyond=7.0):
    """Logits of items of unequal lengths, padded with what must have no effect."""
    longest = max(item.shape[-1] for item in items)
    padded = [
        torch.nn.functional.pad(item, (0, longest - item.shape[-1]), value=beyond) for item in items
    ]
    with torch.no_grad():
        return network(torch.stack(padded), torch.tensor([item.shape[-1] for item in items]))


def ready(name, shape, choices):
    """Build a network in eval mode whose normalisations have seen data, so that zero moves."""
    torch.manual_seed(0)
    network = build(name, shape, 3, **choices)
    network(1 + torch.randn(8, *shape))
    return network.eval()


@pytest.mark.parametrize(("name", "choices"), RECURRENT + FRONTED + CONVOLUTIONAL)
@pytest.mark.parametrize("shape", [(2, 20, 72), (2, 240)])
def test_padding_has_no_effect(name, choices, shape):
    if name == "cnn":
        name = "cnn1d" if len(shape) == 2 else "cnn2d"
    elif name == "rnn" and len(shape) == 2:
        choices = {**choices, "frame": 8}
    network = ready(name, shape, choices)
    lengths = [shape[-1], shape[-1] // 2, shape[-1] // 3 + 1]
    items = [torch.randn(*shape[:-1], length) for length in lengths]
    together = logits(network, items)
    with torch.no_grad():
        alone = torch.cat([network(item.unsqueeze(0)) for item in items])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-4)


@given(lengths=st.lists(st.integers(9, 90), min_size=1, max_size=5), beyond=st.floats(-9, 9))
@settings(max_examples=25, deadline=None)
def test_padding_has_no_effect_at_any_lengths(lengths, beyond):
    network = ready("cnn_rnn", (1, 90), {"kernel_size": [4, 3, 2]})
    items = [torch.randn(1, length) for length in lengths]
    with torch.no_grad():
        alone = torch.cat([network(item.unsqueeze(0)) for item in items])
    torch.testing.assert_close(logits(network, items, beyond), alone, atol=1e-5, rtol=1e-4)


def test_an_item_shorter_than_a_step_still_counts_as_one():
    for name, choices in (("rnn", {"frame": 10}), ("cnn_rnn", {}), ("cnn1d", {"readout": "max"})):
        network = ready(name, (1, 100), choices)
        with torch.no_grad():
            assert network(torch.randn(2, 1, 100), torch.tensor([3, 100])).isfinite().all()


def test_samples_beyond_the_last_whole_step_are_left_out():
    network = ready("rnn", (1, 100), {"frame": 8})
    x = torch.randn(2, 1, 100)
    with torch.no_grad():
        assert torch.equal(network(x), network(x[..., :96]))
