"""What networks trained on pictures share: channels and normalisation."""

import pytest
import torch
from torch import nn

from deepself.networks import build
from deepself.networks._pictures import adapt_kernel
from tests.networks.test_pretrained_networks import published, run

# The name, and its first convolution's published key.
NETWORKS = [
    ("resnet18", "conv1.weight"),
    ("densenet121", "features.conv0.weight"),
    ("efficientnet_lite0", "_conv_stem.weight"),
    ("timm/test_efficientnet", "conv_stem.weight"),
    ("timm/test_vit", "patch_embed.proj.weight"),
]
STATISTICS = {
    "resnet18": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "googlenet": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    "efficientnet_lite0": ((127 / 255,) * 3, (128 / 255,) * 3),
    "timm/resnet10t": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "timm/test_vit": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
}


def close(first, second):
    torch.testing.assert_close(first, second, atol=1e-4, rtol=1e-3)


@pytest.fixture(scope="module", params=NETWORKS, ids=[name for name, _ in NETWORKS])
def coloured(request):
    """A network of three channels, and the key of its first kernel."""
    name, first = request.param
    torch.manual_seed(0)
    return name, first, build(name, (3, 48, 32), 5)


def first_maps(network, first, x):
    """What the first convolution gives."""
    maps = []
    convolution = network.backbone.get_submodule(first.removesuffix(".weight"))
    hook = convolution.register_forward_hook(lambda _, inputs, output: maps.append(output))
    network(x)
    hook.remove()
    return maps[0]


def test_one_channel_is_as_three_equal_ones(coloured):
    name, first, network = coloured
    x = torch.rand(3, 1, 48, 32)
    colours = x.expand(-1, 3, -1, -1)
    for choice in (None, "replicate"):
        grey = build(name, (1, 48, 32), 5, input_channels=choice)
        assert grey.load_pretrained(published(network)) == []
        assert torch.equal(run(grey, x), run(network, colours))
    grey = build(name, (1, 48, 32), 5, input_channels="kernel")
    assert grey.load_pretrained(published(network)) == []
    assert published(grey)[first].shape[1] == 1
    close(first_maps(grey, first, x), first_maps(network, first, colours))


@pytest.mark.parametrize("channels", [2, 4, 7])
def test_several_channels_take_the_colours_kernels_in_turn(coloured, channels):
    name, first, network = coloured
    other = build(name, (channels, 48, 32), 5)
    assert other.load_pretrained(published(network)) == []
    kernel, adapted = published(network)[first], published(other)[first]
    for channel in range(channels):
        close(adapted[:, channel], kernel[:, channel % 3] * 3 / channels)
    # Weights that have these channels already are taken as they are.
    again = build(name, (channels, 48, 32), 5)
    assert again.load_pretrained(published(other)) == []
    x = torch.rand(3, channels, 48, 32)
    assert torch.equal(run(again, x), run(other, x))


def test_three_channels_are_as_they_are(coloured):
    name, _, network = coloured
    for choice in ("replicate", "kernel"):
        other = build(name, (3, 48, 32), 5, input_channels=choice)
        shapes = {key: value.shape for key, value in network.state_dict().items()}
        assert {key: value.shape for key, value in other.state_dict().items()} == shapes


def test_six_equal_channels_are_as_three():
    kernel = torch.rand(4, 3, 5, 5)
    x = torch.rand(1, 1, 9, 9)
    close(
        nn.functional.conv2d(x.expand(-1, 6, -1, -1), adapt_kernel(kernel, 6)),
        nn.functional.conv2d(x.expand(-1, 3, -1, -1), kernel),
    )


def test_first_kernel_of_other_colours_than_three_is_refused(coloured):
    name, first, network = coloured
    state = published(network)
    state[first] = state[first][:, :2]
    with pytest.raises(ValueError, match=f"of another shape {first}"):
        build(name, (5, 48, 32), 5).load_pretrained(state)


@torch.no_grad()
def test_a_fresh_kernel_is_drawn_as_large_as_the_networks_own():
    x = torch.randn(4, 12, 64, 64)
    sizes = []
    for channels in (1, 3, 12):
        torch.manual_seed(0)
        network = build("resnet18", (channels, 64, 64), 2, input_channels="kernel")
        sizes.append(network.backbone.conv1(x[:, :channels]).std())
    assert max(sizes) < 1.1 * min(sizes)
    kernel = network.backbone.conv1.weight
    assert not torch.equal(kernel[:, 0], kernel[:, 3]), "drawn, not repeated"


def test_normalisation_needs_no_three_channels():
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    for shape, choice, turns in (
        ((3, 32, 32), None, [0, 1, 2]),
        ((1, 32, 32), None, [0, 1, 2]),
        ((2, 32, 32), None, [0, 1]),
        ((5, 32, 32), "kernel", [0, 1, 2, 0, 1]),
    ):
        network = build("resnet18", shape, 2, input_channels=choice, imagenet_normalisation=True)
        close(network.mean.flatten(), mean[turns])
        close(network.std.flatten(), std[turns])
    grey = build("resnet18", (1, 32, 32), 2, input_channels="kernel", imagenet_normalisation=True)
    close(grey.mean.flatten(), mean.mean()[None])
    close(grey.std.flatten(), std.mean()[None])


@pytest.mark.parametrize("name", STATISTICS)
def test_normalises_as_in_training(name):
    mean, std = (torch.tensor(constants).view(3, 1, 1) for constants in STATISTICS[name])
    x = torch.rand(2, 3, 32, 32)
    for chosen, expected in ((True, (x - mean) / std), (False, x), (None, x)):
        read = []
        network = build(name, (3, 32, 32), 5, imagenet_normalisation=chosen)
        network.backbone.register_forward_pre_hook(lambda _, inputs, read=read: read.extend(inputs))
        network(x)
        close(read[0], expected)


@pytest.mark.parametrize("name", STATISTICS)
def test_refuses(name):
    for shape, choice, words in (
        ((2, 32, 32), "replicate", "replicate is for one channel, not 2; use kernel"),
        ((1, 32, 32), "repeat", "input_channels is replicate or kernel, not 'repeat'"),
        ((3, 32), None, "takes images"),
    ):
        with pytest.raises(ValueError) as error:
            build(name, shape, 2, input_channels=choice)
        message = str(error.value)
        assert message.startswith(name) and words in message and "\n" not in message
