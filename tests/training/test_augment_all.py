"""What holds for every augmentation of a study, and for all of them in a row."""

from typing import get_args

import numpy as np
import pytest
import torch
from pydantic import TypeAdapter

from deepself.study.augmentation import AnyAugmentation, MixUp, RandomCrop, sort_of
from deepself.training.augment import Crops
from deepself.training.augment.augmenter import CHANGES, MIXINGS
from deepself.training.batch import Batch
from tests.importing import imported
from tests.training.augmenting import SHAPES, augmenter, batch, generator, items, lengths

TYPES = get_args(get_args(AnyAugmentation)[0])
EVERY = [TypeAdapter(AnyAugmentation).validate_python({"type": name}) for name in (
    get_args(cls.model_fields["type"].annotation)[0] for cls in TYPES
)]  # fmt: skip
PAIRS = [(a, kind) for a in EVERY for kind in SHAPES if sort_of(kind) in a.sorts]
NAMES = [f"{setting.type}-{kind}" for setting, kind in PAIRS]
PADDED = [pair for pair in PAIRS if pair[1] in ("waveform", "log_mel", "film")]
PADDED_NAMES = [f"{setting.type}-{kind}" for setting, kind in PADDED]


def time_length(kind):
    return items(kind, 1).values.shape[items(kind, 1).axis]


def test_every_augmentation_is_implemented():
    assert {*CHANGES, *MIXINGS, RandomCrop} == set(TYPES)
    assert len(EVERY) == len(TYPES) == 12


@pytest.mark.parametrize(("setting", "kind"), PAIRS, ids=NAMES)
def test_equal_states_give_equal_bits_and_others_differ(setting, kind):
    given = batch(kind)
    before = [one.clone() for one in (*given.items, given.targets)]
    torch.manual_seed(5)
    state = torch.get_rng_state()
    one, again, other = (augmenter([setting], kind, seed=s)(given) for s in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), state)  # torch's own generator is not touched
    assert torch.equal(one.items[0], again.items[0])
    assert torch.equal(one.targets, again.targets)
    assert not torch.equal(one.items[0], other.items[0])
    for kept, now in zip(before, (*given.items, given.targets), strict=True):
        assert torch.equal(kept, now)  # the given batch is not changed
    assert one.items[0].dtype == torch.float32
    assert torch.isfinite(one.items[0]).all()


@pytest.mark.parametrize(("setting", "kind"), PAIRS, ids=NAMES)
def test_equal_items_draw_differently(setting, kind):
    rows = 24
    first = batch(kind, rows=1).items[0].expand(rows, *SHAPES[kind]).clone()
    if setting.type in ("mix_up", "cut_mix"):  # a partner that is alike changes nothing
        first[1::2] += 1
    given = Batch((first,), torch.arange(rows) % 4)
    result = augmenter([setting], kind)(given).items[0]
    least = 2 if setting.type == "flip" else 3
    assert len({item.numpy().tobytes() for item in result}) >= least


@pytest.mark.parametrize(("setting", "kind"), PAIRS, ids=NAMES)
def test_a_generator_that_is_set_back_goes_on_alike(setting, kind):
    given, source = batch(kind), generator(8)
    changed = augmenter([setting], kind)
    changed._generator = source
    changed(given)
    state = source.get_state()
    second = changed(given)
    fresh = augmenter([setting], kind)
    fresh._generator = generator(99)
    fresh._generator.set_state(state)
    again = fresh(given)
    assert torch.equal(second.items[0], again.items[0])
    assert torch.equal(second.targets, again.targets)


@pytest.mark.parametrize(
    ("setting", "kind"),
    [pair for pair in PAIRS if pair[0].type not in ("random_crop", "rand_augment")],
)
def test_probability_is_the_share_of_items_that_are_changed(setting, kind):
    always = augmenter([setting.model_copy(update={"probability": 1.0})], kind)
    often = augmenter([setting.model_copy(update={"probability": 0.4})], kind)
    given = batch(kind, rows=1500)

    def share(change):
        moved = (change(given).items[0] != given.items[0]).flatten(1).any(1)
        return moved.double().mean().item()

    # A mask may be 0 wide, a shift 0 far: not all that are chosen differ.
    assert share(often) == pytest.approx(0.4 * share(always), abs=0.05)


