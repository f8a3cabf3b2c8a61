from itertools import islice

import pytest
import torch
from torch import nn

from sdnb.training.computing import seeded, single_threaded
from sdnb.training.loop import TrainPlan, TrainState, by_seconds, by_steps, train


def fresh_state():
    """A small regression, the same at every call."""
    with seeded(0):
        return TrainState.begin(nn.Linear(3, 1))


def loss_of(state, parts=1):
    """Squared error of batches that the step seeds, in some parts."""

    def of_step(step, progress):
        generator = torch.Generator().manual_seed(step)
        x = torch.randn(16, 3, generator=generator)
        y = x.sum(1, keepdim=True)
        pairs = zip(x.chunk(parts), y.chunk(parts), strict=True)
        return [lambda a=a, b=b: (state.model(a) - b).square().sum() / 16 for a, b in pairs]

    return of_step


def weights(state):
    return torch.cat([p.detach().flatten() for p in state.model.parameters()])


PLAN = TrainPlan(clock=by_steps(200), peak_lr=0.05, warmup=10)


def test_training_descends_the_loss_and_ends_when_the_clock_says_so():
    # given
    state = fresh_state()
    # when
    events = list(train(state, loss_of(state), PLAN))
    # then
    assert [event.step for event in events] == list(range(1, 201))
    assert events[-1].loss < 0.02 * events[0].loss
    assert events[-1].lr < 0.001 < max(event.lr for event in events) <= 0.05


def test_a_training_that_is_resumed_ends_as_an_unbroken_one(tmp_path):
    # given
    unbroken, broken, resumed = fresh_state(), fresh_state(), fresh_state()
    list(train(unbroken, loss_of(unbroken), PLAN))
    # when
    list(islice(train(broken, loss_of(broken), PLAN), 77))
    broken.save(tmp_path / "state.pt")
    resumed.restore(tmp_path / "state.pt")
    list(train(resumed, loss_of(resumed), PLAN))
    # then
    assert resumed.step == unbroken.step
    assert torch.equal(weights(resumed), weights(unbroken))
    assert torch.equal(resumed.average.weight, unbroken.average.weight)


def test_parts_on_several_workers_give_the_same_step_as_one():
    # given
    whole, parted = fresh_state(), fresh_state()
    plan = TrainPlan(clock=by_steps(30), peak_lr=0.05, warmup=10, workers=2)
    # when
    list(train(whole, loss_of(whole), plan))
    list(train(parted, loss_of(parted, parts=4), plan))
    # then
    assert torch.allclose(weights(whole), weights(parted), atol=1e-4)


def test_the_average_lags_behind_and_is_never_trained_itself():
    # given
    state = fresh_state()
    # when
    list(islice(train(state, loss_of(state), PLAN), 20))
    # then
    assert not torch.equal(state.average.weight, state.model.weight)
    assert not any(p.requires_grad for p in state.average.parameters())


def test_a_clock_by_seconds_ends_after_its_budget():
    # given
    clock = by_seconds(60.0)
    # when, then
    assert clock(10**6, 30.0) == pytest.approx(0.5)
    assert clock(0, 60.0) == pytest.approx(1)


def test_seeds_and_threads_are_as_before_afterwards():
    # given
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    # when
    with single_threaded(), seeded(5):
        torch.rand(3)
    # then
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads
