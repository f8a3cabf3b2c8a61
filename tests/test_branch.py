"""Branches: a run goes on from any of its steps, and nothing is asked twice."""

import json
import pickle

import pytest
import torch

from sdnb.errors import InvalidField, UnknownName
from sdnb.events import Hooks, StepEvent
from sdnb.registry import HOOKS, SAMPLERS
from sdnb.request import GenerationRequest

PROMPT = "a red circle on a meadow"


def brighten(event):
    return event.x_next * 1.05 if event.index == 1 else None


def soften(event):
    return event.denoised * 0.95 if event.index == 2 else None


@pytest.fixture(scope="module")
def parent(pipe):
    hooks = Hooks(on_step=(brighten,), on_denoise=(soften,))
    return pipe.run(PROMPT, seed=7, steps=6, sampler="dpmpp_2m", hooks=hooks)


WITH_OPTIONS = (
    "dpmpp_3m eta=1",
    "deis deis_mode=rhoab",
    "er_sde noise_scale=square eta=0.5",
    "sa_solver simple_order_2=true",
)


@pytest.mark.parametrize("sampler", (*SAMPLERS.names(), *WITH_OPTIONS))
def test_a_branch_without_a_change_ends_just_as_its_parent(pipe, sampler):
    # given
    parent = pipe.run(PROMPT, seed=7, steps=5, sampler=sampler, width=64, height=64)
    step = parent.trace.steps // 2

    # when
    branch = pipe.branch(parent, step).finish()

    # then
    assert torch.equal(branch.latents, parent.latents)
    assert torch.equal(branch.trace.x, parent.trace.x)
    assert branch.trace.sigmas == parent.trace.sigmas
    assert branch.evaluations == parent.evaluations - sum(parent.trace.asked[:step])


@pytest.fixture(scope="module")
def euler(pipe):
    return pipe.run(PROMPT, seed=7, steps=5, sampler="euler", width=64, height=64)


@pytest.mark.parametrize("sampler", SAMPLERS.names())
def test_a_branch_of_a_branch_goes_on_with_the_sampler_that_its_parent_changed_to(
    pipe, euler, sampler
):
    # given
    child = pipe.branch(euler, 2, sampler=sampler).finish()

    # when
    steps = {2, child.trace.steps - 1} | ({3} if child.trace.steps > 3 else set())
    twigs = {step: pipe.branch(child, step).finish() for step in steps}

    # then
    assert child.trace.asked[:2] == (1, 1)
    assert child.trace.begin == (0 if sampler == "euler" else 2)
    for step, twig in twigs.items():
        assert torch.equal(twig.latents, child.latents)
        assert torch.equal(twig.trace.x, child.trace.x)
        assert twig.trace.sigmas == child.trace.sigmas
        assert (twig.trace.asked, twig.trace.begin) == (child.trace.asked, child.trace.begin)
        assert twig.evaluations == sum(child.trace.asked[step:])


def test_the_past_is_told_as_hooks_left_it(pipe, parent):
    # given
    hooks = Hooks(on_step=(brighten,), on_denoise=(soften,))

    # when
    branch = pipe.branch(parent, 4, hooks=hooks).finish()

    # then
    assert torch.equal(branch.latents, parent.latents)
    assert branch.request == parent.request


def test_a_branch_never_runs_another_function_of_the_same_name(pipe):
    # given
    def noise_injection(event):
        return event.x_next * 1.05

    hooks = Hooks(on_step=(noise_injection,))
    parent = pipe.run(PROMPT, seed=7, steps=3, hooks=hooks)
    read = GenerationRequest.from_json(json.loads(json.dumps(parent.request.to_json())))

    # when / then
    assert read == parent.request
    with pytest.raises(UnknownName, match=r"hooks=sdnb.Hooks.at\('step', noise_injection\)"):
        pipe.branch(parent, 1)
    again = pipe.branch(parent, 1, hooks=hooks).finish()
    assert torch.equal(again.latents, parent.latents)
    assert pipe.run(read, hooks=hooks).request == parent.request


def test_a_registered_hook_that_was_given_is_found_by_its_name(pipe):
    # given
    hooks = Hooks(on_step=(HOOKS["noise_injection"],))
    parent = pipe.run(PROMPT, seed=7, steps=3, hooks=hooks)

    # when / then
    assert torch.equal(pipe.branch(parent, 1).finish().latents, parent.latents)


