"""Which weights are trained when."""

import pytest
import torch
from torch import nn

from deepself.networks import build
from deepself.study.training import FineTuning, Training
from deepself.training.fine_tuning import Thawing
from tests.training.toys import make_loop, partition


def network(seed=0):
    torch.manual_seed(seed)
    return build("cnn1d", (1, 32), 2, channels=[4, 4, 4], pool=[2, 2, 1])


def data(seed=0, count=24):
    random = torch.Generator().manual_seed(seed)
    targets = torch.arange(count) % 2
    signs = (2.0 * targets - 1).view(-1, 1, 1)
    return partition(signs + 0.5 * torch.randn(count, 1, 32, generator=random), targets)


def train(network, settings):
    loop = make_loop(settings, network=network, train=data(), dev=data(1))
    loop.run()
    loop.keep_best()


def changed(settings, epochs=1):
    """Names of what training has changed: weights, and statistics of normalisations."""
    trained = network()
    before = {name: value.clone() for name, value in trained.state_dict().items()}
    chosen = Training(epochs=epochs, batch_size=8, lr=0.01, fine_tuning=settings)
    train(trained, chosen)
    after = trained.state_dict()
    return {name for name in before if not torch.equal(before[name], after[name])}


def stages_of(names):
    """Which of the three blocks, or the classifier, the names belong to."""
    return {name.split(".")[2] if name.startswith("stack") else "head" for name in names}


def test_all_is_what_no_fine_tuning_is():
    assert stages_of(changed(None)) == stages_of(changed(FineTuning())) == {"0", "1", "2", "head"}


def test_head_leaves_weights_and_statistics_of_the_rest():
    assert changed(FineTuning(train="head"), epochs=3) == {"classifier.weight", "classifier.bias"}


def test_frozen_batch_norm_learns_scale_but_keeps_statistics():
    found = changed(FineTuning(batch_norm="frozen"))
    assert not [name for name in found if "running" in name or "num_batches" in name]
    assert stages_of(found) == {"0", "1", "2", "head"}


@pytest.mark.parametrize(
    ("settings", "counts"),
    [
        (FineTuning(train="gradual"), [1, 2, 3, 4, 4]),
        (FineTuning(train="gradual", epochs=2), [1, 1, 2, 2, 3]),
        (FineTuning(train="head_first", epochs=2), [1, 1, 4, 4, 4]),
        (FineTuning(train="head"), [1, 1, 1, 1, 1]),
        (FineTuning(lr_decay=0.5), [4, 4, 4, 4, 4]),
    ],
)
def test_stages_by_epoch(settings, counts):
    thawing = Thawing(network(), settings)
    assert [thawing.trained_stages(epoch) for epoch in range(1, 6)] == counts


def test_gradual_thaws_from_the_classifier_down():
    trained = network()
    thawing = Thawing(trained, FineTuning(train="gradual"))
    thawing.start(2)
    learning = {name for name, p in trained.named_parameters() if p.requires_grad}
    assert stages_of(learning) == {"2", "head"}
    modes = {
        name.split(".")[2]: module.training
        for name, module in trained.named_modules()
        if isinstance(module, nn.modules.batchnorm._BatchNorm)
    }
    assert modes == {"0": False, "1": False, "2": True}


@pytest.mark.parametrize(
    ("name", "shape"), [("alexnet", (3, 64, 64)), ("cnn6", (1, 64, 16)), ("mn04_as", (1, 128, 32))]
)
def test_a_frozen_body_is_one_function(name, shape):
    """Its dropout is off, its statistics stand: an item's embedding is the same each time."""
    torch.manual_seed(0)
    frozen = build(name, shape, 2)
    Thawing(frozen, FineTuning(train="head")).start(1)
    x = torch.rand(4, *shape)
    with torch.no_grad():
        assert torch.equal(frozen.embed(x), frozen.embed(x))
        torch.testing.assert_close(frozen.embed(x[:1]), frozen.embed(x)[:1])
    thawed = build(name, shape, 2)
    Thawing(thawed, FineTuning(train="head_first")).start(2)
    assert all(module.training for module in thawed.modules())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"train": "all", "epochs": 3}, "epochs is for head_first and gradual; train is all"),
        ({"train": "head", "lr_decay": 0.5}, "lr_decay is for several stages; train is head"),
    ],
)
def test_settings_without_effect_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        FineTuning(**settings)


def test_a_head_that_is_never_joined_is_refused():
    with pytest.raises(ValueError, match="leave none of epochs"):
        Training(epochs=2, fine_tuning=FineTuning(train="head_first", epochs=2))


def test_learning_rates_fall_by_stages_and_cover_all_parameters():
    trained = network()
    groups = Thawing(trained, FineTuning(lr_decay=0.5)).groups(0.8)
    assert [group["lr"] for group in groups] == pytest.approx([0.1, 0.2, 0.4, 0.8])
    assert sum(p.numel() for g in groups for p in g["params"]) == sum(
        p.numel() for p in trained.parameters()
    )


def test_a_falling_learning_rate_moves_early_layers_less():
    def moved(decay):
        trained = network()
        before = {n: p.detach().clone() for n, p in trained.named_parameters()}
        chosen = Training(
            epochs=1,
            batch_size=24,
            optimizer="sgd",
            momentum=0.0,
            fine_tuning=FineTuning(lr_decay=decay, batch_norm="frozen"),
        )
        train(trained, chosen)
        return {n: (p - before[n]).norm().item() for n, p in trained.named_parameters()}

    slow, even = moved(0.5), moved(1.0)
    name = next(n for n in slow if n.startswith("stack.blocks.0"))
    assert slow[name] == pytest.approx(even[name] / 8, rel=1e-3)
    assert slow["classifier.weight"] == pytest.approx(even["classifier.weight"], rel=1e-3)
