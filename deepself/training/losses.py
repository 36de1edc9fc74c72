"""Losses: cross-entropy and focal loss, of weighted classes, smoothed labels and mixed items.

And that of a network which learns without labels.
"""

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from deepself.study.training import Training

EVEN = 1.1
"""Classes are even where the largest has at most so many times the items of the smallest."""


class Loss:
    """The loss of a batch, as a sum over its rows and the sum of their weights.

    With logits' probabilities p, a row's shares s of the classes (1 and 0s, unless rows were
    mixed), smoothed to t = (1 - e) s + e / classes, class weights w and the focal exponent g,

        sum = Σ_rows Σ_c w_c t_c (1 - p_c)^g (-log p_c),    weights = Σ_rows Σ_c w_c s_c.

    Their quotient is the loss. It is torch's `cross_entropy` with its `weight` and
    `label_smoothing` where targets are indices and g = 0: torch, too, weighs each class of a
    smoothed label, but divides by the weights of the true ones. For shares torch divides by the
    number of rows; here a row that another was mixed into by a share of 0 counts as if it had
    never been mixed. Since both parts are sums, those of micro-batches add up to the whole's.

    Parameters
    ----------
    settings
        Label smoothing and focal exponent.
    weights
        Of the classes (classes,); None weighs all by 1.

    Notes
    -----
    The focal loss is that of T.-Y. Lin et al., "Focal Loss for Dense Object Detection", ICCV 2017,
    equation 5, with class weights as its alpha; for several classes with shares, each class's
    term is damped by its own probability.
    """

    def __init__(self, settings: Training, weights: Tensor | None = None):
        self._smoothing, self._gamma = settings.label_smoothing, settings.focal or 0.0
        self._weights = weights

    def __call__(self, logits: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """The sum of the rows' losses, and the sum of their weights.

        Parameters
        ----------
        logits
            (rows, classes), of any precision; the loss is computed in float32 at least.
        targets
            int64 (rows,): index of each row's class; or float (rows, classes): shares.

        Returns
        -------
        tuple of Tensor
            Two scalars on the logits' device; the second has no gradient.
        """
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
        weights = None if self._weights is None else self._weights.to(logits.dtype)
        if targets.ndim > 1:
            targets = targets.to(logits.dtype)
        if self._gamma:
            return self._focal(logits, targets, weights), self.weight(targets)
        smoothing = self._smoothing
        total = cross_entropy(logits, targets, weights, reduction="sum", label_smoothing=smoothing)
        return total, self.weight(targets)

    def mean(self, logits: Tensor, targets: Tensor) -> Tensor:
        """The quotient of both sums; where torch has it as one operator, by that."""
        if targets.ndim == 1 and not self._gamma:
            smoothing = self._smoothing
            return cross_entropy(logits, targets, self._weights, label_smoothing=smoothing)
        total, weight = self(logits, targets)
        return total / weight

    def weight(self, targets: Tensor) -> Tensor:
        """The sum of the rows' weights alone: what the parts of a batch are divided by."""
        if self._weights is None:
            return torch.full((), float(len(targets)), device=targets.device)
        if targets.ndim == 1:
            return self._weights[targets].sum()
        return (targets.to(self._weights.dtype) @ self._weights).sum()

    def _focal(self, logits: Tensor, targets: Tensor, weights: Tensor | None) -> Tensor:
        classes = logits.shape[1]
        shares = targets
        if targets.ndim == 1:  # one_hot looks at the values, which vmap cannot
            names = torch.arange(classes, device=targets.device)
            shares = (targets[:, None] == names).to(logits.dtype)
        if self._smoothing:
            shares = (1 - self._smoothing) * shares + self._smoothing / classes
        if weights is not None:
            shares = shares * weights
        logs = logits.log_softmax(1)
        # At a probability of 1 the power of an exponent below 1 has no finite slope.
        missing = (-torch.expm1(logs)).clamp_min(torch.finfo(logs.dtype).eps)
        return -(shares * missing**self._gamma * logs).sum()


class OwnLoss:
    """The loss of a network that learns without labels: it gives each item's; all count alike."""

    def __call__(self, losses: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """The sum of the items' losses (rows,), and their number."""
        return losses.sum(), self.weight(targets)

    def mean(self, losses: Tensor, targets: Tensor) -> Tensor:
        """The quotient of both."""
        return losses.mean()

    def weight(self, targets: Tensor) -> Tensor:
        """The number of items."""
        return torch.full((), float(len(targets)), device=targets.device)


def weights_for(settings: Training, targets: Tensor, classes: int) -> tuple[Tensor | None, str]:
    """Class weights as the settings ask, and why, in words.

    Parameters
    ----------
    settings
        `class_weights` and `sampling`.
    targets
        Index of each training item's class (items,).
    classes
        Number of classes.

    Returns
    -------
    tuple
        Weights (classes,), or None; and a line for the log.
    """
    if settings.class_weights == "none":
        return None, "none: so the study asks"
    if settings.sampling == "balanced":
        return None, "none: sampling is balanced"
    counts = torch.bincount(targets, minlength=classes)
    present = [count for count in counts.tolist() if count]
    if not present:
        return None, "none: there are no items"
    ratio = max(present) / min(present)
    why = f"the largest class has {ratio:.3g} times the items of the smallest"
    if len(present) < classes:
        why += f"; {classes - len(present)} of {classes} classes have none"
    if settings.class_weights == "auto" and ratio <= EVEN:
        return None, f"none: {why}"
    return class_weights(targets, classes), f"balanced: {why}"


def class_weights(targets: Tensor, classes: int) -> Tensor:
    """Weights inverse to each class's share of the targets, in the order of the classes.

    They average to 1 over the items; a class without items weighs nothing.
    """
    counts = torch.bincount(targets, minlength=classes).to(torch.float32)
    present = counts > 0
    weights = len(targets) / (present.sum() * counts)
    return torch.where(present, weights, torch.zeros_like(weights))
