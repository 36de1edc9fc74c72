"""Spectral images as pictures."""

import matplotlib
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from deepself.signal import render
from tests.signal.draws import SEEDS, noise

PLAIN = {"value_range": None, "colormap": "grey", "height": 8, "width": 8, "layout": "average"}


def draw(image, **options):
    return render(image, **(PLAIN | options))


@settings(deadline=None, max_examples=25)
@given(
    SEEDS,
    st.integers(1, 3),
    st.integers(1, 8),
    st.integers(1, 70),
    st.integers(1, 300),
    st.integers(1, 250),
    st.integers(1, 250),
    st.sampled_from(["grey", "viridis", "magma", "jet", "tab10"]),
    st.sampled_from(["average", "stack", "rgb"]),
    st.none() | st.tuples(st.floats(-80, -1), st.floats(0, 80)),
)
def test_pictures_have_their_shape_and_range_or_are_refused(
    seed, items, channels, bins, frames, height, width, colormap, layout, value_range
):
    image = torch.from_numpy(noise(seed, items, channels, bins, frames))
    options = {"colormap": colormap, "layout": layout, "height": height, "width": width}
    if layout == "rgb" and channels not in (2, 3):
        with pytest.raises(ValueError, match=f"2 or 3 channels, not {channels}"):
            draw(image, **options)
        return
    picture = draw(image, value_range=value_range, **options)
    colours = 1 if colormap == "grey" and layout != "rgb" else 3
    assert picture.shape == (items, colours, height, width)
    assert picture.dtype == torch.float32
    assert picture.min() >= 0
    assert picture.max() <= 1


@settings(deadline=None, max_examples=20)
@given(
    SEEDS,
    st.integers(1, 90),
    st.integers(1, 400),
    st.integers(1, 250),
    st.integers(1, 250),
)
def test_size_is_changed_as_pillow_does(seed, bins, frames, height, width):
    """Pillow's bilinear filter averages what is left out, too."""
    image = np.random.default_rng(seed).uniform(-80, 0, (1, 1, bins, frames)).astype(np.float32)
    picture = draw(torch.from_numpy(image), value_range=(-80, 0), height=height, width=width)
    upright = Image.fromarray(image[0, 0, ::-1] / 80 + 1)
    expected = np.asarray(upright.resize((width, height), Image.Resampling.BILINEAR))
    np.testing.assert_allclose(picture[0, 0].numpy(), expected, atol=1e-4)


@pytest.mark.parametrize("colormap", ["viridis", "magma", "jet", "gray", "coolwarm"])
def test_colours_are_matplotlibs(colormap):
    values = torch.rand(3, 1, 20, 30)
    picture = draw(values, value_range=(0.0, 1.0), colormap=colormap, height=20, width=30)
    expected = matplotlib.colormaps[colormap](values[:, 0].flip(1).numpy())[..., :3]
    np.testing.assert_allclose(picture.movedim(1, -1).numpy(), expected, atol=1e-6)


def test_lowest_frequency_is_at_the_bottom_and_the_first_frame_at_the_left():
    image = torch.zeros(1, 1, 8, 8)
    image[0, 0, 0, 0] = 1
    assert draw(image)[0, 0].argmax() == 7 * 8
    assert draw(image, colormap="viridis")[0, :, 7, 0] == pytest.approx(
        matplotlib.colormaps["viridis"](1.0)[:3]
    )


def test_values_are_resized_before_they_are_coloured():
    stripes = torch.tensor([0.0, 1.0]).repeat(8)[None, None, None].expand(1, 1, 8, 16)
    picture = draw(stripes, value_range=(0.0, 1.0), colormap="jet", height=1, width=1)
    assert picture.flatten() == pytest.approx(matplotlib.colormaps["jet"](0.5)[:3], abs=0.02)


def test_each_item_has_its_own_range_and_a_constant_one_is_dark():
    image = torch.rand(3, 2, 8, 8) * torch.tensor([1.0, 1e3, 0.0])[:, None, None, None] - 5
    picture = draw(image)
    assert picture.amin(dim=(1, 2, 3)).tolist() == [0, 0, 0]
    assert picture.amax(dim=(1, 2, 3)).tolist() == [1, 1, 0]
    alone = torch.cat([draw(item[None]) for item in image])
    torch.testing.assert_close(alone, picture)


def test_values_beyond_the_range_are_clipped():
    image = torch.tensor([-90.0, -60.0, -40.0, 10.0]).expand(1, 1, 4, 4)
    picture = draw(image, value_range=(-80, 0), height=4, width=4)
    torch.testing.assert_close(picture[0, 0, 0], torch.tensor([0.0, 0.25, 0.5, 1.0]))


def test_layouts():
    first, second = torch.zeros(4, 4), torch.zeros(4, 4)
    first[0], second[3] = 1.0, 0.5
    image = torch.stack([first, second])[None]
    options = {"value_range": (0.0, 1.0), "width": 4}
    stacked = draw(image, layout="stack", height=8, **options)[0, 0, :, 0]
    # The first channel above, each with its lowest row at its bottom.
    assert stacked.tolist() == [0, 0, 0, 1, 0.5, 0, 0, 0]
    averaged = draw(image, height=4, **options)[0, 0, :, 0]
    assert averaged.tolist() == [0.25, 0, 0, 0.5]
    colours = draw(image, layout="rgb", height=4, colormap="viridis", **options)[0, :, :, 0]
    assert colours.tolist() == [[0, 0, 0, 1], [0.5, 0, 0, 0], [0, 0, 0, 0]]
    thrice = draw(image[:, [0, 1, 0]], layout="rgb", height=4, **options)[0, :, :, 0]
    assert thrice.tolist() == [[0, 0, 0, 1], [0.5, 0, 0, 0], [0, 0, 0, 1]]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"colormap": "viridiss"}, "'viridiss' is not a colour map; the nearest is 'viridis'"),
        ({"colormap": "Magma"}, "the nearest is 'magma'"),
        ({"layout": "row"}, "'row' is not one of average, stack, rgb"),
        ({"height": 0}, r"height \(0\)"),
        ({"value_range": (0.0, -80.0)}, "must ascend, not go from 0 to -80"),
    ],
)
def test_refusals(options, message):
    with pytest.raises(ValueError, match=message):
        draw(torch.zeros(1, 1, 8, 8), **options)


@pytest.mark.parametrize("shape", [(8, 8), (1, 8, 8), (1, 1, 0, 8), (1, 1, 8, 0), (1, 0, 8, 8)])
def test_refuses_what_is_no_image(shape):
    with pytest.raises(ValueError, match="must be"):
        draw(torch.zeros(shape))