def test_hooks_do_not_see_the_past(pipe, parent):
    # given
    seen = []

    # when
    pipe.branch(parent, 4, hooks=Hooks(on_step=(lambda event: seen.append(event.index),))).finish()

    # then
    assert seen == [4, 5]


@pytest.mark.parametrize(
    "changes",
    [
        {"prompt": "a blue star at night"},
        {"cfg_scale": 1.0},
        {"negative_prompt": "green"},
        {"sampler": "euler"},
        {"sampler": "euler_ancestral"},
        {"sampler": "euler_cfg_pp"},
        {"sampler": "dpm_fast"},
        {"schedule": "exponential"},
        {"steps": 20},
    ],
)
def test_a_change_shows_from_the_branch_on_only(pipe, parent, changes):
    # when
    branch = pipe.branch(parent, 3, hooks=Hooks(), **changes).finish()

    # then
    assert torch.equal(branch.trace.x[:4], parent.trace.x[:4])
    assert branch.trace.sigmas[:4] == parent.trace.sigmas[:4]
    assert not torch.allclose(branch.latents, parent.latents, atol=1e-3)
    assert sum(branch.trace.asked) == branch.evaluations + 3


def test_a_branch_of_a_branch_remembers_where_it_comes_from(pipe, parent):
    # when
    branch = pipe.branch(parent, 3, hooks=Hooks(), cfg_scale=2).finish()
    twig = pipe.branch(branch, 4).finish()

    # then
    assert branch.parent == (parent.id, 3)
    assert twig.parent == (branch.id, 4)
    assert torch.equal(twig.latents, branch.latents)
    assert pickle.loads(pickle.dumps(twig)).parent == twig.parent
    assert parent.parent is None


def test_a_branch_is_held_where_it_begins_and_may_be_changed_there(pipe, parent):
    # given
    run = pipe.branch(parent, 3, hooks=Hooks())
    assert torch.equal(run.x, parent.trace.x[3])
    assert torch.equal(run.denoised, parent.trace.denoised[2])

    # when
    run.replace(run.x.flip(-1))
    step = run.step()

    # then
    assert isinstance(step, StepEvent)
    assert (step.index, step.total) == (3, 6)
    assert torch.equal(step.x, parent.trace.x[3].flip(-1))


def test_a_branch_at_the_start_keeps_the_noise_only(pipe, parent):
    # when
    branch = pipe.branch(parent, 0, hooks=Hooks(), prompt="a blue star").finish()

    # then
    alone = pipe.run("a blue star", seed=7, steps=6, sampler="dpmpp_2m")
    assert torch.equal(branch.latents, alone.latents)
    assert branch.evaluations == 6


def test_new_noise_after_the_branch_is_another_seed_s(pipe):
    # given
    parent = pipe.run(PROMPT, seed=7, steps=5, sampler="euler_ancestral")

    # when
    branch = pipe.branch(parent, 2, seed=8).finish()

    # then
    assert torch.equal(branch.trace.x[:3], parent.trace.x[:3])
    assert not torch.allclose(branch.latents, parent.latents, atol=1e-3)


def test_a_new_stochastic_sampler_draws_what_its_past_did_not(pipe):
    # given
    parent = pipe.run(PROMPT, seed=7, steps=5, sampler="euler_ancestral")

    # when
    fresh = pipe.branch(parent, 2, sampler="euler_ancestral s_noise=0.999999").finish()

    # then
    drawn = fresh.trace.x[3] - fresh.trace.denoised[2]
    before = parent.trace.x[1] - parent.trace.denoised[0]
    assert abs(float(torch.corrcoef(torch.stack([drawn.flatten(), before.flatten()]))[0, 1])) < 0.6


def test_an_interrupted_run_can_be_branched_up_to_where_it_came(pipe):
    # given
    run = pipe.start(PROMPT, seed=7, steps=6)
    for _ in range(3):
        run.step()
    run.cancel()
    partial = run.finish()

    # when
    branches = [pipe.branch(partial, step).finish() for step in (2, 3)]

    # then
    whole = pipe.run(PROMPT, seed=7, steps=6)
    assert not any(branch.interrupted for branch in branches)
    assert all(torch.equal(branch.latents, whole.latents) for branch in branches)
    with pytest.raises(InvalidField, match="0 … 3"):
        pipe.branch(partial, 4)
    with pytest.raises(InvalidField, match="0 … 5"):
        pipe.branch(whole, 6)


@pytest.mark.parametrize("changes", [{"batch_size": 2}, {"width": 64}, {"denoise": 0.5}])
def test_a_branch_cannot_change_what_its_latents_are(pipe, parent, changes):
    with pytest.raises(InvalidField, match="the run it comes from"):
        pipe.branch(parent, 2, hooks=Hooks(), **changes)


def test_a_budget_that_is_met_is_told_and_bounds_where_a_branch_can_begin(pipe):
    # given: an answer holds denoised and two branches, 4 KB each
    small = pipe.run(PROMPT, seed=7, steps=4, budget=24 / 1024)

    # when / then
    assert [answer.denoised is None for answer in small.trace.evaluations] == [0, 0, 1, 1]
    assert "keeps 2 of 4 answers" in small.notices[-1]
    assert torch.equal(pipe.branch(small, 2).finish().latents, small.latents)
    with pytest.raises(InvalidField, match="told"):
        pipe.branch(small, 3)
    assert not any("answers" in said for said in pipe.run(PROMPT, seed=7, steps=4).notices)


def test_a_larger_budget_lets_a_branch_be_branched_anywhere(pipe):
    # given
    small = pipe.run(PROMPT, seed=7, steps=4, budget=24 / 1024)

    # when
    tight = pipe.branch(small, 2, budget=36 / 1024).finish()
    roomy = pipe.branch(small, 2, budget=48 / 1024).finish()
    bare = pipe.branch(small, 2, keep="none").finish()

    # then
    assert "keeps 3 of 4 answers" in tight.notices[-1]
    assert not any("answers" in said for said in roomy.notices)
    assert torch.equal(pipe.branch(roomy, 3).finish().latents, small.latents)
    assert torch.equal(bare.latents, small.latents)
    assert len(bare.trace.x) == 0
    with pytest.raises(UnknownName, match="steps"):
        pipe.branch(small, 2, keep="everything")


def test_no_budget_is_blamed_for_answers_that_the_parent_did_not_keep(pipe):
    states = pipe.run(PROMPT, seed=7, steps=3, keep="steps")
    branch = pipe.branch(states, 1, sampler="euler").finish()
    assert not any("answers" in said for said in branch.notices)


def test_a_branch_has_no_step_of_its_parent_s(pipe, parent):
    # given
    child = pipe.branch(parent, 3, hooks=Hooks(), prompt="a blue star").finish()

    # when / then
    with pytest.raises(InvalidField, match=parent.id):
        pipe.branch(child, 2)
    assert torch.equal(pipe.branch(child, 3).finish().latents, child.latents)


@pytest.mark.parametrize("changes", [{}, {"sampler": "euler"}])
def test_what_is_done_to_a_branch_s_latents_leaves_its_parent_alone(pipe, parent, changes):
    # given
    before = parent.trace.x.clone(), parent.trace.denoised.clone()
    run = pipe.branch(parent, 2, hooks=Hooks(), **changes)

    # when
    run.x.mul_(0)
    run.denoised.mul_(0)

    # then
    assert torch.equal(parent.trace.x, before[0])
    assert torch.equal(parent.trace.denoised, before[1])
    assert not run.finish().trace.x[2].any()


def test_what_was_not_kept_cannot_be_told_again(pipe):
    # given
    bare = pipe.run(PROMPT, seed=7, steps=4, keep="none")
    states = pipe.run(PROMPT, seed=7, steps=4, keep="steps")

    # when / then
    assert torch.equal(bare.latents, states.latents)
    assert (len(bare.trace.x), len(states.trace.x), bare.trace.steps) == (0, 5, 4)
    with pytest.raises(InvalidField, match="keep='all'"):
        pipe.branch(bare, 2)
    with pytest.raises(InvalidField, match="told"):
        pipe.branch(states, 2)
    assert pipe.branch(states, 2, sampler="euler").finish().trace.steps == 4
    with pytest.raises(UnknownName, match="steps"):
        pipe.run(PROMPT, keep="everything")
