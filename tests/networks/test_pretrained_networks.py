"""Networks in the layout of published weights, and how those are loaded."""

import os
from pathlib import Path

import pytest
import torch

from deepself.networks import build
from deepself.networks._torchvision import import_torchvision
from deepself.networks.mobilenet_audioset import round_channels

WEIGHTS = "mn04_as_mAP_432.pt"
SMALL = (1, 128, 40)
# Mean, deviation and maximum of the embedding and of the logits of ones.
FIGURES = [[0.2280, 0.9557, 5.5135], [-8.1473, 6.1510, 9.0320]]


def published(classes=5, seed=3):
    torch.manual_seed(seed)
    return import_torchvision().models.resnet18(weights=None, num_classes=classes)


@pytest.mark.parametrize("channels", [3, 1])
def test_resnet18_is_torchvisions(channels):
    theirs, ours = published().eval(), build("resnet18", (channels, 48, 40), 5).eval()
    assert ours.load_pretrained(theirs.state_dict()) == []
    assert list(ours.state_dict()) == list(theirs.state_dict())
    x = torch.rand(2, channels, 48, 40)
    with torch.no_grad():
        assert torch.equal(ours(x), theirs(x.repeat(1, 3 // channels, 1, 1)))


def test_resnet18_draws_torchvisions_weights():
    torch.manual_seed(3)
    ours, theirs = build("resnet18", (3, 48, 40), 5).state_dict(), published().state_dict()
    assert all(torch.equal(ours[key], theirs[key]) for key in theirs)


def test_resnet18_normalises_as_imagenet():
    normalised = build("resnet18", (3, 32, 32), 5, imagenet_normalisation=True).eval()
    plain = build("resnet18", (3, 32, 32), 5).eval()
    plain.load_state_dict(normalised.state_dict())
    x = torch.rand(2, 3, 32, 32)
    mean = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    with torch.no_grad():
        torch.testing.assert_close(normalised(x), plain((x - mean) / std))


@pytest.mark.parametrize(
    ("name", "shape", "final"),
    [("resnet18", (3, 32, 32), "fc"), ("mn04_as", SMALL, "classifier.5")],
)
class TestLoading:
    def test_final_layer_stays_fresh_with_other_classes(self, name, shape, final):
        source, target = build(name, shape, 9), build(name, shape, 2)
        fresh = target.get_submodule(final).weight.clone()
        assert target.load_pretrained(source.state_dict()) == [f"{final}.weight", f"{final}.bias"]
        assert torch.equal(target.get_submodule(final).weight, fresh)
        x = torch.rand(1, *shape)
        assert torch.equal(source.eval().embed(x), target.eval().embed(x))

    def test_final_layer_may_not_be_absent(self, name, shape, final):
        source, target = build(name, shape, 9), build(name, shape, 9)
        state = {key: value for key, value in source.state_dict().items() if final not in key}
        with pytest.raises(ValueError, match=f"missing {final}.weight, {final}.bias"):
            target.load_pretrained(state)

    def test_wrong_keys_and_shapes_are_listed_and_nothing_is_loaded(self, name, shape, final):
        network = build(name, shape, 9)
        state = {key: value + 1 for key, value in network.state_dict().items()}
        first = next(iter(state))
        state["other.weight"] = torch.zeros(1)
        state[first] = torch.zeros(1, 2)
        second = [key for key in state if key.endswith("weight")][1]
        del state[second]
        before = {key: value.clone() for key, value in network.state_dict().items()}
        with pytest.raises(ValueError) as error:
            network.load_pretrained(state)
        message = str(error.value)
        assert f"missing {second};" in message and "surplus other.weight;" in message
        assert f"of another shape {first} (1, 2) for" in message and "\n" not in message
        assert all(torch.equal(before[key], value) for key, value in network.state_dict().items())

    def test_long_lists_are_cut(self, name, shape, final):
        with pytest.raises(ValueError, match=r"and \d+ more"):
            build(name, shape, 9).load_pretrained({})

    def test_batch_counters_may_be_absent(self, name, shape, final):
        network = build(name, shape, 9)
        state = {k: v for k, v in network.state_dict().items() if "num_batches" not in k}
        assert network.load_pretrained(state) == []


def test_resnet18_of_two_channels_refuses_published_weights():
    with pytest.raises(ValueError, match=r"of another shape conv1.weight \(64, 3, 7, 7\) for"):
        build("resnet18", (2, 32, 32), 5).load_pretrained(published().state_dict())


def test_mn04_as_has_the_published_size():
    network = build("mn04_as", SMALL, 527)
    assert sum(parameter.numel() for parameter in network.parameters()) == 983_599
    assert network.embedding_size == 384
    norms = [m for m in network.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert {(norm.eps, norm.momentum) for norm in norms} == {(0.001, 0.01)}


def test_other_widths():
    network = build("mn04_as", SMALL, 3, width=1.0).eval()
    assert network.embedding_size == 960
    assert network(torch.rand(1, *SMALL)).shape == (1, 3)
    assert [round_channels(n) for n in (1, 11, 12, 44.8, 92)] == [8, 16, 16, 48, 96]


def test_mn04_as_loads_the_published_weights():
    folders = [
        Path(os.environ[name]) / below
        for name, below in (("DEEPSELF_WEIGHTS", "."), ("DEEPSELF_DATA", "../weights"))
        if os.environ.get(name)
    ]
    path = next((f / WEIGHTS for f in folders if (f / WEIGHTS).is_file()), None)
    if path is None:
        pytest.skip(f"no {WEIGHTS}: set DEEPSELF_WEIGHTS to the folder that holds it")
    state = torch.load(path, weights_only=True, map_location="cpu")
    network = build("mn04_as", SMALL, 527).eval()
    shapes = {key: value.shape for key, value in network.state_dict().items()}
    assert {key: value.shape for key, value in state.items()} == shapes
    assert network.load_pretrained(state) == []
    with torch.no_grad():
        # Ones are no sound, but the figures hold the architecture's details in place: a stride, an
        # activation or an epsilon that differs moves them.
        outputs = network.embed(torch.ones(1, *SMALL)), network(torch.ones(1, *SMALL))
    figures = torch.tensor([[out.mean(), out.std(), out.max()] for out in outputs])
    torch.testing.assert_close(figures, torch.tensor(FIGURES), atol=1e-4, rtol=1e-3)
