"""Runs side by side: each ends as it would alone, in far fewer network calls."""

from dataclasses import dataclass, field, replace
from time import sleep

import pytest
import torch

import sdnb
from sdnb.errors import HookError, ModelError
from sdnb.events import Hooks
from sdnb.lockstep import lockstep
from sdnb.models.denoiser import Denoiser
from sdnb.models.networks import Networks
from sdnb.registry import SAMPLERS

PROMPT = "a large blue house on a meadow"


@dataclass(frozen=True, eq=False)
class Counting(Denoiser):
    """A denoiser that writes down how many rows each call had, and breaks where told to."""

    rows: list[int] = field(default_factory=list)
    breaks: dict[str, int] = field(default_factory=dict)

    def __call__(self, questions):
        rows = sum(len(question.x) * len(question.branches) for question in questions)
        if self.breaks.get("interrupt at") == len(self.rows):
            self.breaks.clear()
            raise KeyboardInterrupt
        if any(len(question.x) == self.breaks.get("no kernel for") for question in questions):
            raise RuntimeError("no kernel")
        if rows > self.breaks.get("most", rows):
            raise torch.OutOfMemoryError
        self.rows.append(rows)
        return super().__call__(questions)


@pytest.fixture
def counting(pipe):
    return Counting(pipe.components)


def start(pipe, **fields):
    return pipe.start(PROMPT, **{"seed": 7, "steps": 3, **fields})


def drive(networks, runs):
    failed = {}
    for each in lockstep(networks, runs):
        failed |= each.failed
    return failed


def relative(a, b):
    return float((a - b).norm() / b.norm())


def test_every_sampler_ends_as_it_does_alone(pipe, counting):
    # given
    names, small = SAMPLERS.names(), {"width": 32, "height": 32}
    runs = [start(pipe, sampler=name, **small) for name in names]

    # when
    failed = drive(Networks(counting), runs)
    together = [run.finish() for run in runs]

    # then
    assert not failed
    for name, result in zip(names, together, strict=True):
        alone = start(pipe, sampler=name, **small).finish()
        assert relative(result.latents, alone.latents) < 1e-4, name
        assert result.evaluations == alone.evaluations
        assert result.images[0].size == (32, 32)
    asked = sum(result.evaluations for result in together)
    assert len(counting.rows) < asked / 3


def test_runs_that_differ_in_everything_share_their_calls(pipe, counting):
    # given
    runs = [
        start(pipe, steps=2, sampler="euler", seed=1),
        start(pipe, steps=4, sampler="euler", cfg_scale=1.0, batch_size=2),
        pipe.start("a red cat", steps=3, seed=3, sampler="heun"),
    ]

    # when
    drive(Networks(counting), runs)

    # then: 2 rows with guidance, 2 for a batch of two without it
    assert counting.rows == [6, 6, 4, 4, 2]
    assert [run.finish().evaluations for run in runs] == [2, 4, 5]


def test_sizes_are_asked_apart(pipe, counting):
    drive(Networks(counting), [start(pipe, steps=1), start(pipe, steps=1, width=192)])
    assert counting.rows == [2, 2]


def test_too_little_memory_halves_the_calls_and_loses_nothing(pipe, counting):
    # given
    counting.breaks["most"] = 5
    networks, runs = Networks(counting), [start(pipe, seed=seed) for seed in range(8)]

    # when
    failed = drive(networks, runs)

    # then
    assert not failed
    assert networks.row_limit == 4
    assert counting.rows == [4] * 4 * 3
    alone = start(pipe, seed=5).finish()
    assert relative(runs[5].finish().latents, alone.latents) < 1e-3


def test_a_question_that_fits_nowhere_fails_alone(pipe, counting):
    # given
    counting.breaks["most"] = 2
    runs = [start(pipe), start(pipe, batch_size=2), start(pipe)]

    # when
    failed = drive(Networks(counting), runs)

    # then
    assert list(failed) == [1]
    assert isinstance(failed[1], ModelError)
    assert not runs[2].finish().interrupted


def test_an_error_in_one_run_leaves_the_others(pipe, counting):
    # given
    def fail(_event):
        raise ValueError("stop")

    runs = [
        start(pipe, hooks=hooks)
        for hooks in (Hooks(), Hooks(on_step=(fail,)), Hooks(on_denoise=(fail,)), Hooks())
    ]

    # when
    failed = drive(Networks(counting), runs)

    # then
    assert {place: type(error) for place, error in failed.items()} == {1: HookError, 2: HookError}
    assert not runs[3].finish().interrupted


@pytest.mark.parametrize("call", range(3))
def test_an_interrupt_loses_nothing(pipe, counting, call):
    # given
    counting.breaks["interrupt at"] = call
    runs = [start(pipe, seed=seed, sampler="euler") for seed in range(3)]

    # when
    with pytest.raises(KeyboardInterrupt):
        drive(Networks(counting), runs)
    drive(Networks(counting), runs)

    # then
    assert counting.rows == [6, 6, 6]
    assert not any(run.finish().interrupted for run in runs)


def test_a_watched_run_is_asked_alone(pipe, counting):
    events = []
    runs = [start(pipe), start(pipe, hooks=sdnb.on_module("mid_block", events.append))]
    drive(Networks(counting), runs)

    assert [len(event.activation) for event in events] == [2, 2, 2]


