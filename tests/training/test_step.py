"""Steps in parts, and what goes wrong in them."""

import pytest
import torch
from torch import nn

from deepself.errors import UserError
from deepself.study.training import Training
from tests.training.toys import blobs, make_loop, partition, trained

SETTINGS = Training(epochs=3, batch_size=8, lr=0.05, class_weights="balanced", label_smoothing=0.1)


def uneven():
    targets = (torch.arange(39) % 3 == 0).long()
    items = torch.randn(39, 3, generator=torch.Generator().manual_seed(0)) + targets[:, None]
    return partition(items, targets)


@pytest.mark.parametrize("part", [1, 3, 4])
def test_gradients_of_parts_add_up_to_that_of_the_batch(part):
    whole = trained(SETTINGS, train=uneven())
    parts = trained(SETTINGS.model_copy(update={"micro_batch": part}), train=uneven())
    torch.testing.assert_close(parts.network.weight, whole.network.weight, atol=1e-5, rtol=1e-5)
    assert parts.course.history[-1][1] == pytest.approx(whole.course.history[-1][1], abs=1e-5)


@pytest.mark.parametrize("items", [7, 15])
def test_no_part_is_a_single_item_that_batch_normalisation_could_not_take(items):
    network = nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 2))
    for settings in ({"batch_size": 2}, {"batch_size": 5, "micro_batch": 2}):
        trained(Training(epochs=1, **settings), network=network, train=blobs(items))


@pytest.mark.parametrize("part", [1, 2, 3])
def test_a_part_that_is_not_finite_is_that_of_its_batch(part):
    items = torch.zeros(8, 3)
    items[:, 0] = torch.nan
    data = partition(items, torch.arange(8) % 2)
    settings = Training(epochs=1, batch_size=8, micro_batch=part)
    with pytest.raises(UserError, match="epoch 1, batch 1: the training loss is nan"):
        trained(settings, train=data)


def test_sgd_of_fp16_does_not_go_on_from_memory_that_nothing_has_written():
    """The first steps overflow, and are skipped; momenta then begin from 0."""

    def run(dirt):
        for size in (3, 8, 6, 2, 16, 24, 100):
            torch.full((size,), dirt)  # freed at once, and handed out again
        torch.manual_seed(0)
        network = nn.Sequential(nn.Linear(3, 8), nn.Linear(8, 2))
        settings = Training(epochs=3, batch_size=8, optimizer="sgd", lr=0.01, precision="fp16")
        data = blobs(gap=30.0)
        return trained(settings, network=network, train=data).course.history[-1][1]

    assert run(1e30) == run(7.0) == run(0.0)


def test_memory_that_does_not_hold_a_prediction_is_halved_too(capsys):
    class Network(nn.Linear):
        def forward(self, items):
            if not self.training and len(items) > 5:
                raise RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling")
            return super().forward(items)

    done = trained(SETTINGS, network=Network(3, 2), train=uneven())
    assert done.part == 4
    assert capsys.readouterr().out.count("out of memory") == 1


class Small(nn.Linear):
    """A network that fits into memory with some rows only."""

    rows = 3

    def forward(self, items):
        if self.training and len(items) > self.rows:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return super().forward(items)


def test_out_of_memory_halves_the_parts_and_says_so_once_each(capsys):
    torch.manual_seed(0)
    network = Small(3, 2)
    done = trained(SETTINGS, network=network, train=uneven())
    lines = [line for line in capsys.readouterr().out.splitlines() if "out of memory" in line]
    assert [line.split("computed ")[1].split()[0] for line in lines] == ["4", "2"]
    assert done.part == 2
    whole = trained(SETTINGS, train=uneven())
    torch.testing.assert_close(network.weight, whole.network.weight, atol=1e-5, rtol=1e-5)


def test_random_numbers_are_drawn_again_for_the_smaller_parts():
    """A batch that was tried in vain leaves no trace in the numbers that follow."""

    def run(first):
        torch.manual_seed(0)
        network = nn.Sequential(Small(3, 8), nn.Dropout(0.5), nn.Linear(8, 2))
        network[0].rows = 4
        settings = SETTINGS.model_copy(update={"micro_batch": first})
        return trained(settings, network=network, train=uneven()).network[0].weight

    assert torch.equal(run(8), run(4))


def test_a_single_item_that_does_not_fit_is_one_line():
    network = Small(3, 2)
    network.rows = 0
    with pytest.raises(UserError, match="does not hold a single item in training; choose"):
        trained(SETTINGS, network=network)


def test_the_gradient_is_clipped_over_all_weights():
    settings = Training(epochs=1, batch_size=40, lr=1.0, optimizer="sgd", momentum=0)
    free, clipped = make_loop(settings), make_loop(settings.model_copy(update={"clip_norm": 0.1}))
    before = [p.clone() for p in free.network.parameters()]
    moved = []
    for loop in (free, clipped):
        loop.run()
        moved.append([p - q for p, q in zip(loop.network.parameters(), before, strict=True)])
    norms = [float(torch.stack([m.detach().norm() for m in move]).norm()) for move in moved]
    assert norms[0] > 0.2
    assert norms[1] == pytest.approx(0.1, rel=1e-3)
    for one, other in zip(*moved, strict=True):
        torch.testing.assert_close(one / norms[0], other / norms[1], atol=1e-4, rtol=1e-3)


def test_an_operator_without_a_deterministic_form_is_named():
    class Network(nn.Linear):
        def forward(self, items):
            raise RuntimeError("put_ does not have a deterministic implementation, but you set X.")

    with pytest.raises(UserError, match="equal numbers each time: put_ does not have a determin"):
        trained(network=Network(3, 2))


def test_other_errors_are_not_swallowed():
    class Network(nn.Linear):
        def forward(self, items):
            raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    with pytest.raises(RuntimeError, match="mat1"):
        trained(network=Network(3, 2), train=blobs())