@pytest.mark.parametrize(("setting", "kind"), PADDED, ids=PADDED_NAMES)
def test_what_fills_items_up_stays_zero(setting, kind):
    true = lengths(64, time_length(kind))
    result = augmenter([setting], kind)(batch(kind, true=true))
    (left,) = result.lengths
    assert left.dtype == torch.int64 and (left >= 1).all()
    after = items(kind, true=left)
    now = type(after)(result.items[0], left, after.sort)
    assert torch.equal(now.silenced(now.values), now.values)
    if setting.type not in ("random_crop", "mix_up"):
        assert torch.equal(left, true)


@pytest.mark.parametrize(("setting", "kind"), PADDED, ids=PADDED_NAMES)
def test_what_fills_items_up_does_not_matter(setting, kind):
    """An item in a wider batch is changed as in a narrow one."""
    if setting.type in ("random_crop", "noise"):
        return  # a crop's size is a share of the whole, and noise is drawn for all of it
    short = time_length(kind) - 4
    true = lengths(64, short)
    wide = batch(kind, true=true)
    axis = items(kind).axis
    narrow = Batch((wide.items[0].narrow(axis, 0, short),), wide.targets, (true,))
    results = [augmenter([setting], kind)(given) for given in (wide, narrow)]
    cut = results[0].items[0].narrow(axis, 0, short)
    torch.testing.assert_close(cut, results[1].items[0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", SHAPES)
def test_all_that_suit_a_kind_go_one_after_the_other(kind):
    chain = [setting for setting in EVERY if sort_of(kind) in setting.sorts]
    result = augmenter(chain, kind)(batch(kind))
    assert result.items[0].isfinite().all()
    torch.testing.assert_close(result.targets.sum(1), torch.ones(64))


def test_order_is_that_of_the_study():
    mask, crop = (next(s for s in EVERY if s.type == name) for name in ("time_mask", "random_crop"))
    one, two = (
        augmenter(chain, "log_mel")(batch("log_mel")) for chain in ([mask, crop], [crop, mask])
    )
    assert not torch.equal(one.items[0], two.items[0])


def test_inputs_of_other_sorts_stay_as_they_are():
    given = batch("waveform", "picture", "embedding")
    chain = [s for s in EVERY if s.type in ("gain", "noise")]
    result = augmenter(chain, "waveform", "picture", "embedding")(given)
    assert not torch.equal(result.items[0], given.items[0])
    assert result.items[1] is given.items[1]
    assert result.items[2] is given.items[2]


def test_inputs_draw_for_themselves():
    given = batch("log_mel", "log_mel")
    given = Batch((given.items[0],) * 2, given.targets, (None, None))
    shift = next(s for s in EVERY if s.type == "time_shift")
    one, two = augmenter([shift], "log_mel", "log_mel")(given).items
    assert not torch.equal(one, two)


def test_an_augmenter_without_augmentations_is_false():
    assert not augmenter([], "picture")
    assert augmenter([MixUp(type="mix_up")], "picture")
    given = batch("picture")
    assert augmenter([], "picture")(given) is given


def test_statistics_decide_what_masks_show():
    mask = next(s for s in EVERY if s.type == "time_mask")
    given = batch("log_mel")
    mean, deviation = np.zeros((2, 1, 1), np.float64), np.ones((2, 1, 1), np.float64)
    normalised = augmenter([mask], "log_mel", statistics=[(mean, deviation)])(given).items[0]
    raw = augmenter([mask], "log_mel")(given).items[0]
    assert (normalised == 0).any()
    assert not (raw == 0).any()
    assert torch.equal(normalised == given.items[0], raw == given.items[0])


@pytest.mark.parametrize(
    ("setting", "kind", "padded"),
    [(*pair, False) for pair in PAIRS if pair[0].type != "rand_augment"]
    + [(*pair, True) for pair in PADDED],
)
def test_all_happens_on_the_device_of_the_batch(setting, kind, padded):
    given = batch(kind, true=lengths(64, time_length(kind)) if padded else None)
    changed, crops = augmenter([setting], kind), Crops(0.5, 3, [kind])
    # What is made without naming a device is made on this one, which mixes with no other.
    with torch.device("meta"):
        assert changed(given).items[0].device.type == "cpu"
        assert crops.parts(given)[2].items[0].device.type == "cpu"


def test_no_gradients_are_kept():
    given = batch("waveform")
    given.items[0].requires_grad_(True)
    assert not augmenter([EVERY[1]], "waveform")(given).items[0].requires_grad


def test_torchvision_is_imported_only_where_it_is_needed():
    heavy = ("torchvision", "scipy", "sklearn", "librosa", "pandas", "matplotlib")
    assert not imported("import deepself.training.augment", heavy)
