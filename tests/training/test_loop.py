"""The loop: what is minimised, in which order, which epoch is kept, and when it ends."""

import math
import re
import shutil

import numpy as np
import pytest
import torch
from torch import nn

from deepself.errors import UserError
from deepself.study.training import Training
from deepself.training import loop as module
from deepself.training.course import HISTORY
from deepself.training.data import Part
from deepself.training.finite import Finite, NotFiniteError
from tests.training.toys import blobs, make_loop, partition, trained


@pytest.mark.parametrize("optimizer", ["adam", "sgd", "adamw"])
def test_learns_a_separable_problem(optimizer):
    done = trained(Training(epochs=20, batch_size=8, lr=0.05, optimizer=optimizer))
    assert done.course.history[-1][HISTORY.index("dev_uar")] == 1.0


def test_same_seed_same_weights():
    first, second, other = (trained(seed=seed).network for seed in (0, 0, 1))
    assert torch.equal(first.weight, second.weight)
    assert not torch.equal(first.weight, other.weight)


def test_training_items_are_shuffled_anew_in_each_epoch(monkeypatch):
    seen = []
    original = module.order
    monkeypatch.setattr(module, "order", lambda *args: seen.append(original(*args)) or seen[-1])
    trained(Training(epochs=3, batch_size=8))
    assert [sorted(order.tolist()) for order in seen] == [list(range(40))] * 3
    assert len({tuple(order.tolist()) for order in seen}) == 3


class Scripted(nn.Module):
    """Gives right dev predictions in chosen epochs only; its weight counts the epochs."""

    def __init__(self, right, scale):
        super().__init__()
        self.epoch = nn.Parameter(torch.zeros(1))
        self.right, self.scale, self.current = right, scale, 0

    def train(self, mode=True):
        if mode and not self.training:
            self.current += 1
        return super().train(mode)

    def forward(self, items):
        if self.training:
            return torch.zeros(len(items), 2) + self.epoch * 0
        with torch.no_grad():
            self.epoch.fill_(self.current)
        sign = 1 if self.current in self.right else -1
        strength = sign * self.scale.get(self.current, 1.0)
        return strength * torch.stack([-items[:, 0], items[:, 0]], 1)


def scripted(right, scale=None, **settings):
    network = Scripted(right, scale or {}).eval()
    targets = torch.tensor([0, 1] * 4)
    data = partition((2.0 * targets - 1)[:, None], targets)
    settings = Training(**{"epochs": 5, **settings})
    loop = make_loop(settings, network=network, train=data, dev=data)
    loop.run()
    loop.keep_best()
    return loop, network.epoch.item()


def test_best_epoch_is_that_of_the_highest_dev_uar():
    loop, kept = scripted({3})
    assert (loop.course.best.epoch, kept) == (3, 3.0)


def test_of_equal_uar_the_lower_dev_loss_wins():
    loop, kept = scripted({2, 4}, {4: 5.0})
    assert (loop.course.best.epoch, kept) == (4, 4.0)


def test_of_equals_the_earliest_wins():
    loop, kept = scripted({2, 4})
    assert (loop.course.best.epoch, kept) == (2, 2.0)


def test_patience_ends_it_after_so_many_epochs_without_a_better_one():
    loop, kept = scripted({2}, epochs=20, patience=3)
    assert (len(loop.course.history), loop.course.best.epoch, kept, loop.course.stopped) == (
        5,
        2,
        2.0,
        "patience",
    )


def test_a_lower_loss_alone_does_not_prolong_it():
    """Equal UAR, better loss: the best epoch moves, patience runs out."""
    scale = {epoch: 1.0 + epoch for epoch in range(1, 21)}
    loop, kept = scripted(set(range(2, 21)), scale, epochs=20, patience=3)
    assert (len(loop.course.history), loop.course.best.epoch, kept) == (5, 5, 5.0)


def test_epochs_end_it_otherwise():
    loop, _ = scripted({2}, epochs=4, patience=3)
    assert (len(loop.course.history), loop.course.stopped) == (4, "epochs")


def test_budget_ends_it_after_an_epoch():
    loop, _ = scripted({1}, epochs=10000, budget=1e-6)
    assert (len(loop.course.history), loop.course.stopped) == (1, "budget")


