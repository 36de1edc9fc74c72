"""Changes of waves and along time: shift, gain, noise, masks, lost channels."""

import pytest
import torch

from deepself.study.augmentation import (
    ChannelDropout,
    FrequencyMask,
    Gain,
    Noise,
    TimeMask,
    TimeShift,
)
from deepself.training.augment.items import Items
from deepself.training.augment.masks import (
    channel_dropout,
    frequency_mask,
    stretches,
    time_mask,
)
from deepself.training.augment.shifts import shifted, time_shift
from deepself.training.augment.waves import gain, noise, power
from tests.training.augmenting import generator, items, lengths

TIMED = ["waveform", "log_mel", "film"]


def time_of(given):
    """Values with time as the last axis."""
    return given.movedim(2, -1) if given.ndim == 5 else given


def rolls(before, after, length):
    """Steps by which the first so many are rolled."""
    before, after = time_of(before), time_of(after)
    return [
        step
        for step in range(length)
        if torch.equal(before[..., :length].roll(step, -1), after[..., :length])
    ]


@pytest.mark.parametrize("kind", TIMED)
@pytest.mark.parametrize("padded", [False, True])
def test_time_shift_is_a_roll_of_at_most_the_limit(kind, padded):
    full = items(kind).values.shape[items(kind).axis]
    given = items(kind, rows=300, true=lengths(300, full) if padded else None)
    result = time_shift(TimeShift(type="time_shift", limit=0.3), given, generator())
    assert torch.equal(given.silenced(result), result)
    seen = set()
    for before, after, length in zip(given.values, result, given.lengths.tolist(), strict=True):
        (step,) = rolls(before[None], after[None], length)
        step = step if step <= length / 2 else step - length
        assert abs(step) <= 0.3 * length + 1e-9
        seen.add(step)
    assert min(seen) < 0 < max(seen)
    if not padded:
        farthest = int(0.3 * full + 1e-9)
        assert seen == set(range(-farthest, farthest + 1))


def test_shift_by_nothing_and_by_a_whole_length_is_identity():
    given = items("waveform", rows=4, true=torch.tensor([40, 7, 20, 1]))
    assert torch.equal(shifted(given, torch.zeros(4, dtype=torch.int64)), given.values)
    assert torch.equal(shifted(given, given.lengths), given.values)


def test_gain_is_one_factor_an_item_within_the_decibels():
    given = items("waveform", rows=500, true=lengths(500, 40))
    result = gain(Gain(type="gain", decibels=(-6, 12)), given, generator())
    factor = result[:, 0, 0] / given.values[:, 0, 0]
    torch.testing.assert_close(result, given.values * factor[:, None, None])
    decibels = 20 * torch.log10(factor)
    assert decibels.min() >= -6.001 and decibels.max() <= 12.001
    assert decibels.mean() == pytest.approx(3, abs=0.8)
    assert decibels.var() == pytest.approx(18**2 / 12, rel=0.15)  # of an even distribution


def test_no_decibels_are_identity():
    given = items("waveform")
    assert torch.equal(gain(Gain(type="gain", decibels=(0, 0)), given, generator()), given.values)


@pytest.mark.parametrize("decibels", [-5.0, 10.0, 30.0])
@pytest.mark.parametrize("padded", [False, True])
def test_noise_has_the_ratio_to_each_channel_that_was_drawn(decibels, padded):
    loud = torch.tensor([0.01, 1.0, 7.0])[:, None]
    wave = torch.sin(torch.arange(40_000) / 5) * loud + 3 * loud  # a constant is no signal
    true = torch.tensor([40_000, 25_000, 30_000, 38_000]) if padded else None
    given = Items(wave.repeat(4, 1, 1), true, "wave")
    given = Items(given.silenced(given.values), true, "wave")
    setting = Noise(type="noise", snr=(decibels, decibels))
    added = noise(setting, given, generator()) - given.values
    assert torch.equal(given.silenced(added), added)
    signal = (wave - wave.mean(-1, keepdim=True)).square().mean(-1)
    for row, length in zip(added, given.lengths.tolist(), strict=True):
        heard = row[:, :length]
        ratio = 10 * torch.log10(signal / heard.square().mean(-1))
        torch.testing.assert_close(ratio, torch.full((3,), decibels), atol=0.15, rtol=0)
        assert heard.mean(-1).abs().max() < 0.02 * heard.std()
        neighbours = (heard[:, 1:] * heard[:, :-1]).mean(-1) / heard.var(-1)
        assert neighbours.abs().max() < 0.03  # white
    assert torch.corrcoef(added[0, :, :20_000]).triu(1).abs().max() < 0.03


def test_each_item_draws_its_own_ratio_evenly():
    given = Items(torch.randn(400, 1, 4000, generator=generator(5)), None, "wave")
    added = noise(Noise(type="noise", snr=(0, 20)), given, generator()) - given.values
    ratio = 10 * torch.log10(power(given)[:, 0, 0] / added.square().mean((1, 2)))
    assert ratio.min() > -0.5 and ratio.max() < 20.5
    assert ratio.mean() == pytest.approx(10, abs=0.9)
    assert ratio.std() == pytest.approx(20 / 12**0.5, rel=0.1)


