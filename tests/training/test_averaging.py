"""The moving average of the weights, by its formula."""

import io

import pytest
import torch
from torch import nn

from deepself.training.averaging import Averaging


def network(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))


def move(net, seed):
    """A step of some training: weights move, batch normalisation counts."""
    random = torch.Generator().manual_seed(seed)
    net.train()
    net(torch.randn(8, 3, generator=random))
    with torch.no_grad():
        for p in net.parameters():
            p.add_(torch.randn(p.shape, generator=random))


def copies(net):
    return {key: value.detach().clone() for key, value in net.state_dict().items()}


@pytest.mark.parametrize("decay", [0.5, 0.99])
def test_it_is_its_formula(decay):
    net = network()
    averaging = Averaging(net, decay)
    expected = {key: value.double() for key, value in copies(net).items()}
    for step in range(30):
        move(net, step)
        averaging.update()
        d = min(decay, (1 + step) / (10 + step))
        for key, value in net.state_dict().items():
            expected[key] = d * expected[key] + (1 - d) * value.double()
    found = averaging.state_dict()
    assert list(found) == list(net.state_dict())
    for key, value in found.items():
        if key == "1.num_batches_tracked":
            assert value == 30
        else:
            torch.testing.assert_close(value.double(), expected[key], rtol=1e-5, atol=1e-5)


def test_network_holds_the_average_in_the_block_and_its_own_after():
    net = network()
    averaging = Averaging(net, 0.9)
    for step in range(3):
        move(net, step)
        averaging.update()
    own = copies(net)
    average = {key: value.clone() for key, value in averaging.state_dict().items()}
    with averaging.swapped():
        within = copies(net)
    for key, value in copies(net).items():
        assert torch.equal(value, own[key])
        assert torch.equal(within[key], average[key])
    assert not torch.equal(own["0.weight"], average["0.weight"])


def test_own_weights_come_back_after_an_error():
    net = network()
    averaging = Averaging(net, 0.9)
    move(net, 0)
    own = copies(net)
    with pytest.raises(ValueError), averaging.swapped():
        raise ValueError
    assert all(torch.equal(value, own[key]) for key, value in copies(net).items())


def test_what_does_not_move_keeps_its_bits():
    net = network()
    net[0].weight.requires_grad_(False)
    before = net[0].weight.clone()
    averaging = Averaging(net, 0.9)
    for _ in range(20):
        averaging.update()
    assert torch.equal(averaging.state_dict()["0.weight"], before)


def test_it_goes_on_from_a_checkpoint():
    net = network()
    averaging = Averaging(net, 0.9)
    for step in range(3):
        move(net, step)
        averaging.update()
    file = io.BytesIO()
    torch.save({"averaging": averaging.state(), "network": net.state_dict()}, file)
    file.seek(0)
    kept = torch.load(file, weights_only=True)
    again = network(seed=7)
    restored = Averaging(again, 0.9)
    again.load_state_dict(kept["network"])
    restored.load_state(kept["averaging"])
    for net_, averaging_ in ((net, averaging), (again, restored)):
        move(net_, 9)
        averaging_.update()
    found = restored.state_dict()
    assert all(torch.equal(value, found[key]) for key, value in averaging.state_dict().items())


def test_shared_weights_are_averaged_once():
    net = network()
    net[0].register_module("tied", nn.Linear(3, 4))
    net[0].tied.weight = net[0].weight
    averaging = Averaging(net, 0.5)
    move(net, 0)
    averaging.update()
    found = averaging.state_dict()
    assert list(found) == list(net.state_dict())
    assert found["0.tied.weight"] is found["0.weight"]
    assert len(averaging.state()["averages"]) == len(found) - 1


def test_tensors_without_a_network():
    tensors = {"a": torch.zeros(2, 3), "n": torch.tensor(4)}
    averaging = Averaging(tensors, 0.5)
    tensors["a"] += 1
    tensors["n"] += 1
    averaging.update()
    torch.testing.assert_close(averaging.state_dict()["a"], torch.full((2, 3), 0.9))
    assert averaging.state_dict()["n"] == 5
