"""Random crops for training, and the parts that predictions are made of."""

import pytest
import torch

from deepself.study.augmentation import RandomCrop
from deepself.training.augment import Crops
from deepself.training.augment.crops import kept, places, random_crop
from deepself.training.batch import Batch
from tests.training.augmenting import SHAPES, augmenter, batch, items, lengths


def crop(kind, size, true=None, rows=300):
    given = items(kind, rows, true)
    setting = RandomCrop(type="random_crop", size=size)
    result = augmenter([setting], kind)(Batch((given.values,), torch.zeros(rows).long(), (true,)))
    return given, result


@pytest.mark.parametrize(("kind", "axis"), [("waveform", 2), ("log_mel", 3), ("film", 2)])
def test_a_crop_is_a_block_of_time_and_all_places_are_reached(kind, axis):
    given, result = crop(kind, 0.7)
    (cut,) = result.items
    full = given.values.shape[axis]
    length = round(0.7 * full)
    assert cut.shape[axis] == length
    seen = []
    for row in range(len(cut)):
        starts = [
            start
            for start in range(full - length + 1)
            if torch.equal(given.values[row].narrow(axis - 1, start, length), cut[row])
        ]
        assert len(starts) == 1
        seen += starts
    assert set(seen) == set(range(full - length + 1))
    assert result.lengths == (None,)


def test_a_crop_of_pictures_is_a_block_of_height_and_width():
    given, result = crop("picture", 0.75, rows=500)
    (cut,) = result.items
    assert cut.shape[1:] == (3, 12, 9)
    seen = set()
    for whole, part in zip(given.values, cut, strict=True):
        (place,) = [
            (y, x)
            for y in range(5)
            for x in range(4)
            if torch.equal(whole[:, y : y + 12, x : x + 9], part)
        ]
        seen.add(place)
    assert len(seen) == 20


def test_a_crop_lies_within_the_true_length():
    true = lengths(300, 40)
    given, result = crop("waveform", 0.5, true)
    (cut,), (left,) = result.items, result.lengths
    assert torch.equal(left, true.clamp_max(20))
    for whole, part, length, short in zip(given.values, cut, true, left, strict=True):
        starts = [
            start
            for start in range(max(length - 20, 0) + 1)
            if torch.equal(whole[:, start : start + short], part[:, :short])
        ]
        assert len(starts) == 1
        assert (part[:, short:] == 0).all() and (part[:, :short] != 0).all()


@pytest.mark.parametrize("kind", SHAPES)
@pytest.mark.parametrize("size", [0.01, 0.5, 0.8, 0.99])
def test_networks_are_built_for_the_shape_that_crops_have(kind, size):
    crops = Crops(size, 3, [kind])
    expected = crops.shape(SHAPES[kind], kind)
    given = batch(kind, rows=5)
    assert all(part.items[0].shape[1:] == expected for part in crops.parts(given))
    if kind != "embedding":
        _, result = crop(kind, size, rows=5)
        assert result.items[0].shape[1:] == expected
        changed = sum(a != b for a, b in zip(expected, SHAPES[kind], strict=True))
        assert changed <= (2 if kind == "picture" else 1)


def test_whole_items_are_one_part():
    given = batch("picture")
    assert Crops(None, 1, ()).parts(given)[0] is given
    assert Crops(None, 1, ()).shape((3, 4), "waveform") == (3, 4)


def test_a_crop_keeps_at_least_one_step():
    assert [kept(0.01, 10), kept(0.5, 10), kept(0.99, 10)] == [1, 5, 10]


def test_one_part_is_the_middle_and_several_go_from_first_to_last():
    ramp = torch.arange(41.0).expand(2, 1, 41)
    given = Batch((ramp,), torch.tensor([0, 1]))

    def starts(count):
        parts = Crops(0.5, count, ["waveform"]).parts(given)
        assert all(part.items[0].shape == (2, 1, 20) for part in parts)
        assert all((part.items[0].diff(dim=-1) == 1).all() for part in parts)
        assert all(torch.equal(part.targets, given.targets) for part in parts)
        return [part.items[0][0, 0, 0].item() for part in parts]

    assert starts(1) == [11]  # half of 21 places, rounded up
    assert starts(2) == [0, 21]
    assert starts(4) == [0, 7, 14, 21]


def test_parts_lie_within_true_lengths():
    ramp = torch.arange(1.0, 41).expand(3, 1, 40)
    true = torch.tensor([40, 10, 24])
    given = items("waveform", 3, true)
    padded = given.silenced(ramp)
    parts = Crops(0.5, 3, ["waveform"]).parts(Batch((padded,), torch.zeros(3).long(), (true,)))
    assert [part.lengths[0].tolist() for part in parts] == [[20, 10, 20]] * 3
    begins = [part.items[0][:, 0, 0].tolist() for part in parts]
    assert begins == [[1, 1, 1], [11, 1, 3], [21, 1, 5]]
    for part in parts:
        assert (part.items[0][1, 0, 10:] == 0).all() and (part.items[0][1, 0, :10] != 0).all()


def test_full_true_lengths_are_cropped_as_none():
    values = batch("log_mel").items[0]
    full = torch.full((64,), 30)
    crops = Crops(0.4, 4, ["log_mel"])
    for a, b in zip(
        crops.parts(Batch((values,), full)),
        crops.parts(Batch((values,), full, (full,))),
        strict=True,
    ):
        assert torch.equal(a.items[0], b.items[0])


def test_five_parts_of_a_picture_are_its_corners_and_middle():
    grid = torch.arange(25.0).view(1, 1, 5, 5)
    given = Batch((grid,), torch.tensor([0]))
    parts = Crops(0.6, 5, ["picture"]).parts(given)
    corners = [part.items[0][0, 0, 0, 0].item() for part in parts]
    assert corners == [0, 2, 6, 10, 12]
    assert torch.equal(parts[2].items[0][0, 0], grid[0, 0, 1:4, 1:4])


@pytest.mark.parametrize("count", range(1, 12))
@pytest.mark.parametrize("axes", [1, 2])
def test_places_are_all_different_from_first_to_last(count, axes):
    found = [places(number, count, axes) for number in range(count)]
    assert len(set(found)) == count
    if count > 1:
        assert found[0] == (0.0,) * axes and found[-1] == (1.0,) * axes
    assert all(0 <= share <= 1 for place in found for share in place)


def test_random_crop_is_reproducible():
    given = items("picture")
    setting = RandomCrop(type="random_crop")
    one, two, other = (
        random_crop(setting, given, torch.Generator().manual_seed(seed)) for seed in (3, 3, 4)
    )
    assert torch.equal(one.values, two.values)
    assert not torch.equal(one.values, other.values)
