"""An interrupt at any event of a run, from the keyboard or another thread: nothing is lost."""

import inspect
import sys
from contextlib import contextmanager
from itertools import count
from threading import Event, Thread, Timer

import pytest
import torch

from sdnb.dialogue import Dialogue
from sdnb.errors import HookError, SdnbError
from sdnb.events import POINTS, Hooks

FIELDS = {"seed": 7, "steps": 3, "width": 64, "height": 64, "sampler": "heun"}
PROMPT = "a red circle on a meadow"


def at(moment, error):
    """Hooks at all points, one of which raises at its turn."""
    turns = count()

    def raising(_event):
        if next(turns) == moment:
            raise error

    return Hooks(**{f"on_{point}": (raising,) for point in POINTS})


@pytest.fixture(scope="module")
def whole(pipe):
    return pipe.run(PROMPT, **FIELDS)


@pytest.fixture(scope="module")
def moments(pipe):
    return len(list(pipe.start(PROMPT, **FIELDS)))


def test_every_event_may_be_the_one_that_is_interrupted(pipe, whole, moments):
    for moment in range(moments):
        # given
        run = pipe.start(PROMPT, hooks=at(moment, KeyboardInterrupt()), **FIELDS)

        # when
        with pytest.raises(KeyboardInterrupt):
            run.finish()
        run.cancel()
        partial = run.finish()

        # then
        assert partial.interrupted
        states = zip(partial.trace.x, whole.trace.x, strict=False)
        assert all(torch.equal(x, same) for x, same in states)
        assert len(partial.images) == (0 if run.denoised is None else 1)
    assert torch.equal(pipe.run(PROMPT, **FIELDS).latents, whole.latents)


def test_every_hook_may_fail(pipe, whole, moments):
    for moment in range(moments):
        # when
        run = pipe.start(PROMPT, hooks=at(moment, ValueError("no")), **FIELDS)
        with pytest.raises(HookError, match="ValueError: no"):
            run.finish()
        run.cancel()

        # then
        assert run.finish().interrupted
    assert torch.equal(pipe.run(PROMPT, **FIELDS).latents, whole.latents)


def test_another_thread_may_cancel(pipe, whole):
    # given
    run = pipe.start(PROMPT, **{**FIELDS, "steps": 200})
    run.step()

    # when
    results = []
    worker = Thread(target=lambda: results.append(run.finish()))
    worker.start()
    run.cancel()
    worker.join(60)

    # then
    assert results[0].interrupted
    assert 1 <= results[0].trace.steps < 200
    assert torch.equal(pipe.run(PROMPT, **FIELDS).latents, whole.latents)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ValueError("no")])
def test_a_run_that_cannot_go_on_says_so_until_it_is_cancelled(pipe, error):
    # given
    run = pipe.start(PROMPT, hooks=at(4, error), **FIELDS)
    with pytest.raises((KeyboardInterrupt, HookError)):
        run.finish()

    # when
    for go_on in (run.finish, run.step, run.ask):
        with pytest.raises(SdnbError, match=r"interrupt fell into a hook|ValueError: no"):
            go_on()

    # then
    assert run.has_failed
    run.cancel()
    assert run.finish().interrupted


@pytest.mark.parametrize("event", range(4))
def test_an_interrupt_between_what_is_said_and_its_being_heard_loses_no_answer_silently(
    pipe, event
):
    # given
    run = pipe.start(PROMPT, seed=7, steps=2)
    for _ in range(event):
        next(run)

    # when
    with interrupting(Dialogue.say, "self._waiting = None if"), pytest.raises(KeyboardInterrupt):
        next(run)

    # then
    with pytest.raises(SdnbError, match="interrupt"):
        next(run)
    run.cancel()
    assert run.finish().interrupted


@contextmanager
def interrupting(function, before):
    """Raise KeyboardInterrupt once, where a function comes to a line that begins so."""
    code = inspect.unwrap(function).__code__
    lines, first = inspect.getsourcelines(code)
    place = first + next(i for i, line in enumerate(lines) if line.strip().startswith(before))

    def trace(frame, what, _value):
        if frame.f_code is not code:
            return None
        if what == "line" and frame.f_lineno == place:
            sys.settrace(None)
            raise KeyboardInterrupt
        return trace

    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(None)


def test_a_cancelled_run_asks_its_network_no_more(pipe):
    # given
    run = pipe.start(PROMPT, **FIELDS)
    run.step()

    # when
    asked = run.ask()
    run.cancel()

    # then
    assert asked is not None
    assert run.ask() is None
    assert run.finish().interrupted


def test_a_run_that_has_begun_waits_for_its_turn_though_it_would_not_have_begun(pipe, whole):
    # given
    inside, go_on = Event(), Event()

    def hold(_event):
        inside.set()
        go_on.wait(60)

    run = pipe.start(PROMPT, wait=False, **FIELDS)
    next(run)
    hooks = Hooks(on_start=(hold,))
    other = Thread(target=pipe.run, args=(PROMPT,), kwargs={**FIELDS, "hooks": hooks})
    other.start()
    inside.wait(60)

    # when
    Timer(0.2, go_on.set).start()
    result = run.finish()
    other.join(60)

    # then
    assert torch.equal(result.latents, whole.latents)
