"""Runs side by side: each ends as it would alone, in far fewer network calls."""

from dataclasses import dataclass, field

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
    names = SAMPLERS.names()
    runs = [start(pipe, sampler=name) for name in names]

    # when
    failed = drive(Networks(counting), runs)
    together = [run.finish() for run in runs]

    # then
    assert not failed
    for name, result in zip(names, together, strict=True):
        alone = start(pipe, sampler=name).finish()
        assert relative(result.latents, alone.latents) < 1e-4, name
        assert result.evaluations == alone.evaluations
        assert result.images[0].size == (128, 128)
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


def test_each_text_is_encoded_once(pipe):
    networks = Networks(Denoiser(pipe.components))
    drive(networks, [start(pipe, steps=1, seed=seed) for seed in range(3)])
    assert [wish.prompts for wish in networks.texts] == [("",), (PROMPT,)]


def test_too_little_memory_halves_the_calls_and_loses_nothing(pipe, counting):
    # given
    counting.breaks["most"] = 5
    networks, runs = Networks(counting), [start(pipe, seed=seed) for seed in range(8)]

    # when
    failed = drive(networks, runs)

    # then
    assert not failed
    assert networks.rows == 4
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
