"""Several networks joined before one classifier."""

import pytest
import torch

from deepself.networks import build
from deepself.networks.branches import JOINS, Branched

SHAPES = {"wave": (1, 64), "picture": (1, 8, 8), "vector": (5,)}


def joined(join, names=("wave", "picture", "vector"), seed=0, **settings):
    torch.manual_seed(seed)
    types = {"wave": "cnn1d", "picture": "cnn2d", "vector": "dense"}
    networks = {n: build(types[n], SHAPES[n], 3, **_small(n)) for n in names}
    return Branched(networks, 3, join=join, **{"size": 16, **settings})


def _small(name):
    return {"hidden": [8]} if name == "vector" else {"channels": [4]}


def batch(names=("wave", "picture", "vector"), items=6, seed=1):
    random = torch.Generator().manual_seed(seed)
    return [torch.randn(items, *SHAPES[name], generator=random) for name in names]


@pytest.mark.parametrize("join", JOINS)
def test_gives_logits_embeddings_and_gradients(join):
    network = joined(join)
    logits = network(batch())
    assert logits.shape == (6, 3)
    assert network.embed(batch()).shape == (6, network.embedding_size)
    logits.sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name


@pytest.mark.parametrize("join", JOINS)
def test_every_branch_counts_and_an_item_alone_is_as_in_its_batch(join):
    network = joined(join).eval()
    x = batch()
    with torch.no_grad():
        logits = network(x)
        torch.testing.assert_close(network([one[:1] for one in x]), logits[:1])
        for place in range(3):
            other = [one + (i == place) for i, one in enumerate(x)]
            assert not torch.allclose(network(other), logits, atol=1e-4)


@pytest.mark.parametrize("join", JOINS)
def test_seed_and_state_dict_make_the_network(join):
    first, other = joined(join).eval(), joined(join, seed=1).eval()
    with torch.no_grad():
        assert torch.equal(joined(join).eval()(batch()), first(batch()))
        assert not torch.equal(other(batch()), first(batch()))
        other.load_state_dict(first.state_dict())
        assert torch.equal(other(batch()), first(batch()))


@pytest.mark.parametrize("join", JOINS)
def test_learns_what_neither_branch_can_tell_alone(join):
    """The class is whether two coins, one a branch, fell alike."""
    random = torch.Generator().manual_seed(0)
    coins = torch.randint(0, 2, (2, 64), generator=random)
    signs = 2.0 * coins - 1
    x = [signs[0].view(-1, 1, 1).expand(-1, 1, 64), signs[1].view(-1, 1).expand(-1, 5)]
    x = [one + 0.1 * torch.randn(one.shape, generator=random) for one in x]
    labels = (coins[0] == coins[1]).long()
    network = joined(join, ("wave", "vector"), heads=2)
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-2)
    for _ in range(150):
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(network(x), labels).backward()
        optimiser.step()
    with torch.no_grad():
        assert (network.eval()(x).argmax(1) == labels).all()


def test_lengths_reach_their_branch():
    network = joined("concatenation", ("wave", "vector")).eval()
    wave, vector = batch(("wave", "vector"), items=1)
    longer = torch.nn.functional.pad(wave, (0, 9), value=5.0)
    with torch.no_grad():
        told = network([longer, vector], [torch.tensor([64]), None])
        torch.testing.assert_close(told, network([wave, vector]), atol=1e-5, rtol=1e-4)


def test_refusals():
    with pytest.raises(ValueError, match="at least two networks"):
        joined("concatenation", ("wave",))
    with pytest.raises(ValueError, match="join cannot be 'gated'.*did you mean 'gated_sum'"):
        joined("gated")
    with pytest.raises(ValueError, match=r"size \(16\) must be a multiple of heads \(3\)"):
        joined("cross_attention", heads=3)
