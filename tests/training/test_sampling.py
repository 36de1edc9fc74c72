"""Which items an epoch sees: counts, evenness, and the generator's part."""

import pytest
import torch

from deepself.study.training import Training
from deepself.training.sampling import batches, order

COUNTS = (50, 7, 0, 20)
TARGETS = torch.repeat_interleave(torch.arange(4), torch.tensor(COUNTS))
BALANCED = Training(sampling="balanced")


def draw(settings=BALANCED, targets=TARGETS, seed=0, generator=None):
    generator = generator or torch.Generator().manual_seed(seed)
    return order(settings, targets, 4, generator)


def test_shuffled_is_one_permutation_of_torch_s():
    generator, same = (torch.Generator().manual_seed(3) for _ in range(2))
    assert torch.equal(draw(Training(), generator=generator), torch.randperm(77, generator=same))
    assert torch.equal(generator.get_state(), same.get_state())


def test_balanced_draws_each_class_equally_often():
    for seed in range(5):
        rows = draw(seed=seed)
        assert len(rows) == 77
        drawn = torch.bincount(TARGETS[rows], minlength=4).tolist()
        assert drawn[2] == 0
        assert sorted(drawn[:2] + drawn[3:]) == [25, 26, 26]


def test_balanced_draws_the_items_of_a_class_evenly():
    for seed in range(5):
        times = torch.bincount(draw(seed=seed), minlength=77)
        for kind in (0, 1, 3):
            of_class = times[kind == TARGETS]
            assert of_class.max() - of_class.min() <= 1
        assert times[TARGETS == 1].min() >= 3  # 25 draws of 7 items
        assert times[TARGETS == 0].max() == 1  # 25 draws of 50 items


def test_what_is_left_over_falls_on_others_in_each_epoch():
    generator = torch.Generator().manual_seed(0)
    epochs = [draw(generator=generator) for _ in range(40)]
    fewer = {int(torch.bincount(TARGETS[rows], minlength=4)[[0, 1, 3]].argmin()) for rows in epochs}
    assert fewer == {0, 1, 2}
    left_out = torch.stack([torch.bincount(rows, minlength=77) == 0 for rows in epochs])
    share = left_out[:, TARGETS == 0].float().mean(0)
    assert share.min() > 0.2 and share.max() < 0.8  # each item of the large class in its turn


def test_balanced_classes_are_mixed_within_an_epoch():
    kinds = TARGETS[draw()]
    assert (kinds[1:] != kinds[:-1]).sum() > 30  # by class there were two changes


def test_same_generator_same_rows_and_another_epoch_others():
    generator = torch.Generator().manual_seed(5)
    first, second = draw(generator=generator), draw(generator=generator)
    assert torch.equal(first, draw(seed=5))
    assert not torch.equal(first, second)


def test_balanced_goes_on_from_a_generator_s_state():
    generator = torch.Generator().manual_seed(5)
    draw(generator=generator)
    state = generator.get_state()
    expected = draw(generator=generator)
    restored = torch.Generator()
    restored.set_state(state)
    assert torch.equal(draw(generator=restored), expected)


def test_no_items_no_rows():
    assert len(draw(targets=torch.zeros(0, dtype=torch.int64))) == 0


@pytest.mark.parametrize(("items", "size"), [(33, 8), (17, 16), (5, 8), (2, 1), (1, 4)])
def test_batches_hold_each_item_once_and_differ_by_one_at_most(items, size):
    parts = batches(torch.randperm(items), size)
    assert sorted(torch.cat(parts).tolist()) == list(range(items))
    lengths = [len(part) for part in parts]
    assert max(lengths) <= size
    assert max(lengths) - min(lengths) <= 1


def test_no_batch_holds_one_item_unless_asked_for():
    for items in range(2, 12):
        for size in range(2, 6):
            assert min(len(part) for part in batches(torch.arange(items), size)) > 1
