"""torchvision's architectures: as torchvision has them, with the weights that it publishes."""

import re

import pytest
import torch
from torch import nn

from deepself.networks import build
from deepself.networks._torchvision import import_torchvision
from deepself.networks.registry import OTHER_NAMES, TORCHVISION
from deepself.networks.torchvision_networks import SMALLEST, _statistics
from tests.networks.cases_pictures import CASES, ON_PAPER
from tests.networks.test_picture_networks import close
from tests.networks.test_pretrained_networks import published, run

models = import_torchvision().models


def theirs(name, shape, classes=5, **settings):
    """torchvision's own network."""
    if name.startswith("vit"):
        settings["image_size"] = shape[1]
    if name == "googlenet":
        settings = {"aux_logits": False, "init_weights": True, **settings}
    return models.get_model(name, weights=None, num_classes=classes, **settings)


def on_paper(make, *args, **settings):
    with torch.device("meta"):
        return make(*args, **settings)


def layers(network):
    """Each layer with its settings, by its name."""
    parts = network.named_modules()
    return {name: str(part) for name, part in parts if not any(True for _ in part.children())}


@pytest.mark.parametrize("name", TORCHVISION)
def test_is_torchvisions(name):
    """In shapes and settings; the smallest of each family also in what it computes."""
    shape = (3, *CASES[name][1][1][1:])
    original = on_paper(theirs, name, shape)
    network = on_paper(build, name, shape, 5)
    shapes = {key: value.shape for key, value in original.state_dict().items()}
    assert {key: value.shape for key, value in published(network).items()} == shapes
    expected, found = layers(original), layers(network.backbone)
    assert expected.keys() == found.keys()
    changed = {key for key in expected if expected[key] != found[key]}
    assert changed - {"avgpool"} == {network.final[0]}
    if name in ON_PAPER:
        return
    torch.manual_seed(1)
    network = build(name, shape, 5)
    nn.init.normal_(network.classifier.weight)  # a vision transformer's starts with zeros
    original.load_state_dict(published(network), assign=True)
    read = []
    last = [part for part in original.modules() if isinstance(part, nn.Linear)][-1]
    last.register_forward_pre_hook(lambda _, inputs: read.extend(inputs))
    network.classifier.register_forward_pre_hook(lambda _, inputs: read.extend(inputs))
    x = torch.rand(3, *shape)
    assert torch.equal(run(network, x), run(original, x))
    assert torch.equal(*read)
    assert network.embedding_size == read[0].shape[1]


@pytest.mark.parametrize(
    ("name", "side"),
    [("resnet18", 32), ("mobilenet_v2", 32), ("googlenet", 32), ("vit_b_32", 32), ("alexnet", 64)],
)
def test_draws_torchvisions_weights(name, side):
    shape = (3, side, side)
    torch.manual_seed(3)
    ours = published(build(name, shape, 5))
    torch.manual_seed(3)
    expected = theirs(name, shape).state_dict()
    assert all(torch.equal(ours[key], expected[key]) for key in expected)


@pytest.mark.parametrize("alias", OTHER_NAMES)
def test_other_names(alias):
    other = on_paper(build, alias, (3, 32, 32), 5)
    network = on_paper(build, OTHER_NAMES[alias], (3, 32, 32), 5)
    assert published(other).keys() == published(network).keys()


@pytest.mark.parametrize("name", [name for name in TORCHVISION if not name.startswith("vit")])
def test_smallest_images(name):
    side = SMALLEST.get(re.match("[a-z]+", name)[0], 1)
    assert on_paper(build, name, (3, side, side + 9), 5) is not None
    if name in ON_PAPER and side == 1:  # passed in test_networks.py, and nothing is too small
        return
    original = on_paper(theirs, name, (3, side, side)).eval()
    if name not in ON_PAPER:
        assert original(torch.empty(2, 3, side, side, device="meta")).shape == (2, 5)
    if side > 1:
        with pytest.raises(ValueError, match=f"^{name} takes images of at least {side} rows and"):
            build(name, (3, side + 9, side - 1), 5)
        with pytest.raises(RuntimeError):
            original(torch.empty(2, 3, side + 9, side - 1, device="meta"))


