"""What holds for every registered network.

Of a family whose members have the same layers, only more or wider ones, the smallest is tested in
numbers; the larger ones, of up to a gigabyte, on paper: their shapes, and the way of their
gradients. `LARGER` says which; a name that is not there is tested in numbers.
"""

import inspect
from functools import cache
from importlib import import_module

import pytest
import torch
from safetensors.torch import load_file, save_file

from deepself.eager import without_compiler
from deepself.networks import available, build
from deepself.networks.base import Unsupervised
from deepself.networks.layers import time_axis
from deepself.networks.registry import NETWORKS, TIMM
from deepself.networks.summary import on_paper
from deepself.study.networks import TYPES, Timm
from tests.importing import imported
from tests.networks import cases_audio, cases_own, cases_pictures

MODULES = (cases_own, cases_pictures, cases_audio)
# name -> (settings, input shapes: at least two, of other sizes and, where it takes them, channels)
CASES = {name: case for module in MODULES for name, case in module.CASES.items()}
# name -> (input shape, settings, epochs, learning rate): one a family at least, small and quick
LEARNS = {name: case for m in MODULES for name, case in getattr(m, "LEARNS", {}).items()}
# smallest of a family -> those that have its layers, only more or wider ones
LARGER = {name: names for m in MODULES for name, names in getattr(m, "LARGER", {}).items()}
PAIRS = [(smallest, name) for smallest, names in LARGER.items() for name in names]
IN_NUMBERS = [name for name in CASES if name not in {larger for _, larger in PAIRS}]
CLASSES = 4


def built(name, shape, seed=0):
    torch.manual_seed(seed)
    return build(name, shape, CLASSES, **CASES[name][0])


def batch(shape, items=3):
    return torch.rand(items, *shape, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module", params=IN_NUMBERS)
def drawn(request):
    """A network of each name, as drawn with seed 0: it is built once for all that asks for it."""
    shape = CASES[request.param][1][0]
    return request.param, shape, built(request.param, shape)


def step(network, x):
    """Give logits and the loss of a step of training, of a task of its own where it has one."""
    own = 0.0
    if isinstance(network, Unsupervised):
        logits, losses = network.learn(x)
        own = losses.mean()
    else:
        logits = network(x)
    return logits, torch.nn.functional.cross_entropy(logits, torch.arange(3)) + own


def check_training(network, shape):
    """Check logits and gradients of a step of training."""
    logits, loss = step(network.train(), batch(shape))
    assert logits.shape == (3, CLASSES)
    loss.backward()
    for key, parameter in network.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), key
    network.zero_grad()
    assert (logits.detach().sum(1) - 1).abs().max() > 1e-3, "softmax inside?"


def test_every_registered_network_has_a_case_of_two_shapes():
    assert sorted(CASES) == available()
    assert [name for name, (_, shapes) in CASES.items() if len(set(shapes)) < 2] == []


def test_the_smallest_of_each_family_is_tested_in_numbers():
    larger = [name for _, name in PAIRS]
    assert len(set(larger)) == len(larger)
    assert set(LARGER) <= set(IN_NUMBERS)
    assert sorted([*larger, *IN_NUMBERS]) == available()


@pytest.mark.parametrize(("smallest", "name"), PAIRS)
def test_a_larger_one_has_the_layers_of_the_smallest_and_is_right_on_paper(smallest, name):
    network = drawn_on_paper(name)
    assert kinds(network) <= kinds_of(smallest)
    embeddings = []
    network.classifier.register_forward_pre_hook(lambda _, inputs: embeddings.extend(inputs))
    with torch.device("meta"), without_compiler():
        logits, loss = step(network.train(), torch.empty(3, *CASES[name][1][0]))
        loss.backward()
        for shape in CASES[name][1][1:]:
            assert built(name, shape).embedding_size == network.embedding_size
    assert logits.shape == (3, CLASSES)
    assert [embedding.shape for embedding in embeddings] == [(3, network.embedding_size)]
    assert [key for key, value in network.named_parameters() if value.grad is None] == []


def drawn_on_paper(name):
    return on_paper(lambda: built(name, CASES[name][1][0]))


def kinds(network):
    """Classes of a network's layers."""
    return {type(part) for part in network.modules()}


@cache
def kinds_of(name):
    return kinds(drawn_on_paper(name))


def test_gives_logits_and_gradients(drawn):
    _, shape, network = drawn
    check_training(network, shape)


def test_an_item_alone_is_as_in_its_batch_and_full_lengths_change_nothing(drawn):
    _, shape, network = drawn
    network.eval()
    x = batch(shape)
    full = torch.full((3,), x.shape[time_axis(x)])
    with torch.no_grad():
        embedding = network.embed(x)
        assert embedding.shape == (3, network.embedding_size)
        together = network(x)
        assert torch.equal(network.classifier(embedding), together)
        torch.testing.assert_close(network(x[:1]), together[:1], atol=1e-4, rtol=1e-3)
        torch.testing.assert_close(network(x, full), together, atol=1e-4, rtol=1e-3)


