"""An interrupt at any event of a run, from the keyboard or another thread: nothing is lost."""

from itertools import count
from threading import Thread

import pytest
import torch

from sdnb.errors import HookError
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
