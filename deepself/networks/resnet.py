"""ResNet-18, torchvision's own, for pictures and spectral images."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from deepself.networks._pretrained import PretrainedNetwork
from deepself.networks._torchvision import import_torchvision
from deepself.networks.base import check_input

IMAGENET_MEAN = (0.485, 0.456, 0.406)  # of red, green and blue in [0, 1]
IMAGENET_STD = (0.229, 0.224, 0.225)
# torchvision's names, in the order of its forward pass; the classifier, fc, comes after.
PARTS = ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4", "avgpool")


class ResNet18(PretrainedNetwork):
    """Residual network of 18 layers [1]_, its state dict in torchvision's layout.

    Parameters
    ----------
    input_shape
        ``(channels, height, width)``. Three channels are taken as they are and one is repeated
        three times. For any other number the first kernel is replaced by a new one of that many
        channels, freshly drawn, so pretrained weights do not fit.
    classes
        Number of classes.
    imagenet_normalisation
        Whether the network itself subtracts ImageNet's mean and divides by its standard deviation,
        for inputs in [0, 1]. Pretrained weights expect it.

    Raises
    ------
    ValueError
        For an input that is no image, or ImageNet's normalisation of anything but one or three
        channels.

    References
    ----------
    .. [1] K. He, X. Zhang, S. Ren, J. Sun, "Deep Residual Learning for Image Recognition", CVPR
       2016.
    """

    final = "fc"
    mean: Tensor
    std: Tensor
    fc: nn.Module

    def __init__(
        self,
        input_shape: tuple[int, ...],
        classes: int,
        *,
        imagenet_normalisation: bool = False,
    ) -> None:
        super().__init__()
        check_input("resnet18", input_shape, classes, (3,))
        channels = input_shape[0]
        if imagenet_normalisation and channels not in (1, 3):
            raise ValueError(
                f"resnet18: imagenet_normalisation is for 1 or 3 channels, not {channels}"
            )
        network = import_torchvision().models.resnet18(weights=None, num_classes=classes)
        if channels not in (1, 3):
            network.conv1 = _first_kernel(channels, network.conv1)
        # Taking its parts over, rather than the whole as one part, keeps torchvision's keys.
        for name in (*PARTS, "fc"):
            self.add_module(name, network.get_submodule(name))
        self.repeats = 3 if channels == 1 else 1
        self.embedding_size = network.fc.in_features
        self.imagenet_normalisation = imagenet_normalisation
        for name, values in (("mean", IMAGENET_MEAN), ("std", IMAGENET_STD)):
            buffer = torch.tensor(values).view(3, 1, 1)
            self.register_buffer(name, buffer, persistent=False)  # constants, in no state dict

    def embed(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Give the pooled maps of the last block, ``(batch, 512)``; ``lengths`` plays no part."""
        if self.repeats > 1:
            x = x.expand(-1, self.repeats, -1, -1)
        if self.imagenet_normalisation:
            x = (x - self.mean) / self.std
        for name in PARTS:
            x = self.get_submodule(name)(x)
        return x.flatten(start_dim=1)

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Give the logits ``(batch, classes)`` of ``x`` ``(batch, channels, height, width)``."""
        return self.fc(self.embed(x))


def _first_kernel(channels: int, published: nn.Conv2d) -> nn.Conv2d:
    """Draw a first convolution over other channels, sized and drawn as the published one is."""
    kernel = nn.Conv2d(channels, published.out_channels, 7, stride=2, padding=3, bias=False)
    nn.init.kaiming_normal_(kernel.weight, mode="fan_out", nonlinearity="relu")
    return kernel
