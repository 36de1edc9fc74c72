"""A network layer by layer: shapes, parameters, multiply-adds, memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from deepself.eager import without_compiler
from deepself.networks.base import Network

BYTES = 4  # of a float32


class Layer(NamedTuple):
    """One layer.

    Attributes
    ----------
    name
        Its path in the network, as an embedding's ``layer`` takes it.
    type
        Its class.
    shape
        Shape of what it gives for one item.
    parameters
        Number of its parameters.
    multiply_adds
        Multiplications, each with an addition, for one item.
    """

    name: str
    type: str
    shape: tuple[int, ...]
    parameters: int
    multiply_adds: int


class Summary(NamedTuple):
    """A network in numbers, for one item.

    Attributes
    ----------
    layers
        In the order in which they are passed; one that is passed twice stands twice.
    parameters
        Of the whole network.
    multiply_adds
        Of the whole network; element-wise operations are not counted.
    activations
        Bytes of what the layers give.
    """

    layers: list[Layer]
    parameters: int
    multiply_adds: int
    activations: int

    @property
    def weights(self) -> int:
        """Bytes of the parameters."""
        return BYTES * self.parameters

    def training(self, batch_size: int) -> int:
        """Bytes that training takes at least: weights, gradients, Adam's two moments, activations.

        Backpropagation keeps what each layer gives; buffers of the libraries come on top.
        """
        return 4 * self.weights + batch_size * self.activations


def on_paper(make: Callable[[], Network]) -> Network:
    """Build a network without memory for its weights: sizes are known, values are not.

    One that computes with its weights while it is built cannot do without them, and gets them.
    """
    try:
        with torch.device("meta"), without_compiler():
            return make()
    except RuntimeError:
        return make()


@without_compiler()
def summarise(network: Network, shapes: Sequence[tuple[int, ...]]) -> Summary:
    """Pass one item through a network, as `on_paper` builds it.

    Parameters
    ----------
    network
        Best on torch's meta device: nothing is computed, and no memory for weights is needed.
    shapes
        Shape of an item of each of its inputs: one, or one a branch.

    Raises
    ------
    ValueError
        The item does not fit the network.
    """
    device = next(network.parameters()).device
    items = [torch.zeros(1, *shape, device=device) for shape in shapes]
    seen: list[tuple[str, nn.Module, tuple[int, ...], int]] = []
    hooks = [
        module.register_forward_hook(_noting(seen, name))
        for name, module in network.named_modules()
        if name and _is_layer(module)
    ]
    counter = FlopCounterMode(display=False)
    try:
        with torch.no_grad(), _plain_attention(), counter:
            network.eval()(items[0] if len(items) == 1 else items)
    except RuntimeError as error:
        raise ValueError(str(error).splitlines()[0]) from None
    finally:
        for hook in hooks:
            hook.remove()
    counts = counter.get_flop_counts()
    root = type(network).__name__
    passes = [name for name, *_ in seen]
    layers = [
        Layer(
            name,
            type(module).__name__,
            shape,
            sum(parameter.numel() for parameter in module.parameters()),
            sum(counts.get(f"{root}.{name}", {}).values()) // 2 // passes.count(name),
        )
        for name, module, shape, _ in seen
    ]
    return Summary(
        layers,
        sum(parameter.numel() for parameter in network.parameters()),
        counter.get_total_flops() // 2,
        BYTES * sum(size for *_, size in seen),
    )


def _is_layer(module: nn.Module) -> bool:
    """Whether a module is shown: one without parts, or whose parts are not called one by one."""
    return not any(True for _ in module.children()) or isinstance(module, nn.MultiheadAttention)


def _noting(
    seen: list[tuple[str, nn.Module, tuple[int, ...], int]], name: str
) -> Callable[[nn.Module, Any, Any], None]:
    def note(module: nn.Module, _inputs: Any, output: Any) -> None:
        given = output[0] if isinstance(output, tuple) else output
        if isinstance(given, Tensor):
            seen.append((name, module, tuple(given.shape[1:]), given.numel()))

    return note


@contextmanager
def _plain_attention() -> Any:
    """Switch torch's fused attention off: what it computes is not counted."""
    enabled = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(enabled)
