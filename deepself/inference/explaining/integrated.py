"""Integrated gradients: what each value adds to a logit on the way from a baseline to the item."""

import numpy as np
import torch
from torch import Tensor

from deepself.inference.explaining.asking import (
    Attributed,
    Effort,
    Given,
    Logits,
    gradients,
    numbers,
)
from deepself.inference.explaining.result import NEGLIGIBLE
from deepself.inference.running import LoadedRun

TOLERANCE = 0.02
"""Share of the logit's difference by which attributions may miss it before steps are doubled."""


def integrated(
    run: LoadedRun,
    given: Given,
    target: int,
    baselines: list[Tensor],
    words: list[str],
    effort: Effort,
) -> Attributed:
    """Integrated gradients, with as many steps as their sum needs.

    M. Sundararajan, A. Taly, Q. Yan, "Axiomatic Attribution for Deep Networks", ICML 2017.
    """
    from captum.attr import IntegratedGradients

    logits = Logits(run)
    with torch.no_grad():
        ends = [
            logits(*own)[:, target]
            for own in ((*given.items, *given.lengths), (*baselines, *given.lengths))
        ]
    differences = numbers(ends[0] - ends[1])
    steps = effort.steps
    while True:
        found: list[list[np.ndarray]] = []
        for rows in given.parts():
            own = given.rows(rows)
            with gradients(run):
                values = IntegratedGradients(logits).attribute(
                    tuple(own.items),
                    baselines=tuple(one[rows] for one in baselines),
                    target=target,
                    additional_forward_args=tuple(own.lengths),
                    n_steps=steps,
                    internal_batch_size=given.at_once,
                )
            found.append([numbers(one) for one in values])
        values = [np.concatenate(one) for one in zip(*found, strict=True)]
        totals = np.sum([one.reshape(len(one), -1).sum(1, np.float64) for one in values], axis=0)
        missed = np.abs(totals - differences).max()
        if (
            missed <= TOLERANCE * max(np.abs(differences).max(), NEGLIGIBLE)
            or 2 * steps > effort.most_steps
        ):
            break
        steps *= 2
    about = f"{steps} steps from the baseline to the item"
    return Attributed(values, words, about, totals, differences, steps)
