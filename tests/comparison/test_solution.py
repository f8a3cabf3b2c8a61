"""A cell's ODE: where it starts, who shares it, who leaves it."""

import pytest
import torch
from PIL import Image

import sdnb
from sdnb.comparison import solution
from sdnb.comparison.compare import Comparison
from sdnb.comparison.engine import Lockstep
from sdnb.comparison.plan import Cell, cross
from sdnb.comparison.solution import why_off_path
from sdnb.events import Hooks
from sdnb.picture import FromImage, Inpaint, Picture
from sdnb.registry import SAMPLERS
from sdnb.request import GenerationRequest
from sdnb.start import plan_levels

SMALL = GenerationRequest(prompt="a red circle", seed=3, width=32, height=32, cfg_scale=4)
PICTURE = Picture.of(Image.new("RGB", (32, 32), "white"))


@pytest.fixture
def short(monkeypatch):
    monkeypatch.setattr(solution, "STEPS", 3)
    monkeypatch.setattr(solution, "CHECK_STEPS", 3)


def solutions(pipe, **fields):
    """Return the cells that solve a comparison's ODEs, made without solving them."""
    comparison = sdnb.compare(pipe, SMALL.changed(steps=2), keep="none", **fields)
    pairs = zip(comparison.plan.cells, comparison.results, strict=True)
    return [solution.solution(pipe.components, cell, result) for cell, result in pairs]


def test_cells_that_start_alike_have_one_solution(pipe):
    # when
    found = solutions(pipe, sampler=["euler", "heun"], steps=[2, 3], schedule=["karras", "simple"])

    # then
    assert len({cell.work for cell in found}) == 1


@pytest.mark.parametrize(
    "axis", [{"seed": [1, 2]}, {"cfg_scale": [1.0, 4.0]}, {"negative_prompt": ["a cat", "a tree"]}]
)
def test_cells_that_start_or_are_guided_differently_have_their_own(pipe, axis):
    assert len({cell.work for cell in solutions(pipe, **axis)}) == 2


@pytest.mark.parametrize(
    "fields",
    [{}, {"schedule": "ddim_uniform", "steps": 10}, {"denoise": 0.5}, {"steps": 1}],
)
def test_a_solution_starts_from_its_cell_s_own_first_level(pipe, fields):
    # given
    request = SMALL.changed(**{"steps": 2, **fields})
    result = pipe.run(request, keep="none")

    # when
    cell = solution.solution(pipe.components, Cell(labels=(), request=request), result)
    levels = plan_levels(pipe.components, cell.request)

    # then
    assert levels[0] == pytest.approx(plan_levels(pipe.components, request)[0], rel=1e-5)
    assert len(levels) == solution.STEPS + 1
    assert levels[-2] <= pipe.components.noise_schedule.sigma_min * (1 + 1e-9)


@pytest.mark.parametrize(
    "fields",
    [
        {"schedule": "ddim_uniform", "steps": 5},
        {"start": FromImage(PICTURE), "denoise": 0.5},
        {"start": Inpaint(PICTURE, PICTURE), "denoise": 0.7},
        {"seed": 2, "batch_size": 2},
    ],
)
def test_a_solution_starts_from_its_cell_s_own_latents(pipe, short, fields):
    # given
    comparison = sdnb.compare(pipe, SMALL.changed(**{"steps": 3, **fields}), cfg_scale=[4.0])
    (result,) = comparison.results

    # when
    cell = solution.solution(pipe.components, comparison.plan.cells[0], result)
    solved = pipe.run(cell.request)

    # then
    assert torch.allclose(solved.trace.x[0], result.trace.x[0], atol=1e-4)
    assert solved.seeds == result.seeds


def test_odes_are_solved_once_and_only_when_asked_for(pipe, short):
    # given
    asked = []
    hooks = Hooks(on_model=(lambda event: asked.append(event.sigma),))
    comparison = sdnb.compare(pipe, SMALL, sampler=["euler", "heun"], steps=2, hooks=hooks)
    before = len(asked)

    # when
    first, second = comparison.solutions(), comparison.solutions()

    # then
    assert before == 2 + 3
    assert len(asked) == before + 2 * 3 - 1 + 3
    assert first.goals == second.goals
    assert first.goals[0] is first.goals[1]
    assert first.floors[0] == first.floors[1] > 0


def test_cells_without_a_seed_are_measured_from_the_one_they_drew(pipe, short):
    # given
    plan = cross(SMALL.changed(seed=None), {"steps": [1, 2]})

    # when
    comparison = Comparison(plan, Lockstep(pipe)).resume()

    # then
    seeds = [goal.seeds for goal in comparison.solutions().goals]
    assert seeds == [result.seeds for result in comparison.results]


@pytest.mark.parametrize(
    ("sampler", "cfg_scale", "reason"),
    [
        ("heun", 4, ""),
        ("heun s_churn=5", 4, "noise of its own"),
        ("ddpm", 4, "noise of its own"),
        ("euler_ancestral", 4, "noise of its own"),
        ("euler_ancestral eta=0", 4, ""),
        ("ddim eta=1", 4, "noise of its own"),
        ("euler_cfg_pp", 4, "the path of CFG++"),
        ("euler_cfg_pp", 1, ""),
        ("diffusers:DDIMScheduler", 4, "a start of its own"),
        ("dpm_adaptive", 4, ""),
    ],
)
def test_runs_that_leave_their_ode_are_known(sampler, cfg_scale, reason):
    assert why_off_path(SMALL.changed(sampler=sampler, cfg_scale=cfg_scale)) == reason


def test_every_sampler_that_draws_noise_leaves_its_ode():
    for name in SAMPLERS.names():
        if SAMPLERS[name].stochastic:
            assert why_off_path(SMALL.changed(sampler=name)) == "noise of its own"


def test_words_that_change_on_the_way_are_no_ode():
    request = SMALL.changed(prompt="a [red:blue:0.5] circle", steps=4)
    assert why_off_path(request) == "words that change on the way"
    assert why_off_path(request.changed(syntax="plain")) == ""


def test_what_is_solved_stays_solved_when_cells_are_added(pipe, short):
    # given: the second cell fails once
    fails = [True]

    def fail(_event):
        if fails:
            fails.pop()
            raise ValueError

    asked = []
    count = Hooks(on_model=(lambda event: asked.append(event.sigma),))
    comparison = sdnb.compare(pipe, SMALL, steps=2, hooks=[count, count + Hooks(on_step=(fail,))])
    first = comparison.solutions()
    before = len(asked)
    # when
    comparison.retry()
    second = comparison.solutions()
    # then: two steps, and the second cell's own solutions
    assert first.goals[0] is second.goals[0] and second.goals[1] is not None
    assert len(asked) == before + 2 + (2 * 3 - 1 + 3)
