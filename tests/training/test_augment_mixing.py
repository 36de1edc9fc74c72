"""Mix-up and CutMix: what is mixed, by how much, and that the labels say so."""

import pytest
import torch
from scipy.stats import beta, kstest
from torch.nn.functional import one_hot

from deepself.study.augmentation import CutMix, MixUp
from deepself.training.augment.mixing import part
from deepself.training.batch import Batch
from tests.training.augmenting import augmenter, batch, generator, lengths

MIX_UP = MixUp(type="mix_up", alpha=0.7)
CUT_MIX = CutMix(type="cut_mix", alpha=1.0)


def own_class(rows):
    """A batch's targets, all different, so that shares name the partners."""
    return torch.arange(rows)


def partners_of(targets):
    """Each row's partner, and its share, from targets whose classes are the rows."""
    others = targets.clone().fill_diagonal_(-1)
    share, partner = others.max(1)
    alone = share <= 0
    partner[alone] = torch.arange(len(targets))[alone]
    return partner, share.clamp_min(0)


@pytest.mark.parametrize("kind", ["waveform", "log_mel", "picture", "film", "embedding"])
def test_mix_up_mixes_items_and_targets_by_the_same_share(kind):
    given = batch(kind)
    given = Batch(given.items, own_class(64), given.lengths)
    result = augmenter([MIX_UP], kind, classes=64)(given)
    assert result.targets.dtype == torch.float32
    torch.testing.assert_close(result.targets.sum(1), torch.ones(64))
    assert ((result.targets > 0).sum(1) <= 2).all()
    partner, share = partners_of(result.targets)
    assert sorted(partner.tolist()) == list(range(64))  # a permutation
    (x,) = given.items
    share = share.view(-1, *(1,) * (x.ndim - 1))
    torch.testing.assert_close(result.items[0], (1 - share) * x + share * x[partner])


@pytest.mark.parametrize("alpha", [0.2, 1.0, 4.0])
def test_share_of_mix_up_is_drawn_from_beta(alpha):
    rows = 5000
    flat = torch.zeros(rows, 1)
    given = Batch((flat,), torch.arange(rows) % 2)
    # With two classes only, rows of class 0 that are mixed with class 1 show their share.
    result = augmenter([MixUp(type="mix_up", alpha=alpha)], "embedding", classes=2)(given)
    own = result.targets[torch.arange(rows), given.targets]
    shown = own[own < 1].double().numpy()  # half have a partner of their own class
    assert 0.4 * rows < len(shown) < 0.6 * rows
    law = beta(alpha, alpha)
    inner = shown[(shown > 1e-6) & (shown < 1 - 1e-6)]
    low, high = law.cdf([1e-6, 1 - 1e-6])
    assert kstest(inner, lambda x: (law.cdf(x) - low) / (high - low)).pvalue > 0.001


def test_mix_up_of_several_inputs_has_one_partner_and_share():
    given = batch("picture", "embedding")
    given = Batch(given.items, own_class(64), given.lengths)
    result = augmenter([MIX_UP], "picture", "embedding", classes=64)(given)
    partner, share = partners_of(result.targets)
    for x, mixed in zip(given.items, result.items, strict=True):
        shares = share.view(-1, *(1,) * (x.ndim - 1))
        torch.testing.assert_close(mixed, (1 - shares) * x + shares * x[partner])


def test_mix_up_takes_the_longer_true_length():
    true = lengths(64, 30)
    given = batch("log_mel", true=true)
    given = Batch(given.items, own_class(64), given.lengths)
    half = MixUp(type="mix_up", alpha=2.0, probability=0.5)
    result = augmenter([half], "log_mel", classes=64)(given)
    partner, share = partners_of(result.targets)
    assert torch.equal(result.lengths[0], torch.maximum(true, true[partner]))
    alone = share == 0
    assert 20 < alone.sum() < 44
    assert torch.equal(result.items[0][alone], given.items[0][alone])
    assert torch.equal(result.targets[alone], one_hot(own_class(64), 64).float()[alone])


def pasted(given, result, partner):
    """Where each row shows its partner, in the first channel."""
    other = given.items[0][partner]
    where = (result.items[0] != given.items[0])[:, 0]
    assert torch.equal(result.items[0].movedim(1, 0)[:, where], other.movedim(1, 0)[:, where])
    return where


