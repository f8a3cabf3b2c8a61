import signal
from errno import ENOSPC
from itertools import islice
from time import sleep

import pytest
import torch
from torch import nn

from sdnb.errors import InvalidField, LoadError, ModelError
from sdnb.training import loop
from sdnb.training.computing import seeded, single_threaded
from sdnb.training.loop import (
    TrainPlan,
    TrainState,
    averaged,
    by_seconds,
    by_steps,
    take_step,
    train,
)


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
SHORT = TrainPlan(clock=by_steps(40), peak_lr=0.05, warmup=10)


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


@pytest.mark.parametrize("place", ["in a part", "in the step", "at an event"])
def test_an_interrupt_at_any_moment_loses_no_step_and_leaves_no_half_one(place, monkeypatch):
    # given
    unbroken, broken = fresh_state(), fresh_state()
    list(train(unbroken, loss_of(unbroken), SHORT))
    whole = loss_of(broken, parts=2)

    def interrupted(step, progress):
        first, second = whole(step, progress)
        return [first, raising if step == 30 and place == "in a part" else second]

    def raising():
        raise KeyboardInterrupt

    def step_then_interrupt(state, *how):
        take_step(state, *how)
        if state.step == 31 and place == "in the step":
            raise KeyboardInterrupt

    # when
    with monkeypatch.context() as patch:
        patch.setattr(loop, "take_step", step_then_interrupt)
        with pytest.raises(KeyboardInterrupt):
            for event in train(broken, interrupted, SHORT):
                if event.step == 31 and place == "at an event":
                    raise KeyboardInterrupt
    steps = broken.step
    list(train(broken, whole, SHORT))

    # then
    assert steps == (30 if place == "in a part" else 31)
    assert broken.step == unbroken.step
    assert torch.allclose(weights(broken), weights(unbroken), atol=1e-5)


@pytest.mark.usefixtures("listening")
def test_a_signal_while_a_step_is_taken_lets_it_be_ended(monkeypatch):
    # given
    state = fresh_state()

    def slowly(*how):
        signal.raise_signal(signal.SIGINT)  # reaches the main thread, which waits
        sleep(0.05)
        take_step(*how)

    monkeypatch.setattr(loop, "take_step", slowly)

    # when
    with pytest.raises(KeyboardInterrupt):
        next(train(state, loss_of(state), PLAN))

    # then
    assert state.step == 1


@pytest.mark.parametrize(
    "content",
    [
        "another network",
        "another average",
        "a part",
        "a tensor",
        "no checkpoint",
        "no optimizer",
        "empty",
        "nothing",
    ],
)
def test_a_checkpoint_that_does_not_fit_is_refused_and_changes_nothing(tmp_path, content):
    # given
    path, state = tmp_path / "state.pt", fresh_state()
    before = weights(state).clone()
    if content == "another network":
        TrainState.begin(nn.Linear(4, 1)).save(path)
    elif content == "a part":
        torch.save({"model": fresh_state().model.state_dict()}, path)
    elif content == "another average":
        other = TrainState.begin(nn.Linear(4, 1))
        other.model = fresh_state().model
        other.save(path)
    elif content == "a tensor":
        torch.save(torch.zeros(3), path)
    elif content == "no checkpoint":
        path.write_bytes(b"PK broken")
    elif content == "empty":
        path.touch()

    elif content == "no optimizer":
        state.save(path)
        torch.save({**torch.load(path, weights_only=True), "optimizer": {}}, path)
        with torch.no_grad():
            state.model.weight.zero_()
        before = weights(state).clone()

    # when
    with pytest.raises(LoadError, match="no checkpoint") as refused:
        state.restore(path)
    assert "PyTorch" not in str(refused.value)

    # then
    assert torch.equal(weights(state), before)


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


def test_a_training_may_begin_at_full_rate():
    plan = TrainPlan(clock=by_steps(10), peak_lr=0.5, warmup=0)
    assert plan.lr(0, 0.0) == 0.5


def test_a_clock_by_seconds_ends_after_its_budget():
    # given
    clock = by_seconds(60.0)
    # when, then
    assert clock(10**6, 30.0) == pytest.approx(0.5)
    assert clock(0, 60.0) == pytest.approx(1)


@pytest.mark.parametrize(
    ("clock", "length"),
    [(by_steps, 0), (by_steps, -1), (by_seconds, 0), (by_seconds, float("nan"))],
)
def test_a_training_of_no_length_is_refused(clock, length):
    with pytest.raises(InvalidField, match="goes on for some") as refused:
        clock(length)
    assert refused.value.allowed and refused.value.fix


def test_a_training_that_goes_astray_says_so_before_it_spoils_the_weights():
    # given
    state = fresh_state()
    sound, before = loss_of(state), weights(state).clone()

    # when
    with pytest.raises(ModelError, match="astray"):
        list(train(state, lambda _step, _share: [lambda: sound(0, 0.0)[0]() * float("inf")], PLAN))

    # then
    assert state.step == 0
    assert torch.equal(weights(state), before)


def test_the_averaged_weights_compute_for_a_while_and_the_own_ones_come_back():
    # given
    state = fresh_state()
    list(islice(train(state, loss_of(state), PLAN), 20))
    own, mean = weights(state).clone(), state.average.weight.clone()

    # when
    with pytest.raises(KeyError), averaged(state):
        within = state.model.weight.clone()
        raise KeyError

    # then
    assert torch.equal(within, mean)
    assert torch.equal(weights(state), own)
    assert torch.equal(state.average.weight, mean)


@pytest.mark.parametrize(
    "error", [OSError(ENOSPC, "No space left on device"), RuntimeError("disk")]
)
def test_a_checkpoint_that_cannot_be_written_leaves_the_old_one_and_no_half_one(
    tmp_path, monkeypatch, error
):
    # given
    state, path = fresh_state(), tmp_path / "state.pt"
    state.save(path)
    before = path.read_bytes()

    def fill_the_disk(_parts, partial):
        partial.write_bytes(b"half")
        raise error

    # when
    monkeypatch.setattr(torch, "save", fill_the_disk)
    with pytest.raises(InvalidField, match="could not be written"):
        state.save(path)

    # then
    assert [*tmp_path.iterdir()] == [path]
    assert path.read_bytes() == before


def test_seeds_and_threads_are_as_before_afterwards():
    # given
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    # when
    with single_threaded(), seeded(5):
        torch.rand(3)
    # then
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads
