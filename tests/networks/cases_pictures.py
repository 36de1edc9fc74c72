"""Cases of the networks trained on pictures; see test_networks.py.

The images are about the smallest that each takes: what costs time here are the numbers of weights.
"""

from deepself.networks.registry import OTHER_NAMES, TORCHVISION

# By the letters that names begin with; the others take any image.
SMALLEST = {"alexnet": 63, "convnext": 32, "densenet": 29, "googlenet": 15, "vgg": 32}
CHANNELS = {"resnet18": 2, "efficientnet_b0": 5, "densenet121": 5, "vit_b_32": 2, "vgg11": 2}


def _shapes(name: str) -> list[tuple[int, int, int]]:
    channels = CHANNELS.get(name, 1)
    if name.startswith("vit"):
        patch = int(name[-2:])
        return [(3, patch, patch), (channels, 2 * patch, 2 * patch)]
    side = next((least for start, least in SMALLEST.items() if name.startswith(start)), 8)
    return [(3, side, side), (channels, side + 1, side + 9)]


CASES: dict = {
    **{name: ({}, _shapes(name)) for name in (*TORCHVISION, *OTHER_NAMES)},
    "efficientnet_lite0": ({}, [(3, 9, 9), (1, 24, 17), (5, 16, 16)]),
}
LEARNS = {
    "resnet18": ((1, 4, 32), {}, 15, 1e-3),
    "efficientnet_lite0": ((1, 4, 32), {}, 20, 5e-3),
}