def test_who_watches_may_end_it():
    def watch(history):
        return "enough" if len(history) == 2 else None

    loop = make_loop(watch=watch)
    loop.run()
    assert (len(loop.course.history), loop.course.stopped) == (2, "enough")


def test_best_weights_include_buffers():
    network = nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 2))
    done = trained(Training(epochs=4, batch_size=8), network=network)
    assert network[0].num_batches_tracked == 5 * done.course.best.epoch


def test_loss_that_is_not_finite_names_epoch_batch_and_layer():
    class Explodes(nn.Sequential):
        steps = 0

        def forward(self, items):
            self.steps += self.training
            out = super().forward(items)
            return out * torch.inf if self.steps == 8 else out

    network = Explodes(nn.Linear(3, 3), nn.Linear(3, 2))
    loop = make_loop(network=network)  # five batches an epoch
    with pytest.raises(
        UserError,
        match=r"epoch 2, batch 3: the training loss is (nan|inf); the "
        r"largest gradient before was that of [01]\.(weight|bias), norm \d",
    ):
        loop.run()


def test_first_loss_that_is_not_finite_has_no_gradient_before():
    items = torch.full((40, 3), torch.nan)
    with pytest.raises(UserError, match=r"^epoch 1, batch 1: the training loss is nan; lower"):
        trained(train=partition(items, torch.arange(40) % 2))


def test_on_a_gpu_the_first_loss_that_is_not_finite_is_found_later():
    """As there, without waiting at each step: the batch and the layer are those of then."""
    network = nn.Linear(3, 2)
    watcher = Finite(network, lazily=True)
    for batch, loss in enumerate((1.0, 2.0, math.inf, math.nan, 3.0), start=1):
        watcher.look(torch.tensor(loss), batch)
        network.weight.grad = torch.full((2, 3), float(batch))
        network.bias.grad = torch.zeros(2)
    with pytest.raises(NotFiniteError) as found:
        watcher.check()
    assert (found.value.loss, found.value.batch) == (math.inf, 3)
    assert found.value.layer == f"weight, norm {2 * math.sqrt(6):.3g}"
    watcher.look(torch.tensor(1.0), 1)
    watcher.check()


def test_dev_loss_that_is_not_finite_stops_too():
    dev = partition(torch.full((20, 3), torch.inf), torch.arange(20) % 2)
    with pytest.raises(UserError, match="epoch 1: the dev loss is (nan|inf); lower training.lr"):
        trained(dev=dev)


def test_batch_of_one_and_batch_normalisation_is_one_line():
    network = nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 2))
    with pytest.raises(
        UserError,
        match=r"^batch normalisation cannot learn from 1 item at a time: .*"
        r"raise training\.batch_size",
    ):
        trained(Training(epochs=1, batch_size=1), network=network)


def test_epochs_are_chosen_by_the_means_of_windows():
    windows = Part(
        ids=["a", "b"],
        items=np.array([[2.0], [-1.0], [-3.0], [1.0]], np.float32),
        targets=np.array([1, 1, 0, 0]),
        recordings=np.array([0, 0, 1, 1]),
        starts=np.array([0.0, 1, 0, 1]),
    )
    items, targets = torch.from_numpy(windows.items), torch.from_numpy(windows.targets)
    logits = torch.cat([-items, items], dim=1)
    assert partition(items, targets).uar(logits, 2) == 0.5  # of four windows, two are wrong
    assert partition(items, targets, windows=windows).uar(logits, 2) == 1.0


def test_networks_are_told_true_lengths():
    seen = []

    class Network(nn.Linear):
        def forward(self, items, lengths):
            seen.append((items.squeeze(1).tolist(), lengths.tolist()))
            return super().forward(items)

    lengths = torch.arange(6) + 1
    data = partition(lengths[:, None].float(), torch.arange(6) % 2, lengths)
    trained(Training(epochs=1, batch_size=2), network=Network(1, 2), train=data, dev=data)
    assert len(seen) == 6
    assert all(items == told for items, told in seen)


def test_history_has_the_learning_rate_of_the_schedule():
    step = {"type": "step", "every": 2, "factor": 0.1}
    done = trained(Training(epochs=5, batch_size=8, lr=0.1, schedule=step))
    rates = [row[HISTORY.index("lr")] for row in done.course.history]
    assert rates == pytest.approx([0.1, 0.1, 0.01, 0.01, 0.001])


