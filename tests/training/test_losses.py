"""Losses against torch, against the formula in float64, and in parts against the whole."""

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy, one_hot

from deepself.study.training import Training
from deepself.training.losses import Loss, class_weights, weights_for

WEIGHTS = torch.tensor([0.5, 2.0, 1.0, 0.7])


def batch(rows=12, classes=4, seed=0, dtype=torch.float32):
    random = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(rows, classes, generator=random, dtype=dtype)
    return logits.requires_grad_(), torch.randint(classes, (rows,), generator=random)


def shares(rows=12, classes=4, seed=1):
    random = torch.Generator().manual_seed(seed)
    return torch.rand(rows, classes, generator=random).softmax(1)


def mean(loss, logits, targets):
    total, weight = loss(logits, targets)
    return total / weight


def by_formula(logits, targets, weights, smoothing, gamma):
    """The class's docstring, in NumPy's float64."""
    logits = logits.detach().double().numpy()
    classes = logits.shape[1]
    s = targets.double().numpy() if targets.ndim > 1 else np.eye(classes)[targets.numpy()]
    w = np.ones(classes) if weights is None else weights.double().numpy()
    p = np.exp(logits - logits.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    t = (1 - smoothing) * s + smoothing / classes
    return float((w * t * (1 - p) ** gamma * -np.log(p)).sum()), float((w * s).sum())


@pytest.mark.parametrize("weights", [None, WEIGHTS])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_of_indices_it_is_torch_s(weights, smoothing):
    logits, targets = batch()
    ours = mean(Loss(Training(label_smoothing=smoothing), weights), logits, targets)
    theirs = cross_entropy(logits, targets, weights, label_smoothing=smoothing)
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(
        torch.autograd.grad(ours, logits)[0], torch.autograd.grad(theirs, logits)[0]
    )


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_of_shares_without_weights_it_is_torch_s(smoothing):
    logits, _ = batch()
    ours = mean(Loss(Training(label_smoothing=smoothing)), logits, shares())
    torch.testing.assert_close(ours, cross_entropy(logits, shares(), label_smoothing=smoothing))


@pytest.mark.parametrize("mixed", [False, True])
@pytest.mark.parametrize("weights", [None, WEIGHTS])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("gamma", [None, 0.5, 2.0])
def test_it_is_its_formula(mixed, weights, smoothing, gamma):
    logits, targets = batch()
    targets = shares() if mixed else targets
    loss = Loss(Training(label_smoothing=smoothing, focal=gamma), weights)
    total, weight = loss(logits.detach(), targets)
    expected = by_formula(logits, targets, weights, smoothing, gamma or 0.0)
    assert (float(total), float(weight)) == pytest.approx(expected, rel=1e-5)
    assert float(loss.weight(targets)) == float(weight)


def test_focal_is_lin_s_for_hard_labels():
    logits, targets = batch()
    p = logits.softmax(1)[torch.arange(12), targets]
    expected = -(WEIGHTS[targets] * (1 - p) ** 2 * p.log()).sum()
    torch.testing.assert_close(Loss(Training(focal=2), WEIGHTS)(logits, targets)[0], expected)


def test_focal_of_0_is_cross_entropy_to_the_bit():
    logits, targets = batch()
    plain, focal = Loss(Training(), WEIGHTS), Loss(Training(focal=0), WEIGHTS)
    assert torch.equal(plain(logits, targets)[0], focal(logits, targets)[0])


def test_focal_s_limit_is_cross_entropy():
    logits, targets = batch(dtype=torch.float64)
    logits = logits.detach()
    near = mean(Loss(Training(focal=1e-9)), logits, targets)
    assert float(near) == pytest.approx(float(cross_entropy(logits, targets)))


@pytest.mark.parametrize("gamma", [0.3, 1.0, 2.0])
def test_focal_s_gradient(gamma):
    logits, targets = batch(rows=3, dtype=torch.float64)
    loss = Loss(Training(focal=gamma, label_smoothing=0.1), WEIGHTS)
    assert torch.autograd.gradcheck(lambda x: loss(x, targets)[0], logits)


@pytest.mark.parametrize("gamma", [0.3, 1.0, 2.0])
def test_focal_s_gradient_is_finite_where_the_network_is_sure(gamma):
    logits = torch.tensor([[200.0, 0.0], [0.0, 200.0], [0.0, 0.0]], requires_grad=True)
    total, _ = Loss(Training(focal=gamma))(logits, torch.tensor([0, 0, 1]))
    gradient = torch.autograd.grad(total, logits)[0]
    assert total.isfinite() and gradient.isfinite().all()


@pytest.mark.parametrize("settings", [{}, {"label_smoothing": 0.1}, {"focal": 2.0}])
@pytest.mark.parametrize("mixed", [False, True])
def test_gradients_of_parts_add_up_to_that_of_the_batch(settings, mixed):
    logits, targets = batch()
    targets = shares() if mixed else targets
    loss = Loss(Training(**settings), WEIGHTS)
    whole = torch.autograd.grad(mean(loss, logits, targets), logits)[0]
    weight = loss.weight(targets)
    parts = [loss(logits[s], targets[s])[0] / weight for s in (slice(5), slice(5, 12))]
    torch.testing.assert_close(torch.autograd.grad(sum(parts), logits)[0], whole)


def test_mixing_by_nothing_changes_nothing():
    logits, targets = batch()
    for settings in ({}, {"label_smoothing": 0.1}, {"focal": 2.0}):
        loss = Loss(Training(**settings), WEIGHTS)
        hard, soft = loss(logits, targets), loss(logits, one_hot(targets, 4).float())
        torch.testing.assert_close(hard, soft)


def test_half_precision_is_computed_in_float32():
    logits, targets = batch()
    total, weight = Loss(Training(), WEIGHTS)(logits.bfloat16(), targets)
    assert total.dtype == weight.dtype == torch.float32
    expected = Loss(Training(), WEIGHTS)(logits.bfloat16().float(), targets)[0]
    assert torch.equal(total, expected)


@pytest.mark.parametrize("settings", [{}, {"label_smoothing": 0.1}, {"focal": 2.0}])
@pytest.mark.parametrize("mixed", [False, True])
def test_stacked_networks_by_vmap_equal_each_alone(settings, mixed):
    logits = torch.stack([batch(seed=s)[0] for s in range(3)]).detach()
    targets = torch.stack([shares(seed=s) if mixed else batch(seed=s)[1] for s in range(3)])
    weights = torch.stack([WEIGHTS, WEIGHTS.flip(0), torch.ones(4)])

    def one(logits, targets, weights):
        return mean(Loss(Training(**settings), weights), logits, targets)

    stacked = torch.func.vmap(torch.func.grad(one))(logits, targets, weights)
    for i in range(3):
        alone = torch.func.grad(one)(logits[i], targets[i], weights[i])
        torch.testing.assert_close(stacked[i], alone)


def test_class_weights_are_scikit_learn_s_in_the_order_of_the_classes():
    from sklearn.utils.class_weight import compute_class_weight

    targets = np.array([2, 2, 2, 2, 0, 1, 1])
    expected = compute_class_weight("balanced", classes=np.arange(3), y=targets)
    found = class_weights(torch.from_numpy(targets), 3)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert found[targets].mean() == pytest.approx(1)


def test_class_that_has_no_items_weighs_nothing():
    np.testing.assert_allclose(class_weights(torch.tensor([0, 0, 2]), 3), [0.75, 0, 1.5])


def of_counts(*counts):
    return torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))