@pytest.mark.parametrize("kind", ["waveform", "log_mel", "film"])
@pytest.mark.parametrize("padded", [False, True])
def test_cut_mix_pastes_a_stretch_and_its_share_is_exact(kind, padded):
    rows, full = 200, batch(kind).items[0].shape[2 if kind == "film" else -1]
    true = lengths(rows, full) if padded else None
    given = batch(kind, rows=rows, true=true)
    given = Batch(given.items, own_class(rows), given.lengths)
    result = augmenter([CUT_MIX], kind, classes=rows)(given)
    partner, share = partners_of(result.targets)
    where = pasted(given, result, partner)
    steps = where if where.ndim == 2 else where.any(1 if kind == "log_mel" else -1)
    steps = steps if steps.ndim == 2 else steps.any(-1)
    true = torch.full((rows,), full) if true is None else true
    for row in range(rows):
        places = steps[row].nonzero()[:, 0]
        covered = len(places)
        if covered:
            assert places[-1] - places[0] + 1 == covered
            assert places[-1] < min(true[row], true[partner[row]])
        assert share[row].item() == pytest.approx(covered / true[row].item(), abs=1e-6)
    assert 0.2 < share.mean() < 0.5
    if padded:
        assert torch.equal(result.lengths[0], given.lengths[0])


def test_cut_mix_pastes_a_box_of_the_pictures_shape():
    rows = 300
    given = batch("picture", rows=rows)
    given = Batch(given.items, own_class(rows), given.lengths)
    result = augmenter([CUT_MIX], "picture", classes=rows)(given)
    partner, share = partners_of(result.targets)
    where = pasted(given, result, partner)
    height, width = where.any(2).sum(1), where.any(1).sum(1)
    assert torch.equal(height * width, where.sum((1, 2)))  # a box
    torch.testing.assert_close(share, where.double().mean((1, 2)).float())
    whole = (~where[:, 0].any(1)) & (~where[:, -1].any(1))  # not cut at top or bottom
    whole &= (~where[:, :, 0].any(1)) & (~where[:, :, -1].any(1)) & (height > 0)
    assert whole.sum() > 30
    assert ((height / 16 - width / 12).abs()[whole] < 0.09).all()  # within a pixel's rounding


def test_a_box_has_the_share_that_was_drawn():
    half = CutMix(type="cut_mix", alpha=1e12)  # always a half
    result = augmenter([half], "picture", classes=300)(
        Batch(batch("picture", rows=300).items, own_class(300))
    )
    _, share = partners_of(result.targets)
    assert share.max().item() == pytest.approx(11 * 8 / (16 * 12))  # √½ of each side


def test_a_part_is_the_share_before_it_is_cut_and_lies_anywhere():
    rows, length = 20_000, 11
    long = torch.full((rows,), length)
    start, end = part(long, torch.full((rows,), 3 / 11).double(), generator())
    assert start.min() == 0 and end.max() == length
    assert (end - start).unique().tolist() == [2, 3]
    assert ((end - start == 2) == ((start == 0) & (end == 2) | (start == 9))).all()
    middles = torch.bincount(start[end - start == 3], minlength=9)
    assert middles.double() / rows == pytest.approx(torch.full((9,), 1 / 11).double(), abs=0.01)
    nothing = part(long, torch.zeros(rows).double(), generator())
    assert torch.equal(*nothing)
    everything = part(torch.tensor([1]), torch.ones(1).double(), generator())
    assert [x.item() for x in everything] == [0, 1]


def test_mixings_compose():
    given = batch("picture")
    given = Batch(given.items, own_class(64), given.lengths)
    result = augmenter([MIX_UP, CUT_MIX], "picture", classes=64)(given)
    torch.testing.assert_close(result.targets.sum(1), torch.ones(64))
    assert ((result.targets > 0).sum(1) > 2).any()
    assert (result.targets > 0).sum(1).max() <= 4


def test_a_batch_of_one_stays_as_it_is():
    given = batch("log_mel", rows=1)
    result = augmenter([MIX_UP, CUT_MIX], "log_mel")(given)
    assert torch.equal(result.items[0], given.items[0])
    assert torch.equal(result.targets, one_hot(given.targets, 4).float())
