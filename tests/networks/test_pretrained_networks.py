"""How published weights are loaded, and the AudioSet network's."""

import os
from pathlib import Path

import pytest
import torch

from deepself.networks import build
from deepself.networks._pictures import PictureNetwork
from deepself.networks.mobilenet_audioset import round_channels

WEIGHTS = "mn04_as_mAP_432.pt"
SMALL = (1, 128, 40)
# Mean, deviation and maximum of the embedding and of the logits of ones.
FIGURES = [[0.2280, 0.9557, 5.5135], [-8.1473, 6.1510, 9.0320]]


def published(network):
    """The network's weights under the keys that its publisher gives them."""
    state = network.state_dict()
    if isinstance(network, PictureNetwork):
        state = {network._published(key): value for key, value in state.items()}
    return state


def run(network, x):
    """What a network gives in training, with the same draws each time.

    In evaluation the running statistics of a fresh network are none, and deep ones give the same of
    any input.
    """
    torch.manual_seed(0)
    with torch.no_grad():
        given = network.train()(x)
    assert (given - given[0]).abs().max() > 1e-3, "the same for all"
    return given


def final_weight(network):
    parts = [part for part in network.classifier.modules() if isinstance(part, torch.nn.Linear)]
    return parts[-1].weight


@pytest.mark.parametrize(
    ("name", "shape", "final"),
    [
        ("mn04_as", SMALL, "classifier.5"),
        ("resnet18", (3, 32, 32), "fc"),
        ("mobilenet_v2", (3, 32, 32), "classifier.1"),
        ("efficientnet_lite0", (3, 32, 32), "_fc"),
        ("timm/test_efficientnet", (3, 32, 32), "classifier"),
        ("timm/test_vit", (3, 32, 32), "head"),
    ],
)
class TestLoading:
    def test_final_layer_stays_fresh_with_other_classes(self, name, shape, final):
        source, target = build(name, shape, 9), build(name, shape, 2)
        fresh = final_weight(target).clone()
        kept = target.load_pretrained(published(source))
        assert kept == [f"{final}.weight", f"{final}.bias"]
        assert torch.equal(final_weight(target), fresh)
        expected = source.state_dict()
        same = [k for k in expected if torch.equal(expected[k], target.state_dict()[k])]
        assert len(same) == len(expected) - 2

    def test_all_is_loaded_with_as_many_classes(self, name, shape, final):
        source, target = build(name, shape, 9), build(name, shape, 9)
        for value in source.buffers():
            value.add_(1)
        assert target.load_pretrained(published(source)) == []
        expected = source.state_dict()
        assert all(torch.equal(expected[key], v) for key, v in target.state_dict().items())
        x = torch.rand(3, *shape)
        assert torch.equal(run(source, x), run(target, x))

    def test_final_layer_may_not_be_absent(self, name, shape, final):
        source, target = build(name, shape, 9), build(name, shape, 9)
        state = {k: v for k, v in published(source).items() if not k.startswith(f"{final}.")}
        with pytest.raises(ValueError, match=rf"missing {final}.weight, {final}.bias$"):
            target.load_pretrained(state)

    def test_final_layer_may_not_read_something_else(self, name, shape, final):
        source, target = build(name, shape, 9), build(name, shape, 2)
        state = published(source)
        state[f"{final}.weight"] = torch.zeros(9, 7)
        with pytest.raises(ValueError, match=rf"of another shape {final}.weight \(9, 7\) for \(2,"):
            target.load_pretrained(state)

    def test_wrong_keys_and_shapes_are_listed_and_nothing_is_loaded(self, name, shape, final):
        network = build(name, shape, 9)
        state = {key: value + 1 for key, value in published(network).items()}
        state["other.weight"] = torch.zeros(1)
        first, second = [k for k in state if k.endswith("weight") and final not in k][:2]
        state[first] = torch.zeros(1, 2)
        del state[second]
        before = {key: value.clone() for key, value in network.state_dict().items()}
        with pytest.raises(ValueError) as error:
            network.load_pretrained(state)
        message = str(error.value)
        assert message.startswith("these weights do not fit ")
        assert f"missing {second};" in message and "surplus other.weight;" in message
        assert f"of another shape {first} (1, 2) for" in message and "\n" not in message
        assert all(torch.equal(before[key], value) for key, value in network.state_dict().items())

    def test_long_lists_are_cut(self, name, shape, final):
        with pytest.raises(ValueError, match=r"and \d+ more"):
            build(name, shape, 9).load_pretrained({})

    def test_batch_counters_may_be_absent(self, name, shape, final):
        network = build(name, shape, 9)
        state = {k: v for k, v in published(network).items() if "num_batches" not in k}
        assert network.load_pretrained(state) == []


def test_mn04_as_has_the_published_size():
    network = build("mn04_as", SMALL, 527)
    assert sum(parameter.numel() for parameter in network.parameters()) == 983_599
    assert network.embedding_size == 384
    norms = [m for m in network.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert {(norm.eps, norm.momentum) for norm in norms} == {(0.001, 0.01)}


def test_channels_are_rounded_to_multiples_of_eight():
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