@pytest.mark.parametrize(
    ("settings", "counts", "weighted", "why"),
    [
        ({}, (100, 110), False, "none: the largest class has 1.1 times the items of the smallest"),
        ({}, (100, 111), True, "balanced: the largest class has 1.11 times"),
        ({}, (32, 10), True, "balanced: the largest class has 3.2 times"),
        ({"class_weights": "balanced"}, (10, 10), True, "balanced: the largest class has 1 times"),
        ({"class_weights": "none"}, (32, 10), False, "none: so the study asks"),
        ({"sampling": "balanced"}, (32, 10), False, "none: sampling is balanced"),
        ({}, (32, 0, 10), True, "the smallest; 1 of 3 classes have none"),
        ({}, (0, 0), False, "none: there are no items"),
    ],
)
def test_auto_weighs_what_is_uneven_and_says_so(settings, counts, weighted, why):
    weights, said = weights_for(Training(**settings), of_counts(*counts), len(counts))
    assert why in said
    assert (weights is not None) == weighted
    if weights is not None:
        assert torch.equal(weights, class_weights(of_counts(*counts), len(counts)))


@pytest.mark.parametrize("settings", [{}, {"label_smoothing": 0.2}, {"focal": 2.0}])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("mixed", [False, True])
def test_mean_is_the_quotient_of_both_sums(settings, weighted, mixed):
    logits, targets = batch()
    weights = torch.tensor([0.5, 1.0, 2.0, 3.0]) if weighted else None
    loss = Loss(Training(**settings), weights)
    targets = shares() if mixed else targets
    total, weight = loss(logits, targets)
    torch.testing.assert_close(loss.mean(logits, targets), total / weight)
