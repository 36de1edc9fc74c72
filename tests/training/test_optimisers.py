"""Torch's optimisers by name; what decays, and which options are refused."""

import inspect
from typing import get_args

import pytest
import torch
from torch import nn

from deepself.errors import UserError
from deepself.study.training import Optimizer, Training
from deepself.training.optimisers import make_optimiser

SPECIAL = {"Optimizer", "LBFGS", "SparseAdam", "Muon"}
"""A base, steps that ask for the loss again, sparse gradients, matrices only."""


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.Linear(4, 2))


def optimiser(groups=None, **settings):
    if groups is None:
        groups = [{"params": list(network().parameters()), "lr": settings.get("lr", 1e-3)}]
    return make_optimiser(groups, Training(**settings))


def test_every_usable_optimiser_of_torch_has_its_name():
    usable = {
        name.lower()
        for name, cls in vars(torch.optim).items()
        if inspect.isclass(cls) and issubclass(cls, torch.optim.Optimizer) and name not in SPECIAL
    }
    assert set(get_args(Optimizer)) == usable


@pytest.mark.parametrize("name", get_args(Optimizer))
def test_each_trains(name):
    net = network()
    items = torch.randn(64, 3, generator=torch.Generator().manual_seed(1))
    targets = (items[:, 0] > 0).long()
    lr = {"adadelta": 1.0, "adagrad": 0.1, "asgd": 0.3, "sgd": 0.1}.get(name, 0.02)
    decay = 0.0 if name == "rprop" else 1e-4
    made = optimiser(
        [{"params": list(net.parameters()), "lr": lr}], optimizer=name, lr=lr, weight_decay=decay
    )
    losses = []
    for _ in range(60):
        loss = nn.functional.cross_entropy(net(items), targets)
        made.zero_grad()
        loss.backward()
        made.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]


def test_biases_and_norms_do_not_decay():
    net = network()
    made = optimiser([{"params": list(net.parameters()), "lr": 0.1}], weight_decay=0.5)
    decays = {id(p): g["weight_decay"] for g in made.param_groups for p in g["params"]}
    assert {name: decays[id(p)] for name, p in net.named_parameters()} == {
        "0.weight": 0.5, "0.bias": 0, "1.weight": 0, "1.bias": 0, "2.weight": 0.5, "2.bias": 0
    }  # fmt: skip


def test_a_step_without_gradient_shrinks_weights_alone():
    net = network()
    before = {name: p.detach().clone() for name, p in net.named_parameters()}
    made = optimiser(
        [{"params": list(net.parameters()), "lr": 0.1}],
        optimizer="adamw", lr=0.1, weight_decay=0.5,
    )  # fmt: skip
    for p in net.parameters():
        p.grad = torch.zeros_like(p)
    made.step()
    for name, p in net.named_parameters():
        kept = 1 - 0.1 * 0.5 if name in ("0.weight", "2.weight") else 1
        torch.testing.assert_close(p.detach(), before[name] * kept)


def test_all_decay_if_asked():
    made = optimiser(weight_decay=0.5, decay="all")
    assert [group["weight_decay"] for group in made.param_groups] == [0.5]


def test_stacked_biases_are_biases():
    params = [nn.Parameter(torch.zeros(5, 3, 2)), nn.Parameter(torch.zeros(5, 3))]
    settings = Training(weight_decay=0.5)
    made = make_optimiser([{"params": params, "lr": 1.0}], settings, stacked=1)
    assert [(len(g["params"]), g["weight_decay"]) for g in made.param_groups] == [(1, 0.5), (1, 0)]


def test_stages_keep_their_learning_rates():
    first, last = nn.Linear(2, 2), nn.Linear(2, 2)
    groups = [
        {"params": list(first.parameters()), "lr": 0.01},
        {"params": list(last.parameters()), "lr": 0.1},
    ]
    made = optimiser(groups, weight_decay=0.5)
    found = [(g["lr"], g["initial_lr"], g["weight_decay"]) for g in made.param_groups]
    assert found == [(0.01, 0.01, 0.5), (0.01, 0.01, 0), (0.1, 0.1, 0.5), (0.1, 0.1, 0)]
    held = [id(p) for g in made.param_groups for p in g["params"]]
    assert sorted(held) == sorted(id(p) for m in (first, last) for p in m.parameters())


def test_settings_and_options_arrive():
    made = optimiser(optimizer="sgd", momentum=0.8, nesterov=True)
    assert made.defaults["momentum"] == 0.8 and made.defaults["nesterov"] is True
    made = optimiser(options={"betas": (0.8, 0.9), "amsgrad": True, "eps": 1e-6})
    assert made.defaults["betas"] == (0.8, 0.9) and made.defaults["amsgrad"] is True
    assert optimiser(optimizer="rmsprop", options={"momentum": 0.9}).defaults["momentum"] == 0.9


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"options": {"beta": 0.9}}, r"training\.options\.beta: Adam has no such .*takes betas"),
        ({"options": {"lr": 0.9}}, r"options\.lr: Adam has no such argument; set training\.lr"),
        ({"options": {"fused": True}}, r"options\.fused: Adam has no such argument; it takes"),
        ({"options": {"params": 1.0}}, r"options\.params: Adam has no such argument; it takes"),
        (
            {"optimizer": "sgd", "options": {"momentum": 0.5}},
            r"options\.momentum: SGD has no such argument; set training\.momentum",
        ),
        ({"options": {"betas": 0.9}}, r"options\.betas: Adam takes a list of 2 numbers"),
        ({"options": {"betas": (0.9,)}}, r"options\.betas: Adam takes a list of 2 numbers"),
        ({"options": {"eps": (0.9, 1.0)}}, r"options\.eps: Adam takes a number"),
        ({"options": {"eps": True}}, r"options\.eps: Adam takes a number"),
        ({"options": {"amsgrad": 0.5}}, r"options\.amsgrad: Adam takes true or false"),
        ({"options": {"betas": (0.9, 1.5)}}, r"training\.options: Adam: Invalid beta"),
        ({"optimizer": "rprop", "weight_decay": 0.1}, r"weight_decay: Rprop has none; set 0"),
    ],
)
def test_what_it_cannot_take_is_one_line(settings, message):
    with pytest.raises(UserError, match=message) as error:
        optimiser(**settings)
    assert "\n" not in str(error.value)
