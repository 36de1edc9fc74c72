"""Cases of the networks trained on pictures; see test_networks.py.

The images are about the smallest that each takes: what costs time here are the numbers of weights.
"""

from deepself.networks.registry import OTHER_NAMES, TORCHVISION

# By the letters that names begin with; the others take any image.
SMALLEST = {"alexnet": 63, "convnext": 32, "densenet": 29, "googlenet": 15, "vgg": 32}
CHANNELS = {"resnet18": 2, "efficientnet_b0": 5, "densenet121": 5, "vit_b_32": 2, "vgg11_bn": 2}

# Smallest of a family -> those of the same layers, only more of them, or wider ones
LARGER = {
    "convnext_tiny": ("convnext_small", "convnext_base", "convnext_large"),
    "densenet121": ("densenet161", "densenet169", "densenet201"),
    "efficientnet_b0": tuple(f"efficientnet_b{number}" for number in range(1, 8)),
    "efficientnet_v2_s": ("efficientnet_v2_m", "efficientnet_v2_l"),
    "mobilenet_v3_small": ("mobilenet_v3_large", "mobilenet_v3"),
    "resnet18": ("resnet34",),
    "resnet50": (  # of blocks with a bottleneck
        "resnet101",
        "resnet152",
        "resnext50_32x4d",
        "resnext101_32x8d",
        "resnext101_32x8d_wsl",
        "resnext101_64x4d",
        "wide_resnet50_2",
        "wide_resnet101_2",
    ),
    # Without normalisation there is but a layer less.
    "vgg11_bn": ("vgg11", "vgg13", "vgg13_bn", "vgg16", "vgg16_bn", "vgg19", "vgg19_bn"),
    "vit_b_32": ("vit_b_16", "vit_l_16", "vit_l_32"),
}
ON_PAPER = {name for names in LARGER.values() for name in names}


def _shapes(name: str) -> list[tuple[int, int, int]]:
    channels = CHANNELS.get(name, 1)
    if name.startswith("vit"):
        patch = int(name[-2:])
        return [(3, patch, patch), (channels, 2 * patch, 2 * patch)]
    any_size = 1 if name in ON_PAPER else 8  # a pixel alone says little in numbers
    side = next((least for start, least in SMALLEST.items() if name.startswith(start)), any_size)
    return [(3, side, side), (channels, side + 1, side + 9)]


CASES: dict = {
    **{name: ({}, _shapes(name)) for name in (*TORCHVISION, *OTHER_NAMES)},
    "efficientnet_lite0": ({}, [(3, 9, 9), (1, 24, 17), (5, 16, 16)]),
}
LEARNS = {
    "resnet18": ((1, 4, 32), {}, 15, 1e-3),
    "efficientnet_lite0": ((1, 4, 32), {}, 20, 5e-3),
}