def test_a_run_that_an_interrupt_ended_is_reported_as_failed_and_no_other(pipe, counting):
    # given
    interrupts = iter([False, True])

    def interrupt(_event):
        if next(interrupts, False):
            raise KeyboardInterrupt

    runs = [start(pipe, hooks=hooks) for hooks in (Hooks(), Hooks(on_step=(interrupt,)))]

    # when
    with pytest.raises(KeyboardInterrupt):
        drive(Networks(counting), runs)
    rounds = list(lockstep(Networks(counting), runs))

    # then
    assert [number for each in rounds for number in each.ended] == [0]
    failed = {number: error for each in rounds for number, error in each.failed.items()}
    assert list(failed) == [1]
    assert "interrupt" in str(failed[1])
    assert not runs[0].finish().interrupted


def test_a_run_that_failed_fails_again_with_its_error(pipe, counting):
    # given
    def fail(_event):
        raise ValueError("stop")

    runs = [start(pipe, hooks=Hooks(on_step=(fail,)))]

    # when
    first, again = (drive(Networks(counting), runs) for _ in range(2))

    # then
    assert isinstance(first[0], HookError)
    assert again == first


def test_a_cancelled_run_ends_and_the_others_go_on(pipe, counting):
    # given
    runs = [start(pipe, seed=seed) for seed in range(2)]
    rounds = lockstep(Networks(counting), runs)
    next(rounds)

    # when
    runs[0].cancel()
    ended = [each.ended for each in rounds]

    # then
    assert ended[0] == (0,)
    assert counting.rows == [4, 2, 2]
    assert [run.finish().interrupted for run in runs] == [True, False]


def test_seconds_are_those_of_hooks_and_samplers_too(pipe, counting):
    # given
    hooks = Hooks(on_step=(lambda _event: sleep(0.2),), on_text=(lambda _event: sleep(0.2),))
    runs = [start(pipe, steps=2, hooks=hooks), start(pipe, steps=2)]

    # when
    drive(Networks(counting), runs)
    slow, quick = (run.finish().seconds for run in runs)

    # then
    assert slow - quick > 0.6


def test_texts_that_stand_there_twice_are_read_as_once(pipe, counting):
    # given: both branches twice as long, or one of them
    def lengthen(event):
        return {name: _longer(cond) for name, cond in event.branches.items()}

    def unequal(event):
        return {**event.branches, "cond": _longer(event.branches["cond"])}

    def hooked(change):
        return Hooks(on_model=(lambda event: replace(event, branches=change(event)),))

    runs = [start(pipe), start(pipe, hooks=hooked(lengthen)), start(pipe, hooks=hooked(unequal))]

    # when
    failed = drive(Networks(counting), runs)

    # then
    assert failed == {}
    once, *twice = (run.finish().latents for run in runs)
    assert all(torch.allclose(latents, once, atol=1e-3) for latents in twice)


def _longer(cond):
    return replace(cond, embeds=torch.cat([cond.embeds, cond.embeds], dim=1))


def test_a_question_the_network_cannot_answer_fails_alone(pipe, counting):
    # given
    counting.breaks["no kernel for"] = 3
    runs = [start(pipe), start(pipe, batch_size=3)]

    # when
    failed = drive(Networks(counting), runs)

    # then
    assert list(failed) == [1]
    with pytest.raises(ModelError) as raised:
        raise failed[1]
    assert isinstance(raised.value.__cause__, RuntimeError)
    assert not runs[0].finish().interrupted


def test_where_a_watched_question_fails_no_other_is_asked_twice(pipe, counting):
    # given
    def fail(_event):
        raise ValueError("stop")

    seen = []
    watched = [sdnb.on_module("mid_block", hook) for hook in (seen.append, fail)]
    runs = [start(pipe), *(start(pipe, hooks=hooks) for hooks in watched)]

    # when
    failed = drive(Networks(counting), runs)

    # then
    assert {number: type(error) for number, error in failed.items()} == {2: HookError}
    assert len(seen) == 3
    assert counting.rows == [2] * (1 + 2 * 3)


def decoding_at_most(pipe, monkeypatch, most):
    """Let the decoder run out of memory above so many pictures; returns its calls' counts."""
    calls, decode = [], pipe.components.vae.decode

    def counted(latents):
        calls.append(len(latents))
        if len(latents) > most:
            raise torch.OutOfMemoryError
        return decode(latents)

    monkeypatch.setattr(pipe.components.vae, "decode", counted)
    return calls


def test_a_batch_larger_than_the_decoder_is_decoded_in_parts(pipe, counting, monkeypatch):
    # given
    calls = decoding_at_most(pipe, monkeypatch, 1)
    networks, runs = Networks(counting), [start(pipe, steps=1, batch_size=3)]

    # when
    failed = drive(networks, runs)

    # then
    assert not failed
    assert calls == [3, 1, 1, 1]
    assert networks.row_limit == Networks(counting).row_limit
    result = runs[0].finish()
    assert len(result.images) == len(pipe.decode(result.latents)) == 3
    assert calls[4:] == [3, 1, 1, 1]


def test_a_picture_too_large_for_the_decoder_fails_with_its_size(pipe, counting, monkeypatch):
    # given
    decoding_at_most(pipe, monkeypatch, 0)
    runs = [start(pipe, steps=1), start(pipe, steps=1)]

    # when
    failed = drive(Networks(counting), runs)

    # then
    assert list(failed) == [0, 1]
    assert "latents (1, 4, 16, 16)" in str(failed[0])
