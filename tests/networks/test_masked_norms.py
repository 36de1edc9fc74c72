"""Normalisations that leave out what fills items up."""

import pytest
import torch
from torch import nn

from deepself.networks.layers import within
from deepself.networks.norms import build_norm, norm_groups
from deepself.networks.stages import NORMALISATIONS

LENGTHS = torch.tensor([9, 4, 6])


def affine(norm):
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    return norm


@pytest.mark.parametrize("channels", [1, 6, 7, 12, 24])
def test_groups_divide_the_channels(channels):
    expected = {1: 1, 6: 6, 7: 7, 12: 6, 24: 8}[channels]
    assert norm_groups("group", channels) == expected
    assert norm_groups("instance", channels) == channels
    assert norm_groups("layer", channels) == 1


@pytest.mark.parametrize(
    ("name", "reference"),
    [
        ("batch", lambda x: nn.functional.batch_norm(x, None, None, training=True)),
        ("instance", nn.functional.instance_norm),
        ("group", lambda x: nn.functional.group_norm(x, 6)),
        ("layer", lambda x: nn.functional.layer_norm(x, x.shape[1:])),
    ],
)
@pytest.mark.parametrize("sizes", [(9,), (5, 9), (9, 4, 3)])
def test_without_a_mask_they_are_torchs(name, reference, sizes):
    x = 3 + torch.randn(3, 12, *sizes)
    torch.testing.assert_close(build_norm(name, 12)(x), reference(x))


@pytest.mark.parametrize("name", ["instance", "group", "layer"])
@pytest.mark.parametrize(("sizes", "axis"), [((9,), 1), ((5, 9), 2), ((9, 4, 3), 1)])
def test_each_item_is_normalised_by_its_true_part(name, sizes, axis):
    norm = affine(build_norm(name, 12))
    x = 50 + torch.randn(3, 12, *sizes)
    together = norm(x, within(x, LENGTHS))
    for item, found, length in zip(x, together, LENGTHS.tolist(), strict=True):
        alone = norm(item.narrow(axis, 0, length).unsqueeze(0))[0]
        torch.testing.assert_close(found.narrow(axis, 0, length), alone, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("sizes", "axis"), [((9,), 2), ((5, 9), 3), ((9, 4, 3), 2)])
def test_batch_statistics_are_those_of_the_true_parts(sizes, axis):
    torch.manual_seed(0)
    masked, plain = affine(build_norm("batch", 4)), nn.BatchNorm1d(4)
    plain.load_state_dict(masked.state_dict())
    x = (50 + torch.randn(3, 4, *sizes)).requires_grad_()
    found = masked(x, within(x, LENGTHS))
    parts = [x[i : i + 1].narrow(axis, 0, n) for i, n in enumerate(LENGTHS.tolist())]
    expected = plain(torch.cat([part.flatten(2) for part in parts], dim=2))
    ours = [found[i : i + 1].narrow(axis, 0, n) for i, n in enumerate(LENGTHS.tolist())]
    ours = torch.cat([part.flatten(2) for part in ours], dim=2)
    torch.testing.assert_close(ours, expected, atol=1e-4, rtol=1e-4)
    for key, value in plain.state_dict().items():
        torch.testing.assert_close(masked.state_dict()[key], value, msg=key)
    weights = torch.randn_like(ours)
    (theirs,) = torch.autograd.grad((expected * weights).sum(), x, retain_graph=True)
    (mine,) = torch.autograd.grad((ours * weights).sum(), x)
    torch.testing.assert_close(mine, theirs, atol=1e-4, rtol=1e-3)


def test_evaluation_takes_the_running_statistics():
    norm = build_norm("batch", 4)
    x = torch.randn(3, 4, 9)
    norm(x, within(x, LENGTHS))
    norm.eval()
    assert torch.equal(norm(x, within(x, LENGTHS)), norm(x))


def test_half_precision_goes_in_and_out():
    for name in ("batch", "group"):
        norm = build_norm(name, 8)
        x = torch.randn(3, 8, 9)
        full = norm(x, within(x, LENGTHS))
        half = norm.bfloat16()(x.bfloat16(), within(x, LENGTHS))
        assert half.dtype == torch.bfloat16
        torch.testing.assert_close(half.float(), full, atol=0.05, rtol=0.05)


@pytest.mark.parametrize("name", ["batch", "instance", "group", "layer"])
def test_a_stage_of_fine_tuning_knows_them(name):
    assert isinstance(build_norm(name, 8), NORMALISATIONS)
    assert build_norm("none", 8) is None
