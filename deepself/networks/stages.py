"""A network as stages from its input to its classifier, to be trained one after another."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from torch import nn

from deepself.networks.base import Network
from deepself.networks.branches import Branched

CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)
NORMALISATIONS = (nn.modules.batchnorm._BatchNorm, nn.LayerNorm, nn.GroupNorm)


class Stage(NamedTuple):
    """Layers that are frozen or trained together.

    Attributes
    ----------
    name
        Of its first layer.
    modules
        Its layers.
    parameters
        All of their parameters.
    """

    name: str
    modules: list[nn.Module]
    parameters: list[nn.Parameter]


def stages(network: Network) -> list[Stage]:
    """Cut a network into stages, in the order of its layers; the last is its classifier.

    Containers of layers, modules that are little else, and modules that hold more than half of all
    parameters are opened: what is in them are stages. Normalisations, and layers without
    parameters, join the stage before them; parameters that stand alone (positional embeddings)
    the first.
    """
    classifier = Stage("classifier", [network.classifier], list(network.classifier.parameters()))
    if isinstance(network, Branched):
        return [*_side_by_side(network), _join(network)]
    head = {id(parameter) for parameter in classifier.parameters}
    body = sum(p.numel() for p in network.parameters() if id(p) not in head)
    found: list[Stage] = []
    for name, module in _blocks(network, "", body, network.classifier):
        own = list(module.parameters())
        if found and isinstance(module, NORMALISATIONS):
            last = found.pop()
            found.append(Stage(last.name, [*last.modules, module], [*last.parameters, *own]))
        elif own:
            found.append(Stage(name, [module], own))
        elif found:  # activations, pooling, dropout
            found[-1].modules.append(module)
    seen = head | {id(parameter) for stage in found for parameter in stage.parameters}
    loose = [parameter for parameter in network.parameters() if id(parameter) not in seen]
    if found:
        found[0].parameters.extend(loose)
    return [*found, classifier]


def _blocks(
    module: nn.Module, prefix: str, body: int, classifier: nn.Module
) -> Iterator[tuple[str, nn.Module]]:
    for name, child in module.named_children():
        if child is classifier:
            continue
        path = f"{prefix}{name}"
        size = sum(parameter.numel() for parameter in child.parameters())
        inside = [type(part) for part in child.children()]
        opened = type(child) in CONTAINERS or inside == [nn.ModuleList] or 2 * size > body
        if opened and any(True for _ in child.children()):
            yield from _blocks(child, f"{path}.", body, classifier)
        else:
            yield path, child


def _side_by_side(joined: Branched) -> list[Stage]:
    """Stages of several networks, paired from their ends: equally far from the classifier."""
    columns = [stages(network)[:-1][::-1] for network in joined.branches()]
    found = []
    for depth in range(max(map(len, columns))):
        row = [column[depth] for column in columns if depth < len(column)]
        found.append(
            Stage(
                ", ".join(stage.name for stage in row),
                [module for stage in row for module in stage.modules],
                [parameter for stage in row for parameter in stage.parameters],
            )
        )
    return found[::-1]


def _join(network: Branched) -> Stage:
    """What several networks are joined by, with the classifier."""
    modules = [child for name, child in network.named_children() if name != "networks"]
    parameters = [parameter for module in modules for parameter in module.parameters()]
    return Stage("classifier", modules, parameters)