def test_seed_makes_the_weights_and_a_file_carries_them(drawn, tmp_path):
    name, shape, network = drawn
    again = built(name, shape).eval()
    weights = dict(network.named_parameters())
    assert all(torch.equal(weights[key], value) for key, value in again.named_parameters())
    file = tmp_path / "weights.safetensors"
    save_file(network.state_dict(), file)
    for value in again.state_dict().values():
        value.add_(1)
    again.load_state_dict(load_file(file))
    file.unlink()  # the largest has more than a gigabyte, and pytest keeps what tests leave
    with torch.no_grad():
        x = batch(shape)
        assert torch.equal(again(x), network.eval()(x))


def test_other_shapes_and_another_seed(drawn):
    name, _, network = drawn
    first = dict(network.named_parameters())
    for shape in CASES[name][1][1:]:
        other = built(name, shape, seed=1)
        check_training(other, shape)
        pairs = [(first.get(key), value) for key, value in other.named_parameters()]
        same = [(a, b) for a, b in pairs if a is not None and a.shape == b.shape]
        assert any(not torch.equal(a, b) for a, b in same), "drawn without torch's seed?"


@pytest.mark.parametrize("name", CASES)
def test_other_numbers_of_channels_are_taken_or_refused(name):
    settings, shapes = CASES[name]
    if len({shape[0] for shape in shapes}) == 1:
        with pytest.raises(ValueError, match="channel"):
            build(name, (shapes[0][0] + 1, *shapes[0][1:]), CLASSES, **settings)


def separable(shape, items=48):
    """Three classes by the place and rate of an oscillation along the time axis."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(items) % 3
    x = 0.3 * torch.randn(items, *shape, generator=generator)
    axis = time_axis(x)
    time = torch.arange(x.shape[axis]) / x.shape[axis]
    waves = torch.stack([torch.sin(6.3 * rate * time) for rate in (2, 5, 11)])
    return x + waves[labels].view(items, *[1] * (axis - 1), -1, *[1] * (x.dim() - axis - 1)), labels


@pytest.mark.parametrize("name", LEARNS)
def test_learns_a_separable_problem(name):
    shape, settings, epochs, rate = LEARNS[name]
    torch.manual_seed(0)
    network = build(name, shape, 3, **settings)
    x, labels = separable(shape)
    optimiser = torch.optim.Adam(network.parameters(), lr=rate)
    for _ in range(epochs):
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(network(x), labels).backward()
        optimiser.step()
    settle(network, x)
    with torch.no_grad():
        assert (network.eval()(x).argmax(1) == labels).all()


def settle(network, x):
    """Take the statistics of batch normalisations from all items: some move by a hundredth a step,
    which a few steps do not bring to where evaluation needs them."""
    for module in network.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            module.reset_running_stats()
            module.momentum = None
    with torch.no_grad():
        network.train()(x)


def test_a_network_of_every_family_learns():
    families = {NETWORKS[name].target for name in LEARNS}
    assert {entry.target for entry in NETWORKS.values()} - families == set()


@pytest.mark.parametrize("name", [*NETWORKS, "timm/"])
def test_settings_are_those_of_the_study(name):
    entry, study = (
        (TIMM._replace(preset={"architecture": ""}), Timm)
        if name == "timm/"
        else (NETWORKS[name], TYPES[name])
    )
    module, _, target = entry.target.partition(":")
    parameters = inspect.signature(getattr(import_module(module), target)).parameters.values()
    ours = {
        p.name: list(p.default) if isinstance(p.default, tuple) else p.default
        for p in parameters
        if p.kind is p.KEYWORD_ONLY and p.name not in entry.preset
    }
    fields = {key: f for key, f in study.model_fields.items() if key not in ("type", "weights")}
    assert sorted(ours) == sorted(fields)
    for key, field in fields.items():
        if field.default is not None:  # else the network's own default
            assert field.default == ours[key], key


@pytest.mark.parametrize("name", ["rnn", "cnn_rnn", "cnn1d", "cnn2d", "cnn3d", "mn04_as"])
def test_frames_may_differ_at_forward_time(name):
    shape = CASES[name][1][0]
    x = batch(shape)
    longer = torch.cat([x, x], dim=time_axis(x))
    assert built(name, shape)(longer).shape == (3, CLASSES)


def test_import_costs_neither_torch_nor_torchvision():
    listed = "from deepself.networks import available, build\navailable()"
    built = "build('cnn1d', (1, 99), 2)\nbuild('mn04_as', (1, 128, 50), 2)"
    assert not imported(listed, ("torch", "torchvision"))
    assert not imported(f"{listed}\n{built}", ("torchvision",))