@pytest.mark.parametrize("name", TORCHVISION)
def test_statistics_are_those_of_every_published_file(name):
    expected = (0.5,) * 3 if name in ("googlenet", "efficientnet_v2_l") else (0.485, 0.456, 0.406)
    assert _statistics(models, name).mean == expected
    if name != "googlenet":
        for weights in models.get_model_weights(name):
            if weights.name != "IMAGENET1K_FEATURES":  # VGG-16 without a classifier
                assert tuple(weights.transforms().mean) == expected


class TestGoogLeNet:
    def test_normalises_as_torchvision_does_for_its_published_weights(self):
        network = build("googlenet", (3, 64, 64), 5, imagenet_normalisation=True)
        original = theirs("googlenet", (3, 64, 64), transform_input=True)
        original.load_state_dict(published(network))
        x = torch.rand(3, 3, 64, 64)
        mean = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
        std = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
        close(run(network, x), run(original, (x - mean) / std))

    def test_its_auxiliary_classifiers_are_left_out_and_no_other(self):
        state = theirs("googlenet", (3, 64, 64), 9, aux_logits=True).state_dict()
        assert any(key.startswith("aux2.") for key in state)
        network = build("googlenet", (3, 64, 64), 9)
        assert network.load_pretrained(state) == []
        assert all(torch.equal(state[key], value) for key, value in published(network).items())
        state["aux3.fc1.weight"] = torch.zeros(1)
        with pytest.raises(ValueError, match="surplus aux3.fc1.weight$"):
            network.load_pretrained(state)


@pytest.mark.parametrize(
    ("name", "now", "older"),
    [
        ("densenet121", r"(denselayer\d+\.(?:norm|conv))([12])\.", r"\1.\2."),
        ("vit_b_32", r"\.mlp\.(0|3)\.", lambda m: f".mlp.linear_{1 if m[1] == '0' else 2}."),
    ],
)
def test_older_keys_are_known(name, now, older):
    expected = published(build(name, (3, 32, 32), 5))
    state = {re.sub(now, older, key): value for key, value in expected.items()}
    assert state.keys() != expected.keys()
    network = build(name, (3, 32, 32), 5)
    assert network.load_pretrained(state) == []
    assert all(torch.equal(expected[key], value) for key, value in published(network).items())


class TestVisionTransformer:
    def test_positions_of_another_image_size_are_interpolated(self):
        state = published(build("vit_b_32", (3, 96, 96), 5))
        network = build("vit_b_32", (3, 160, 160), 2)
        before = {key: value.clone() for key, value in state.items()}
        assert network.load_pretrained(state) == ["heads.head.weight", "heads.head.bias"]
        interpolate = models.vision_transformer.interpolate_embeddings
        expected = interpolate(160, 32, dict(state))["encoder.pos_embedding"]
        assert expected.shape == (1, 26, 768)
        assert torch.equal(network.backbone.encoder.pos_embedding, expected)
        assert all(torch.equal(before[key], state[key]) for key in state), "the given was changed"

    @pytest.mark.parametrize("positions", [(1, 9, 768), (1, 10, 700), (10, 768)])
    def test_positions_of_no_square_or_another_width_are_refused(self, positions):
        network = on_paper(build, "vit_b_32", (3, 64, 64), 5)
        state = {**published(network), "encoder.pos_embedding": torch.zeros(positions)}
        with pytest.raises(ValueError) as error:
            network.load_pretrained(state)
        assert "\n" not in str(error.value)

    @pytest.mark.parametrize(
        ("shape", "fits"),
        [
            ((3, 64, 96), (3, 96, 96)),
            ((1, 100, 100), (1, 128, 128)),
            ((2, 8, 8), (2, 32, 32)),
        ],
    )
    def test_refuses_what_its_patches_do_not_divide(self, shape, fits):
        with pytest.raises(ValueError) as error:
            build("vit_b_32", shape, 2)
        message = str(error.value)
        assert message.startswith("vit_b_32 takes square images whose sides are multiples of 32")
        assert f"as {fits}, not {shape}" in message and "\n" not in message
        on_paper(build, "vit_b_32", fits, 2)
