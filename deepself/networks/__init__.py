"""Networks: pure ``nn.Module``s that know no file, no configuration object and no HDF5.

>>> from deepself.networks import available, build
>>> network = build("cnn1d", input_shape=(1, 4097), classes=2, pool=4)  # doctest: +SKIP

Importing this package imports neither torch nor torchvision: an architecture's module is loaded
when :func:`build` is asked for it.
"""

from deepself.networks.registry import available, build

__all__ = ["available", "build"]
