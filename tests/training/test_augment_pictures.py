"""Flips, affine maps, and torchvision's RandAugment."""

import numpy as np
import pytest
import torch

from deepself.networks._torchvision import import_torchvision
from deepself.study.augmentation import Affine, Flip, RandAugment
from deepself.training.augment.items import Items
from deepself.training.augment.pictures import affine, flip, moved
from deepself.training.augment.rand_augment import rand_augment
from deepself.training.batch import Batch
from tests.training.augmenting import augmenter, batch, generator, items, values

STILL = {"angle": 0.0, "shift": (0.0, 0.0), "scale": 1.0, "shear": 0.0}


def by(pictures, **changes):
    """Pictures that are all moved alike."""
    rows = len(pictures)
    numbers = {
        key: torch.tensor(value, dtype=torch.float64).expand(rows, *np.shape(value))
        for key, value in (STILL | changes).items()
    }
    return moved(pictures, **numbers)


@pytest.mark.parametrize("kind", ["picture", "film"])
@pytest.mark.parametrize(("direction", "axis"), [("horizontal", -1), ("vertical", -2)])
def test_flip_mirrors_some_items(kind, direction, axis):
    given = batch(kind, rows=400)
    setting = Flip(type="flip", direction=direction, probability=0.25)
    result = augmenter([setting], kind)(given)
    mirrored = given.items[0].flip(axis)
    which = (result.items[0] == mirrored).flatten(1).all(1)
    same = (result.items[0] == given.items[0]).flatten(1).all(1)
    assert torch.equal(which, ~same)
    assert which.double().mean() == pytest.approx(0.25, abs=0.06)


def test_flip_twice_is_identity():
    given = items("picture")
    setting = Flip(type="flip")
    once = flip(setting, given, generator())
    assert torch.equal(flip(setting, Items(once, None, "picture"), generator()), given.values)


def test_identity_map_is_identity():
    pictures = values("picture", 4)
    torch.testing.assert_close(by(pictures), pictures, atol=1e-5, rtol=0)
    still = Affine(type="affine", degrees=0, translate=0, scale=(1, 1), shear=0)
    torch.testing.assert_close(
        affine(still, items("picture"), generator()), items("picture").values, atol=1e-5, rtol=0
    )


@pytest.mark.parametrize("side", [6, 7])
def test_quarter_turns_of_a_square_are_exact(side):
    square = torch.rand(3, 2, side, side, generator=generator())
    for quarters in (1, 2, 3, -1):  # ours are clockwise
        turned = torch.rot90(square, -quarters, (2, 3))
        torch.testing.assert_close(by(square, angle=90.0 * quarters), turned, atol=1e-5, rtol=0)


def test_a_shift_is_a_share_of_each_side_and_repeats_the_edge():
    pictures = values("picture", 2)  # 16 high, 12 wide
    right = by(pictures, shift=(3 / 12, 0.0))
    torch.testing.assert_close(right[..., 3:], pictures[..., :-3], atol=1e-5, rtol=0)
    edge = pictures[..., :1].expand(-1, -1, -1, 3)
    torch.testing.assert_close(right[..., :3], edge, atol=1e-5, rtol=0)
    up = by(pictures, shift=(0.0, -2 / 16))
    torch.testing.assert_close(up[..., :-2, :], pictures[..., 2:, :], atol=1e-5, rtol=0)


def test_a_scale_above_one_enlarges():
    ramp = torch.linspace(-1, 1, 12).expand(1, 1, 16, 12)
    larger = by(ramp, scale=2.0)
    torch.testing.assert_close(larger, ramp / 2, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    "change",
    [
        {"angle": 20.0},
        {"shear": 15.0},
        {"scale": 0.7},
        {"angle": -33.0, "shift": (2 / 20, -1 / 14), "scale": 1.2, "shear": 9.0},
    ],
)
def test_affine_is_torchvisions(change):
    import_torchvision()
    from torchvision.transforms.v2 import functional

    pictures = torch.zeros(2, 3, 14, 20)  # of a black edge, as torchvision fills with black
    pictures[..., 3:-3, 4:-4] = torch.rand(2, 3, 8, 12, generator=generator())
    told = STILL | change
    theirs = functional.affine(
        pictures,
        angle=told["angle"],
        translate=[told["shift"][0] * 20, told["shift"][1] * 14],
        scale=told["scale"],
        shear=[told["shear"], 0.0],
        interpolation="bilinear",
    )
    torch.testing.assert_close(by(pictures, **change), theirs, atol=1e-4, rtol=0)