def test_averaged_weights_are_what_predicts():
    """With a decay near 1 hardly anything is averaged: the average differs from the weights."""
    settings = Training(epochs=3, batch_size=8, lr=0.5, averaging=0.999)
    done = trained(settings)
    plain = trained(settings.model_copy(update={"averaging": None}))
    assert not torch.equal(done.network.weight, plain.network.weight)
    loss = nn.functional.cross_entropy(done.logits(blobs(20, 1)), blobs(20, 1).targets)
    assert float(loss) == pytest.approx(done.course.best.loss)


def test_augmentation_changes_training_and_nothing_else():
    seen = {"train": [], "eval": []}

    class Network(nn.Linear):
        def forward(self, items):
            seen["train" if self.training else "eval"].append(items.clone())
            return super().forward(items)

    settings = Training(epochs=1, batch_size=8, augmentation=[{"type": "mix_up", "alpha": 1.0}])
    trained(settings, network=Network(3, 2))
    known = {tuple(row.tolist()) for row in next(iter(blobs().in_order(40))).items[0]}
    of_dev = {tuple(row.tolist()) for row in next(iter(blobs(20, 1).in_order(20))).items[0]}
    given = {tuple(row.tolist()) for batch in seen["train"] for row in batch}
    assert len(given & known) < 10
    assert {tuple(row.tolist()) for batch in seen["eval"] for row in batch} == of_dev


def test_crops_are_averaged_as_probabilities():
    network = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    items = torch.randn(6, 1, 8)
    data = partition(items, torch.arange(6) % 2)
    settings = Training(
        epochs=1, batch_size=3, crops=3, augmentation=[{"type": "random_crop", "size": 0.5}]
    )
    done = trained(settings, network=network, train=data, dev=data, kinds=("waveform",))
    parts = [items[:, :, start : start + 4] for start in (0, 2, 4)]
    expected = torch.stack([network(part).softmax(1) for part in parts]).mean(0)
    torch.testing.assert_close(done.logits(data).softmax(1), expected)


def test_precision_bf16_is_close_to_float32():
    settings = Training(epochs=4, batch_size=8, lr=0.05)
    plain = trained(settings)
    half = trained(settings.model_copy(update={"precision": "bf16"}))
    assert not torch.equal(plain.network.weight, half.network.weight)
    torch.testing.assert_close(plain.network.weight, half.network.weight, atol=0.05, rtol=0)


def test_channels_last_changes_the_layout_and_not_the_numbers():
    layouts = []

    class Network(nn.Sequential):
        def forward(self, items):
            layouts.append(items.is_contiguous(memory_format=torch.channels_last))
            return super().forward(items)

    def run(**settings):
        torch.manual_seed(0)
        network = Network(nn.Conv2d(2, 4, 3), nn.Flatten(), nn.Linear(4 * 16, 2))
        data = partition(torch.randn(8, 2, 6, 6), torch.arange(8) % 2)
        return trained(
            Training(epochs=2, batch_size=4, **settings), network=network, train=data, dev=data,
            kinds=("picture",),
        ).network[0].weight  # fmt: skip

    plain = run()
    assert not any(layouts)
    layouts.clear()
    torch.testing.assert_close(run(channels_last=True), plain, atol=1e-5, rtol=1e-5)
    assert all(layouts[:4])


@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler")
def test_compiled_it_gives_the_same_and_says_what_that_gains(capsys):
    settings = Training(epochs=3, batch_size=8, lr=0.05)
    plain = trained(settings)
    fast = trained(settings.model_copy(update={"compile": True}))
    torch.testing.assert_close(fast.network.weight, plain.network.weight, atol=1e-5, rtol=1e-5)
    said = [note for note in fast.notes if note.startswith("compiled in")]
    assert re.search(r"[\d.]+ ms a step, [\d.]+ ms without; it (is slower|pays from)", said[0])
    assert said[0] in capsys.readouterr().out


def test_what_cannot_be_compiled_is_one_line(monkeypatch):
    def fail(*_):
        raise RuntimeError("no compiler found\nand more")

    monkeypatch.setattr(torch, "compile", lambda network: fail)
    settings = Training(epochs=1, batch_size=8, compile=True)
    with pytest.raises(UserError, match=r"^training\.compile: torch cannot compile it here: no c"):
        trained(settings)