def test_a_silent_channel_gets_no_noise():
    wave = torch.zeros(2, 2, 100)
    wave[:, 1] = torch.randn(100, generator=generator())
    result = noise(Noise(type="noise"), Items(wave, None, "wave"), generator())
    assert torch.equal(result[:, 0], wave[:, 0])
    assert not torch.equal(result[:, 1], wave[:, 1])


def test_a_stretch_is_contiguous_and_its_widths_and_places_are_even():
    long = torch.full((20_000,), 20)
    mask = stretches(1, 0.2, long, 25, generator())
    assert not mask[:, 20:].any()
    widths = mask.sum(1)
    shares = torch.bincount(widths, minlength=5) / len(mask)
    torch.testing.assert_close(shares, torch.full((5,), 0.2), atol=0.015, rtol=0)
    edges = mask.int().diff(dim=1, prepend=torch.zeros(len(mask), 1, dtype=torch.int32))
    assert ((edges == 1).sum(1) == (widths > 0)).all()  # one beginning each
    starts = mask[widths == 4].int().argmax(1)
    shares = torch.bincount(starts, minlength=17) / len(starts)
    torch.testing.assert_close(shares, torch.full((17,), 1 / 17), atol=0.02, rtol=0)


def test_several_stretches_hide_more():
    long = torch.full((3000,), 100)
    one, three = (stretches(count, 0.2, long, 100, generator()).double().mean() for count in (1, 3))
    assert one == pytest.approx(0.1, abs=0.01)
    assert 2.4 * one < three < 3 * one


@pytest.mark.parametrize("kind", TIMED)
@pytest.mark.parametrize("padded", [False, True])
def test_time_mask_hides_one_stretch_within_the_true_length(kind, padded):
    full = items(kind).values.shape[items(kind).axis]
    given = items(kind, true=lengths(64, full) if padded else None)
    result = time_mask(TimeMask(type="time_mask", size=0.5), given, generator())
    for before, after, length in zip(given.values, result, given.lengths.tolist(), strict=True):
        before, after = time_of(before[None]), time_of(after[None])
        hidden = (after != before).flatten(0, -2).any(0)
        assert not hidden[length:].any()
        assert hidden.sum() <= 0.5 * length
        assert (after[..., hidden] == 0).all()  # in all channels and bins
    assert (result != given.values).any(-1).flatten(1).any(1).double().mean() > 0.5


def test_frequency_mask_hides_one_band_in_all_frames():
    given = items("log_mel", rows=500, true=lengths(500, 30))
    setting = FrequencyMask(type="frequency_mask", size=0.25)
    result = frequency_mask(setting, given, generator())
    assert torch.equal(given.silenced(result), result)
    hidden = (result != given.values).any(3).any(1)  # (rows, bins)
    assert hidden.sum(1).unique().tolist() == [0, 1, 2, 3]  # a quarter of 12 bins
    for before, after, bins in zip(given.values, result, hidden, strict=True):
        assert (after[:, bins] == 0).all()
        assert torch.equal(after[:, ~bins], before[:, ~bins])


@pytest.mark.parametrize("padded", [False, True])
def test_what_is_not_normalised_is_hidden_behind_its_own_mean(padded):
    true = lengths(64, 30) if padded else None
    given = items("log_mel", true=true, mean=None)
    result = frequency_mask(FrequencyMask(type="frequency_mask", size=0.5), given, generator())
    assert torch.equal(given.silenced(result), result)
    for before, after, length in zip(given.values, result, given.lengths.tolist(), strict=True):
        before, after = before[..., :length], after[..., :length]
        hidden = (before != after)[0].any(1)
        own = before.mean((1, 2))[:, None, None].expand_as(after)
        torch.testing.assert_close(after[:, hidden], own[:, hidden])


def test_channels_are_dropped_by_their_share_and_one_is_kept():
    given = items("waveform", rows=20_000)
    share = 0.6
    setting = ChannelDropout(type="channel_dropout", share=share)
    result = channel_dropout(setting, given, generator())
    kept = (result != 0).all(2)
    assert torch.equal(kept, (result != 0).any(2))  # whole channels
    assert torch.equal(result, given.values * kept[..., None])
    assert kept.any(1).all()
    # Where all three would be dropped, one of them is not.
    expected = share - share**3 / 3
    torch.testing.assert_close(
        1 - kept.double().mean(0), torch.full((3,), expected).double(), atol=0.015, rtol=0
    )
    assert (kept.sum(1) == 3).double().mean() == pytest.approx((1 - share) ** 3, abs=0.01)


def test_a_single_channel_is_always_kept():
    given = Items(torch.randn(200, 1, 10, generator=generator()), None, "wave")
    setting = ChannelDropout(type="channel_dropout", share=0.9)
    assert torch.equal(channel_dropout(setting, given, generator()), given.values)
