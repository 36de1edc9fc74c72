"""Schedules against torch's own, step by step."""

import json
import math

import pytest
import torch
from pydantic import TypeAdapter
from torch.optim import lr_scheduler

from deepself.study.training import AnySchedule
from deepself.training.schedules import Schedule, set_lr

PER_EPOCH, EPOCHS = 7, 6
STEPS = PER_EPOCH * EPOCHS


def schedule(per_epoch=PER_EPOCH, epochs=EPOCHS, **settings):
    return Schedule(TypeAdapter(AnySchedule).validate_python(settings), per_epoch, epochs)


def optimiser(lr=0.5):
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr)


def torch_factors(make, steps=STEPS, every=1, lr=0.5):
    """Share of the learning rate at each step of one of torch's; `every` steps it is stepped."""
    made = optimiser(lr)
    scheduler = make(made)
    factors = []
    for step in range(steps):
        factors.append(made.param_groups[0]["lr"] / lr)
        made.step()
        if (step + 1) % every == 0 and step + 1 < steps:
            scheduler.step()
    return factors


def factors(ours, steps=STEPS):
    return [ours.factor(step) for step in range(steps)]


def test_constant():
    assert factors(schedule(type="constant")) == [1.0] * STEPS


def test_step():
    ours = schedule(type="step", every=2, factor=0.3)
    theirs = torch_factors(lambda o: lr_scheduler.StepLR(o, 2, 0.3), every=PER_EPOCH)
    assert factors(ours) == pytest.approx(theirs, rel=1e-12)


def test_exponential():
    ours = schedule(type="exponential", factor=0.8)
    theirs = torch_factors(lambda o: lr_scheduler.ExponentialLR(o, 0.8), every=PER_EPOCH)
    assert factors(ours) == pytest.approx(theirs, rel=1e-12)


@pytest.mark.parametrize("final", [0.0, 0.1])
def test_cosine(final):
    ours = schedule(type="cosine", final=final)
    theirs = torch_factors(lambda o: lr_scheduler.CosineAnnealingLR(o, STEPS, 0.5 * final))
    assert factors(ours) == pytest.approx(theirs, abs=1e-12)


@pytest.mark.parametrize("final", [0.0, 0.1])
def test_cosine_of_cycles_is_torch_s_with_restarts(final):
    ours = schedule(type="cosine", cycles=3, final=final)
    each = STEPS // 3
    theirs = torch_factors(
        lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, each, eta_min=0.5 * final)
    )
    assert factors(ours) == pytest.approx(theirs, abs=1e-12)
    assert [step for step, factor in enumerate(factors(ours)) if factor == 1] == [0, 14, 28]


def test_cycles_that_do_not_divide_the_epochs_are_cosines_of_their_own():
    """After a warm-up of half an epoch, cycles of 1.5, 2 and 2 epochs."""
    found = factors(schedule(type="cosine", cycles=3, warmup=0.5))
    rise = round(0.5 * PER_EPOCH)
    parts = [found[:rise], found[rise:14], found[14:28], found[28:]]
    assert parts[0] == [(k + 1) / (rise + 1) for k in range(rise)]
    for part in parts[1:]:
        alone = schedule(len(part), 1, type="cosine")
        assert part == pytest.approx(factors(alone, len(part)), abs=1e-12)


def test_cycles_of_a_single_step():
    assert factors(schedule(1, 4, type="cosine", cycles=4), 4) == [1.0] * 4


@pytest.mark.parametrize("settings", [{}, {"rise": 0.5, "start": 0.2, "final": 0.01}])
def test_one_cycle(settings):
    ours = schedule(type="one_cycle", **settings)
    rise, start, final = (
        settings.get(name, default)
        for name, default in (("rise", 0.3), ("start", 0.04), ("final", 4e-6))
    )
    theirs = torch_factors(
        lambda o: lr_scheduler.OneCycleLR(
            o, 0.5, STEPS, pct_start=rise, div_factor=1 / start, final_div_factor=start / final
        )
    )
    assert factors(ours) == pytest.approx(theirs, abs=1e-12)


def test_one_cycle_of_defaults_is_torch_s():
    theirs = torch_factors(lambda o: lr_scheduler.OneCycleLR(o, 0.5, STEPS))
    assert factors(schedule(type="one_cycle")) == pytest.approx(theirs, abs=1e-12)


@pytest.mark.parametrize(("per_epoch", "rise"), [(1, 0.3), (2, 0.5), (1, 0.9)])
def test_one_cycle_of_few_steps_stays_within_its_bounds(per_epoch, rise):
    for epochs in (1, 2, 3):
        ours = schedule(per_epoch, epochs, type="one_cycle", rise=rise)
        found = factors(ours, per_epoch * epochs)
        assert all(4e-6 * (1 - 1e-9) <= factor <= 1 for factor in found)


