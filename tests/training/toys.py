"""Small problems and networks for the tests of training."""

import torch

from deepself.study.training import Training
from deepself.training.augment import Augmenter, Crops
from deepself.training.checkpoints import Generators
from deepself.training.loop import Loop
from deepself.training.partitions import InMemory
from deepself.training.progress import Progress
from deepself.training.surroundings import Surroundings


def partition(items, targets, lengths=None, windows=None):
    """A partition of one input in memory."""
    return InMemory((items,), targets, None if lengths is None else (lengths,), windows)


def blobs(count=40, seed=0, gap=3.0):
    """Two classes of points in three dimensions."""
    random = torch.Generator().manual_seed(seed)
    targets = torch.arange(count) % 2
    return partition(torch.randn(count, 3, generator=random) + gap * targets[:, None], targets)


def surroundings(seed=0, settings=None, kinds=("embedding",), statistics=((None, None),), **more):
    """Random numbers of a seed; progress that nobody looks at."""
    order = torch.Generator().manual_seed(seed)
    augmentation = torch.Generator().manual_seed(seed)
    settings = settings or Training()
    augmenter = Augmenter(settings.augmentation, kinds, 2, statistics, augmentation)
    return Surroundings(
        generators=Generators(order, augmentation),
        progress=Progress("toy", settings.epochs, 40),
        augmenter=augmenter,
        crops=Crops.of(settings, kinds),
        **more,
    )


def make_loop(settings=None, seed=0, network=None, train=None, dev=None, **more):
    """A loop over blobs, with a linear network."""
    torch.manual_seed(seed)
    settings = settings or Training(epochs=5, batch_size=8, lr=0.05)
    network = torch.nn.Linear(3, 2) if network is None else network
    around = surroundings(seed, settings, **more)
    return Loop(network, train or blobs(), dev or blobs(20, 1), settings, 2, around)


def trained(*args, **kwargs):
    """A loop that has run, its network with the weights of the best epoch."""
    loop = make_loop(*args, **kwargs)
    loop.run()
    loop.keep_best()
    return loop
