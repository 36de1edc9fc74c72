"""The loop: what is minimised, in which order, and which epoch is kept."""

import numpy as np
import pytest
import torch
from torch import nn

from deepself.errors import UserError
from deepself.study.training import Training
from deepself.training import loop
from deepself.training.data import Part
from deepself.training.loop import Tensors, batches, class_weights, train_network


def blobs(count=40, seed=0):
    random = torch.Generator().manual_seed(seed)
    targets = torch.arange(count) % 2
    items = torch.randn(count, 3, generator=random) + 3 * targets[:, None]
    return Tensors((items,), targets)


def train(settings=None, seed=0, network=None, train_on=None, dev=None):
    torch.manual_seed(seed)
    network = network or nn.Linear(3, 2)
    order = torch.Generator().manual_seed(seed)
    settings = settings or Training(epochs=5, batch_size=8, lr=0.05)
    outcome = train_network(network, train_on or blobs(), dev or blobs(20, 1), settings, 2, order)
    return network, outcome


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_learns_a_separable_problem(optimizer):
    _, outcome = train(Training(epochs=20, batch_size=8, lr=0.05, optimizer=optimizer))
    assert outcome.history[-1][4] == 1.0


def test_same_seed_same_weights():
    first, second, other = train()[0], train()[0], train(seed=1)[0]
    assert torch.equal(first.weight, second.weight)
    assert not torch.equal(first.weight, other.weight)


def test_training_items_are_shuffled_anew_in_each_epoch(monkeypatch):
    seen = []
    original = loop.batches
    monkeypatch.setattr(loop, "batches", lambda o, n: seen.append(o.tolist()) or original(o, n))
    train(Training(epochs=3, batch_size=8))
    assert [sorted(order) for order in seen] == [list(range(40))] * 3
    assert len({tuple(order) for order in seen}) == 3


class Scripted(nn.Module):
    """Gives right dev predictions in chosen epochs only; its weight counts the epochs."""

    def __init__(self, right, scale):
        super().__init__()
        self.epoch = nn.Parameter(torch.zeros(1))
        self.right, self.scale, self.current = right, scale, 0

    def forward(self, items):
        if self.training:
            return torch.zeros(len(items), 2) + self.epoch * 0
        sign = 1 if self.current in self.right else -1
        strength = sign * self.scale.get(self.current, 1.0)
        return strength * torch.stack([-items[:, 0], items[:, 0]], 1)


def scripted(monkeypatch, right, scale=None):
    network = Scripted(right, scale or {})
    original = loop.train_epoch

    def count(*args):
        network.current += 1
        found = original(*args)
        with torch.no_grad():
            network.epoch.fill_(network.current)
        return found

    monkeypatch.setattr(loop, "train_epoch", count)
    targets = torch.tensor([0, 1] * 4)
    data = Tensors(((2.0 * targets - 1)[:, None],), targets)
    _, outcome = train(Training(epochs=5), network=network, train_on=data, dev=data)
    return outcome.epoch, network.epoch.item()


def test_best_epoch_is_that_of_the_highest_dev_uar(monkeypatch):
    assert scripted(monkeypatch, right={3}) == (3, 3.0)


def test_of_equal_uar_the_lower_dev_loss_wins(monkeypatch):
    assert scripted(monkeypatch, right={2, 4}, scale={4: 5.0}) == (4, 4.0)


def test_of_equals_the_earliest_wins(monkeypatch):
    assert scripted(monkeypatch, right={2, 4}) == (2, 2.0)


def test_best_weights_include_buffers():
    network = nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 2))
    trained, outcome = train(Training(epochs=4, batch_size=8), network=network)
    assert trained[0].num_batches_tracked == 5 * outcome.epoch


def test_loss_that_is_not_finite_stops_with_the_epoch():
    data = blobs()
    data.items[0][3] = torch.nan
    with pytest.raises(UserError, match="epoch 1: the training loss is nan; lower training.lr"):
        train(train_on=data)


def test_dev_loss_that_is_not_finite_stops_too():
    dev = blobs(20, 1)
    dev.items[0][3] = torch.inf
    with pytest.raises(UserError, match="epoch 1: the dev loss is (nan|inf); lower training.lr"):
        train(dev=dev)


@pytest.mark.parametrize(("items", "size"), [(33, 8), (17, 16), (5, 8), (2, 1), (1, 4)])
def test_batches_hold_every_item_once_and_differ_by_one_at_most(items, size):
    parts = batches(torch.randperm(items), size)
    assert sorted(torch.cat(parts).tolist()) == list(range(items))
    lengths = [len(part) for part in parts]
    assert max(lengths) <= size
    assert max(lengths) - min(lengths) <= 1


def test_no_batch_of_one_item_unless_asked_for():
    for items in range(2, 12):
        for size in range(2, 6):
            assert min(len(part) for part in batches(torch.arange(items), size)) > 1


def test_batch_of_one_and_batch_normalisation_is_one_line():
    network = nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 2))
    with pytest.raises(UserError, match=r"training\.batch_size is 1: Expected more than 1 value"):
        train(Training(epochs=1, batch_size=1), network=network)


def test_class_weights_equal_scikit_learns_in_the_order_of_the_classes():
    from sklearn.utils.class_weight import compute_class_weight

    targets = np.array([2, 2, 2, 2, 0, 1, 1])
    expected = compute_class_weight("balanced", classes=np.arange(3), y=targets)
    np.testing.assert_allclose(class_weights(torch.from_numpy(targets), 3), expected, rtol=1e-6)


def test_class_without_items_weighs_nothing():
    weights = class_weights(torch.tensor([0, 0, 2]), 3)
    np.testing.assert_allclose(weights, [0.75, 0, 1.5])


def test_epochs_are_chosen_by_the_means_of_windows():
    windows = Part(
        ids=["a", "b"],
        items=np.array([[2.0], [-1.0], [-3.0], [1.0]], np.float32),
        targets=np.array([1, 1, 0, 0]),
        recordings=np.array([0, 0, 1, 1]),
        starts=np.array([0.0, 1, 0, 1]),
    )
    tensors = Tensors((torch.from_numpy(windows.items),), torch.from_numpy(windows.targets))
    logits = torch.cat([-tensors.items[0], tensors.items[0]], dim=1)
    assert tensors.uar(logits, 2) == 0.5  # of four windows, two are wrong
    by_recording = Tensors(tensors.items, tensors.targets, windows=windows)
    assert by_recording.uar(logits, 2) == 1.0


def test_networks_are_told_true_lengths():
    seen = []

    class Network(nn.Linear):
        def forward(self, items, lengths):
            seen.append((items.squeeze(1).tolist(), lengths.tolist()))
            return super().forward(items)

    lengths = torch.arange(6) + 1
    data = Tensors((lengths[:, None].float(),), torch.arange(6) % 2, (lengths,))
    train(Training(epochs=1, batch_size=2), network=Network(1, 2), train_on=data, dev=data)
    assert len(seen) == 6
    assert all(items == told for items, told in seen)