def test_plateau():
    uars = [0.4, 0.5, 0.5, 0.45, 0.5, 0.5, 0.6, 0.6, 0.55, 0.59, 0.6, 0.61, 0.2, 0.2]
    made = optimiser()
    # Torch waits for one epoch more than its patience, and ours is the epochs that did not rise.
    theirs = lr_scheduler.ReduceLROnPlateau(
        made, mode="max", factor=0.3, patience=1, threshold=0, eps=0
    )
    ours = schedule(1, len(uars), type="plateau", patience=2, factor=0.3)
    cuts = set()
    for epoch, uar in enumerate(uars):
        assert ours.factor(epoch) == pytest.approx(made.param_groups[0]["lr"] / 0.5)
        cuts.add(ours.factor(epoch))
        theirs.step(uar)
        ours.epoch_ends(uar)
    assert len(cuts) == 5


def test_plateau_goes_on_from_a_checkpoint():
    uars = [0.4, 0.3, 0.3, 0.3, 0.5, 0.4, 0.4, 0.4]
    whole = schedule(1, len(uars), type="plateau", patience=3)
    first = schedule(1, len(uars), type="plateau", patience=3)
    for epoch, uar in enumerate(uars):
        second = schedule(1, len(uars), type="plateau", patience=3)
        second.load_state(json.loads(json.dumps(first.state())))
        assert second.factor(epoch) == whole.factor(epoch)
        whole.epoch_ends(uar)
        second.epoch_ends(uar)
        first = second
    assert whole.factor(len(uars)) == pytest.approx(0.01)


def test_plateau_does_not_wait_while_it_warms_up():
    ours = schedule(4, 8, type="plateau", patience=1, warmup=2)
    for _ in range(3):
        ours.epoch_ends(0.5)
        assert ours.factor(31) == (1.0 if ours._epochs < 3 else pytest.approx(0.1))


@pytest.mark.parametrize("type", ["constant", "step", "exponential", "cosine", "plateau"])
@pytest.mark.parametrize("warmup", [1, 2.5, 0.3])
def test_warm_up_rises_evenly_and_then_the_schedule_begins(type, warmup):
    count = round(warmup * PER_EPOCH)
    ours = schedule(type=type, warmup=warmup)
    found = factors(ours)
    assert found[:count] == [(k + 1) / (count + 1) for k in range(count)]
    assert found[count] == 1.0
    assert found[count:] == pytest.approx(
        factors(schedule(STEPS - count, 1, type=type), STEPS - count)
        if type in ("constant", "cosine", "plateau")
        else factors(schedule(type=type), STEPS - count)
    )


def test_warm_up_and_cosine_as_torch_joins_them():
    ours = schedule(type="cosine", warmup=1, final=0.1)
    begins = 1 / (PER_EPOCH + 1)

    def joined(o):
        rise = lr_scheduler.LinearLR(o, begins, 1.0, PER_EPOCH)
        fall = lr_scheduler.CosineAnnealingLR(o, STEPS - PER_EPOCH, 0.05)
        return lr_scheduler.SequentialLR(o, [rise, fall], [PER_EPOCH])

    assert factors(ours) == pytest.approx(torch_factors(joined), abs=1e-12)


def test_shortest_warm_up_is_one_step():
    assert factors(schedule(type="constant", warmup=0.01), 3) == [0.5, 1.0, 1.0]


def test_warm_up_of_all_steps_of_a_tiny_epoch():
    assert schedule(1, 1, type="cosine", warmup=0.9).factor(0) == 0.5


def test_factor_depends_on_the_step_alone():
    ours = schedule(type="cosine", warmup=1)
    forwards = factors(ours)
    assert [ours.factor(step) for step in reversed(range(STEPS))] == forwards[::-1]
    assert ours.state() == {}
    assert math.isclose(forwards[-1], 0.0, abs_tol=0.01)


def test_groups_keep_their_proportions():
    params = [torch.nn.Parameter(torch.zeros(1)) for _ in range(2)]
    groups = [
        {"params": [p], "lr": lr, "initial_lr": lr}
        for p, lr in zip(params, (1.0, 0.1), strict=True)
    ]
    made = torch.optim.SGD(groups, lr=1.0)
    for factor in (0.5, 0.25):
        set_lr(made, factor)
        assert [g["lr"] for g in made.param_groups] == [factor, 0.1 * factor]
