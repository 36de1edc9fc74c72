"""A network that learns without labels: what it learns, and the classifier that is fitted."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge

from deepself.networks import build
from deepself.study.training import Training
from deepself.training import linear_head
from deepself.training.augment import Crops
from deepself.training.losses import class_weights
from deepself.training.precision import Precision
from deepself.training.predicting import embeddings
from tests.training.toys import blobs, partition, trained

SETTINGS = Training(epochs=6, batch_size=8, lr=0.01)


def tones(count=48, seed=0, shift=0):
    """Two classes of spectral images, which differ in the row that sounds; of random lengths."""
    random = torch.Generator().manual_seed(seed)
    targets = torch.arange(count) % 2
    lengths = torch.randint(6, 13, (count,), generator=random)
    items = 0.1 * torch.randn(count, 1, 4, 12, generator=random)
    items[torch.arange(count), 0, targets + shift] += 1.0
    for item, length in zip(items, lengths, strict=True):
        item[..., length:] = 0.0
    return partition(items, targets, lengths)


def autoencoder(**settings):
    torch.manual_seed(0)
    return build("rnn_autoencoder", (1, 4, 12), 2, hidden_size=8, **settings)


@pytest.fixture(scope="module")
def loop():
    return trained(SETTINGS, network=autoencoder(), train=tones(), dev=tones(24, 1))


def test_it_learns_to_write_what_it_reads_and_the_classes_follow(loop):
    losses = [row[1] for row in loop.course.history]
    assert losses[-1] < losses[0] / 2
    assert loop.course.best.uar == 1
    assert "without labels" in loop.notes[0]


def test_labels_teach_nothing_but_the_classifier():
    """With other labels, all weights but the last layer's become the same."""
    train, dev = tones(), tones(24, 1)
    settings = SETTINGS.model_copy(update={"epochs": 1})
    states = []
    for turned in (train.targets, 1 - train.targets):
        one = partition(train._items[0], turned, train._lengths[0])
        states.append(trained(settings, network=autoencoder(), train=one, dev=dev))
    one, other = (loop.network.state_dict() for loop in states)
    differ = {name for name in one if not torch.equal(one[name], other[name])}
    assert differ == {"classifier.weight", "classifier.bias"}


def test_micro_batches_take_the_same_steps():
    train, dev = tones(), tones(24, 1)
    whole, parts = (
        trained(
            SETTINGS.model_copy(update={"epochs": 2, "micro_batch": part}),
            network=autoencoder(),
            train=train,
            dev=dev,
        )
        for part in (None, 3)
    )
    for name, value in whole.network.state_dict().items():
        if not name.startswith("classifier"):
            torch.testing.assert_close(parts.network.state_dict()[name], value)


@pytest.mark.parametrize(
    "settings", [{}, {"bidirectional": True, "num_layers": 1}, {"cell": "rnn"}]
)
def test_what_is_filled_up_is_neither_read_nor_written(settings):
    network = autoencoder(**settings).eval()
    items = torch.randn(3, 1, 4, 12)
    lengths = torch.tensor([5, 12, 7])
    logits, losses = network.learn(items, lengths)
    for number, length in enumerate(lengths):
        alone, loss = network.learn(items[number : number + 1, ..., :length])
        torch.testing.assert_close(logits[number : number + 1], alone)
        torch.testing.assert_close(losses[number : number + 1], loss)


def test_the_classifier_is_ridge_regression_on_signs(loop):
    """scikit-learn, given the same penalty and weights, finds the same boundary."""
    train, dev = tones(), tones(24, 1)
    precision = Precision(SETTINGS, "cpu")
    crops = Crops.of(SETTINGS, ("log_mel",))
    rows, others = (embeddings(loop.network, one, 8, crops, precision) for one in (train, dev))
    scaled = (rows - rows.mean(0)) / rows.std(0, correction=0)
    weights = class_weights(train.targets, 2)[train.targets].numpy()
    signs = 2.0 * np.eye(2)[train.targets] - 1
    machines = linear_head._machines(scaled.double(), train.targets, 2)
    for complexity, (found, offset) in zip(linear_head.COMPLEXITIES, machines, strict=True):
        ridge = Ridge(alpha=1 / complexity).fit(scaled.double(), signs, sample_weight=weights)
        np.testing.assert_allclose(found.T, ridge.coef_, rtol=1e-6, atol=1e-9)
        np.testing.assert_allclose(offset, ridge.intercept_, rtol=1e-6, atol=1e-9)
    linear_head.fit_head(loop.network, (rows, others), train, dev, 2)
    assert (loop.network.classifier(others).argmax(1) == dev.targets).all()


def test_a_value_that_never_changes_is_no_reason_to_stop():
    train, dev = blobs(), blobs(20, 1)
    network = build("rnn_autoencoder", (1, 1, 3), 2, hidden_size=2, num_layers=2)
    rows = torch.cat([train._items[0], torch.ones(40, 1)], 1)
    others = torch.cat([dev._items[0], torch.ones(20, 1)], 1)
    linear_head.fit_head(network, (rows, others), train, dev, 2)
    assert dev.uar(network.classifier(others).detach(), 2) > 0.8


def test_compiling_is_not_tried():
    settings = SETTINGS.model_copy(update={"epochs": 1, "compile": True})
    loop = trained(settings, network=autoencoder(), train=tones(), dev=tones(24, 1))
    assert not any("compiled" in note for note in loop.notes)
