"""timm's architectures: as timm has them, with the weights that it publishes."""

import sys

import pytest
import torch

from deepself.networks import build
from deepself.networks._torchvision import import_torchvision
from tests.networks.test_pretrained_networks import published, run

import_torchvision()  # before timm, which imports it
import timm  # noqa: E402

# One a family: convolutions, padded as TensorFlow's, 1x1 instead of a final linear layer; layers
# after pooling; patches; several final layers.
ARCHITECTURES = [
    ("resnet10t", (64, 48)),
    ("efficientnet_lite0", (64, 48)),
    ("tf_efficientnet_lite0", (64, 48)),
    ("mobilenetv3_small_050", (64, 48)),
    ("convnext_atto", (64, 48)),
    ("resnetv2_18", (64, 48)),
    ("vit_tiny_patch16_224", (64, 48)),
    ("swin_tiny_patch4_window7_224", (64, 48)),
    ("deit_tiny_distilled_patch16_224", (64, 48)),
    ("crossvit_tiny_240", (240, 240)),
    ("levit_128s", (224, 224)),
]


@torch.no_grad()
def theirs(architecture, classes=7, **settings):
    """timm's own network, its weights moved away from where all final layers are alike."""
    torch.manual_seed(2)
    network = timm.create_model(architecture, num_classes=classes, **settings).eval()
    for parameter in network.parameters():
        parameter.add_(0.02 * torch.randn_like(parameter))
    return network


@pytest.mark.parametrize(("architecture", "size"), ARCHITECTURES)
def test_is_timms(architecture, size):
    fixed = timm.models.get_pretrained_cfg(architecture).fixed_input_size
    original = theirs(architecture, **({"img_size": size} if fixed else {}))
    network = build(f"timm/{architecture}", (3, *size), 7)
    assert network.load_pretrained(original.state_dict()) == []
    x = torch.rand(3, 3, *size)
    torch.testing.assert_close(run(network, x), run(original, x), atol=1e-5, rtol=1e-5)
    embedding = network.eval().embed(x)
    assert embedding.shape == (3, network.embedding_size)
    other = build(f"timm/{architecture}", (3, *size), 2).eval()
    kept = other.load_pretrained(original.state_dict())
    finals = timm.models.get_pretrained_cfg(architecture).classifier
    finals = (finals,) if isinstance(finals, str) else finals
    assert {key.rpartition(".")[0] for key in kept} == set(finals)
    expected = network.state_dict()
    same = [key for key, v in other.state_dict().items() if torch.equal(v, expected[key])]
    assert len(same) == len(expected) - len(kept)


def test_draws_timms_weights():
    torch.manual_seed(0)
    original = timm.create_model("resnet10t", num_classes=7).state_dict()
    torch.manual_seed(0)
    ours = published(build("timm/resnet10t", (3, 32, 32), 7))
    assert all(torch.equal(ours[key], original[key]) for key in original)


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("timm/test_efficientnet", (3, 9, 9)),
        ("timm/test_efficientnet", (1, 20, 31)),
        ("timm/test_vit", (5, 32, 48)),
    ],
)
def test_gives_logits_and_gradients(name, shape):
    network = build(name, shape, 4)
    logits = network(torch.rand(3, *shape))
    assert logits.shape == (3, 4)
    torch.nn.functional.cross_entropy(logits, torch.tensor([0, 1, 2])).backward()
    assert all(parameter.grad.isfinite().all() for parameter in network.parameters())


def test_statistics_are_those_of_the_tag():
    for tag, mean in (("", 0.485), (".miil_in21k", 0.0), (".ra_in1k", 0.485)):
        name = f"timm/mobilenetv3_large_100{tag}"
        network = build(name, (3, 32, 32), 2, imagenet_normalisation=True)
        assert network.mean[0].item() == pytest.approx(mean)


@torch.no_grad()
def test_positions_of_another_image_size_are_resampled():
    original = theirs("vit_tiny_patch16_224")
    target = timm.create_model("vit_tiny_patch16_224", num_classes=7, img_size=(64, 48)).eval()
    convert = timm.models.vision_transformer.checkpoint_filter_fn
    target.load_state_dict(convert(original.state_dict(), target))
    network = build("timm/vit_tiny_patch16_224", (3, 64, 48), 7).eval()
    assert network.load_pretrained(original.state_dict()) == []
    x = torch.rand(2, 3, 64, 48)
    assert torch.equal(network(x), target(x))


def test_weights_published_without_a_classifier_leave_it_fresh():
    name, shape = "timm/vit_small_patch14_dinov2", (3, 28, 28)
    state = published(build(name, shape, 2))
    bare = {key: value for key, value in state.items() if not key.startswith("head.")}
    network = build(name, shape, 2)
    fresh = network.classifier.weight.clone()
    assert network.load_pretrained(bare) == ["head.weight", "head.bias"]
    assert torch.equal(network.classifier.weight, fresh)
    assert torch.equal(network.backbone.pos_embed, state["pos_embed"])


REFUSALS = [
    # architecture, input shape, words of the message
    ("resnet10", (3, 32, 32), ["no architecture 'resnet10': did you mean 'resnet10t'?"]),
    ("zzzz", (3, 32, 32), ["no architecture 'zzzz'"]),
    ("resnet10t.a1", (3, 32, 32), ["no weights 'resnet10t.a1' (known: c3_in1k)"]),
    ("convnext_atto", (3, 32, 31), ["at least 32 rows and columns, not (3, 32, 31)"]),
    ("convnext_atto", (1, 20, 64), ["at least 32 rows and columns, not (1, 20, 64)"]),
    ("vit_tiny_patch16_224", (3, 9, 64), ["images such as (3, 224, 224), but not (3, 9, 64): "]),
    ("test_vit", (3, 50, 64), ["images such as (3, 160, 160), but not (3, 50, 64): "]),
    ("dla34", (3, 50, 64), ["images such as (3, 224, 224), but not (3, 50, 64): "]),
    ("volo_d1_224", (3, 224, 224), ["weighs several classifiers (head, aux_head)"]),
    ("gemma4_vit_167m_enc", (3, 224, 224), ["has no linear classifier"]),
    ("levit_384_s8", (3, 224, 224), ["gives no logits of images (3, 224, 224): "]),
    ("resnet10t", (3, 32), ["timm/resnet10t takes images"]),
]


@pytest.mark.parametrize(("architecture", "shape", "words"), REFUSALS)
def test_refuses(architecture, shape, words):
    with pytest.raises(ValueError) as error, torch.device("meta"):
        build(f"timm/{architecture}", shape, 2)
    message = str(error.value)
    assert "timm" in message and "\n" not in message
    assert [word for word in words if word not in message] == [], message


def test_says_where_timm_is_not_installed(monkeypatch):
    monkeypatch.delitem(sys.modules, "timm")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ValueError, match="^timm/resnet10t needs timm, .* pip install timm$"):
        build("timm/resnet10t", (3, 32, 32), 2)
