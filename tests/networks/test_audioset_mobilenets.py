"""The AudioSet MobileNets, against torchvision's MobileNetV3 and the published sizes."""

import pytest
import torch
from torch import nn

from deepself.networks import build
from deepself.networks._torchvision import import_torchvision

# Width, and parameters in millions as EfficientAT's table has them.
PUBLISHED = {
    "mn04_as": (0.4, 0.983),
    "mn05_as": (0.5, 1.43),
    "mn10_as": (1.0, 4.88),
    "mn20_as": (2.0, 17.91),
    "mn30_as": (3.0, 39.09),
    "mn40_as": (4.0, 68.43),
}
CLASSES = 527  # AudioSet's


def reference(width, classes=CLASSES):
    """MobileNetV3-Large as torchvision has it, with what the publication changed."""
    import_torchvision()
    from torchvision.models.mobilenetv3 import MobileNetV3, _mobilenet_v3_conf
    from torchvision.ops.misc import SqueezeExcitation

    blocks, last = _mobilenet_v3_conf("mobilenet_v3_large", width_mult=width)
    network = MobileNetV3(blocks, last, num_classes=classes)
    first = network.features[0][0]
    network.features[0][0] = nn.Conv2d(1, first.out_channels, 3, 2, 1, bias=False)
    for module in network.modules():
        if isinstance(module, SqueezeExcitation):
            module.scale_activation = nn.Sigmoid()
    return network


def as_published(state):
    """Give torchvision's state dict the published names and shapes."""
    renamed = {}
    for key, value in state.items():
        parts = key.split(".")
        if parts[-2] in ("fc1", "fc2"):
            parts.insert(-2, "conc_se_layers.0")
            value = value.flatten(1) if value.dim() > 1 else value  # a 1x1 convolution there
        elif parts[0] == "classifier":
            parts[1] = str(int(parts[1]) + 2)
        renamed[".".join(parts)] = value
    return renamed


@pytest.mark.parametrize("name", PUBLISHED)
def test_layout_is_published(name):
    width, millions = PUBLISHED[name]
    with torch.device("meta"):
        ours = build(name, (1, 128, 100), CLASSES).state_dict()
        theirs = as_published(reference(width).state_dict())
    assert {k: v.shape for k, v in ours.items()} == {k: v.shape for k, v in theirs.items()}
    counted = sum(
        value.numel() for key, value in ours.items() if "running" not in key and "num_" not in key
    )
    digits = len(str(millions).split(".")[1])
    assert abs(counted / 1e6 - millions) < 10**-digits


@pytest.mark.parametrize("name", ["mn05_as", "mn10_as"])
def test_loads_published_weights_and_gives_their_logits(name):
    torch.manual_seed(0)
    theirs = reference(PUBLISHED[name][0], 7)
    for module in theirs.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(std=0.1)
            module.running_var.uniform_(0.01, 0.1)
    ours = build(name, (1, 128, 70), 7)
    assert ours.load_pretrained(as_published(theirs.state_dict())) == []
    x = torch.randn(2, 1, 128, 70)
    with torch.no_grad():
        expected = theirs.eval()(x)
        assert expected.std() > 1e-3
        torch.testing.assert_close(ours.eval()(x), expected, atol=1e-5, rtol=1e-4)
        assert torch.equal(ours.classifier(ours.embed(x)), ours(x))


def test_only_the_last_layer_differs_with_other_classes():
    source, target = build("mn05_as", (1, 128, 32), 9), build("mn05_as", (1, 128, 32), 2)
    kept = ["classifier.5.weight", "classifier.5.bias"]
    assert target.load_pretrained(source.state_dict()) == kept
    x = torch.rand(1, 1, 128, 32)
    assert torch.equal(source.eval().embed(x), target.eval().embed(x))


@pytest.mark.parametrize("name", PUBLISHED)
def test_errors_name_the_type(name):
    with pytest.raises(ValueError, match=rf"^{name} takes one channel .*not \(1, 64, 500\)$"):
        build(name, (1, 64, 500), 3)
    with pytest.raises(ValueError, match=f"^{name} takes images"):
        build(name, (128, 500), 3)


def test_weights_of_another_width_are_refused_by_name():
    with pytest.raises(ValueError, match="these weights do not fit mn05_as: of another shape"):
        build("mn05_as", (1, 128, 32), 3).load_pretrained(
            build("mn04_as", (1, 128, 32), 3).state_dict()
        )


def test_learns_a_separable_problem():
    torch.manual_seed(0)
    network = build("mn04_as", (1, 128, 16), 3)
    labels = torch.arange(24) % 3
    x = 0.3 * torch.randn(24, 1, 128, 16)
    for bin_, label in zip((20, 60, 100), range(3), strict=True):
        x[labels == label, :, bin_ : bin_ + 10] += 2
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-3)
    for _ in range(10):
        optimiser.zero_grad()
        nn.functional.cross_entropy(network(x), labels).backward()
        optimiser.step()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.reset_running_stats()
            module.momentum = None  # the plain mean: the published one settles slowly
    with torch.no_grad():
        network(x)
        assert (network.eval()(x).argmax(1) == labels).all()
