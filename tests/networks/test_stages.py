"""A network as stages: every parameter in one of them, the classifier last."""

import pytest
import torch

from deepself.networks import build
from deepself.networks.branches import Branched
from deepself.networks.stages import stages

CASES = [
    ("dense", (20,), {"hidden": [8, 8]}, 3),
    ("cnn1d", (1, 100), {}, 4),
    ("cnn_rnn", (1, 16, 40), {}, 5),
    ("resnet18", (3, 64, 64), {}, 10),  # the first convolution, 8 blocks, the classifier
    ("vgg11", (3, 32, 32), {}, 11),
    ("mn04_as", (1, 128, 64), {}, 18),  # 15 blocks between two convolutions
]


@pytest.mark.parametrize(("name", "shape", "settings", "count"), CASES)
def test_each_parameter_is_in_one_stage_and_the_classifier_is_last(name, shape, settings, count):
    network = build(name, shape, 3, **settings)
    found = stages(network)
    assert len(found) == count, [stage.name for stage in found]
    in_stages = [id(p) for stage in found for p in stage.parameters]
    assert sorted(in_stages) == sorted(id(p) for p in network.parameters())
    assert found[-1].modules == [network.classifier]


def test_stages_follow_the_order_of_the_layers():
    names = [stage.name for stage in stages(build("resnet18", (3, 64, 64), 3))]
    layers = [name.split(".")[-2] for name in names if "layer" in name]
    assert layers == ["layer1"] * 2 + ["layer2"] * 2 + ["layer3"] * 2 + ["layer4"] * 2


def test_branches_are_paired_from_their_ends():
    deep, shallow = build("cnn1d", (1, 64), 3), build("dense", (5,), 3, hidden=[4])
    network = Branched({"deep": deep, "shallow": shallow}, 3)
    found = stages(network)
    first, second, last = ({type(m).__name__ for m in stage.modules} for stage in found[:-1])
    assert first == second == {"Block"}
    assert {"Conv1d", "Linear"} <= last  # of the deep branch and of the shallow one
    head = {id(parameter) for parameter in found[-1].parameters}
    assert {id(p) for p in network.project.parameters()} <= head
    in_stages = [id(p) for stage in found for p in stage.parameters]
    assert sorted(in_stages) == sorted(id(p) for p in network.parameters())


def test_one_step_of_a_stage_changes_it_alone():
    network = build("cnn1d", (1, 64), 3)
    before = {name: value.clone() for name, value in network.named_parameters()}
    last = stages(network)[-1]
    for parameter in network.parameters():
        parameter.requires_grad_(False)
    for parameter in last.parameters:
        parameter.requires_grad_(True)
    network(torch.randn(4, 1, 64)).sum().backward()
    torch.optim.SGD(last.parameters, lr=1.0).step()
    changed = {n for n, value in network.named_parameters() if not torch.equal(value, before[n])}
    assert changed == {"classifier.weight", "classifier.bias"}