def test_affine_draws_within_its_limits_for_each_item():
    spot = torch.zeros(400, 1, 41, 41)
    spot[:, :, 20, 20] = 1.0
    setting = Affine(type="affine", degrees=180, translate=0.2, scale=(1, 1), shear=0)
    result = affine(setting, Items(spot, None, "picture"), generator())
    weight = result.sum((1, 2, 3))
    place = torch.arange(41.0) - 20
    right = (result.sum((1, 2)) * place).sum(1) / weight
    down = (result.sum((1, 3)) * place).sum(1) / weight
    for way in (right, down):
        assert way.abs().max() <= 0.2 * 41 + 0.5
        assert way.std() == pytest.approx(0.4 * 41 / 12**0.5, rel=0.1)
    assert abs(torch.corrcoef(torch.stack((right, down)))[0, 1]) < 0.15


def normalised(channels=3, rows=40):
    shape = (rows, channels, 16, 12)
    pictures = torch.rand(shape, generator=generator(2))
    mean = torch.full((channels, 1, 1), 0.4)
    deviation = torch.full((channels, 1, 1), 0.25)
    return Items((pictures - mean) / deviation, None, "picture", mean, deviation)


@pytest.mark.parametrize("channels", [1, 3])
def test_rand_augment_changes_pictures_within_their_range(channels):
    given = normalised(channels=channels)
    setting = RandAugment(type="rand_augment")
    result = rand_augment(setting, given, generator())
    pictures = result * 0.25 + 0.4
    assert pictures.min() > -1e-6 and pictures.max() < 1 + 1e-6
    changed = ((result - given.values).abs() > 1e-4).flatten(1).any(1)
    assert changed.double().mean() > 0.6


def test_rand_augment_draws_other_operations_for_each_item():
    one = torch.rand(1, 3, 16, 12, generator=generator(2)).expand(30, -1, -1, -1)
    given = Items(one, None, "picture")
    result = rand_augment(RandAugment(type="rand_augment", magnitude=20), given, generator())
    assert len({picture.numpy().tobytes() for picture in result}) > 20
    for row in result:
        assert row.min() >= 0 and row.max() <= 1


def test_rand_augment_works_on_what_pictures_were_before_normalisation():
    given = normalised()
    raw = Items(given.values * given.deviation + given.mean, None, "picture")
    setting = RandAugment(type="rand_augment", magnitude=12)
    torch.testing.assert_close(
        rand_augment(setting, given, generator()) * 0.25 + 0.4,
        rand_augment(setting, raw, generator()),
        atol=1e-2,  # equalize and posterize step at what the round trip moves by a last digit
        rtol=0,
    )


def test_rand_augment_is_torchvisions():
    import_torchvision()
    from torchvision.transforms import v2

    picture = torch.rand(1, 3, 16, 12, generator=generator(2))
    setting = RandAugment(type="rand_augment", operations=3, magnitude=30)
    ours = rand_augment(setting, Items(picture, None, "picture"), generator(4))
    seed = torch.randint(2**62, (1,), generator=generator(4)).item()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        theirs = v2.RandAugment(3, 30, 31)(picture[0])
    torch.testing.assert_close(ours[0], theirs.clamp(0, 1))


def test_magnitude_decides_how_much_is_changed():
    given = normalised(rows=150)

    def change(magnitude):
        setting = RandAugment(type="rand_augment", operations=1, magnitude=magnitude)
        result = rand_augment(setting, given, generator())
        return (result - given.values).abs().flatten(1).mean(1) * 0.25

    # At 0, only the operations without a magnitude remain, of which none moves a pixel far.
    none, some, most = (change(magnitude) for magnitude in (0, 9, 30))
    assert (none < 1e-5).double().mean() > 0.6
    assert none.mean() < 0.02
    assert none.mean() < 0.3 * some.mean() < 0.3 * most.mean()


def test_statistics_reach_the_augmenter_as_arrays():
    given = normalised()
    statistics = [(given.mean.numpy(), given.deviation.numpy())]
    setting = RandAugment(type="rand_augment", probability=0.5)
    changed = augmenter([setting], "picture", statistics=statistics)
    result = changed(Batch((given.values,), torch.zeros(40, dtype=torch.int64)))
    pictures = result.items[0] * 0.25 + 0.4
    assert pictures.min() > -1e-6 and pictures.max() < 1 + 1e-6
    same = (result.items[0] == given.values).flatten(1).all(1)
    assert 8 < same.sum() < 32
