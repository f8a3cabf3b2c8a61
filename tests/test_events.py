"""Hooks: who only looks changes nothing, who changes is seen, who errs is named."""

import dataclasses

import jaxtyping
import pytest
import torch

import sdnb
from sdnb.errors import HookError, InvalidField
from sdnb.events import During, Hooks
from sdnb.hook_use import HookUse
from sdnb.registry import HOOKS
from sdnb.request import GenerationRequest

PROMPT = "a red circle"


def run(pipe, **hooks):
    return pipe.run(PROMPT, seed=7, steps=3, sampler="euler", hooks=Hooks(**hooks))


def test_a_hook_that_only_looks_changes_nothing(pipe):
    # given
    seen = []
    look = (seen.append,)

    # when
    plain = run(pipe)
    looked = run(
        pipe,
        on_text=look,
        on_start=look,
        on_model=look,
        on_denoise=look,
        on_step=look,
        on_image=look,
    )

    # then
    assert torch.equal(plain.latents, looked.latents)
    kinds = [type(event).__name__ for event in seen]
    step = ["ModelEvent", "DenoiseEvent", "StepEvent"]
    assert kinds == ["TextEvent", "TextEvent", "StartEvent", *step * 3, "ImageEvent"]


def test_what_a_step_hook_gives_back_is_seen_by_the_next_step(pipe):
    # given
    seen = []

    def zero_first(event):
        seen.append(event)
        return torch.zeros_like(event.x_next) if event.index == 0 else None

    # when
    run(pipe, on_step=(zero_first,))

    # then
    assert torch.equal(seen[1].x, torch.zeros_like(seen[1].x))


def test_a_denoise_hook_decides_what_the_sampler_gets(pipe):
    result = run(pipe, on_denoise=(lambda event: torch.ones_like(event.denoised),))
    assert torch.allclose(result.latents, torch.ones_like(result.latents), atol=1e-5)


def test_a_model_hook_can_ask_other_things(pipe):
    # given
    def only_unconditional(event):
        uncond = event.branches["uncond"]
        return dataclasses.replace(event, branches={"uncond": uncond, "cond": uncond})

    # when
    steered = run(pipe, on_model=(only_unconditional,))
    unguided = pipe.run("", seed=7, steps=3, sampler="euler", cfg_scale=1)

    # then
    assert torch.allclose(steered.latents, unguided.latents, atol=1e-3)


def test_asking_again_gives_the_same_answer_with_gradients_and_is_counted(pipe):
    # given
    differences, gradients = [], []

    def ask(event):
        x = event.x.detach().requires_grad_()
        again = event.denoise(x)
        again.sum().backward()
        differences.append(float((again - event.denoised).detach().abs().max()))
        gradients.append(float(x.grad.abs().sum()))

    # when
    result = run(pipe, on_denoise=(ask,))

    # then
    assert max(differences) < 1e-4
    assert min(gradients) > 0
    assert result.evaluations == 6


def test_text_start_and_image_hooks_replace_their_last_field(pipe):
    # given
    result = run(
        pipe,
        on_text=(lambda event: torch.zeros_like(event.embeds),),
        on_start=(lambda event: torch.ones_like(event.x),),
        on_image=(lambda event: torch.zeros_like(event.images),),
    )

    # then
    assert torch.equal(result.trace.x[0], torch.ones_like(result.trace.x[0]))
    assert result.images[0].getpixel((5, 5)) == (0, 0, 0)


def test_hooks_are_called_in_their_order_each_on_what_the_last_one_left(pipe):
    # given
    add = Hooks(on_start=(lambda event: event.x * 0 + 1,))
    double = Hooks(on_start=(lambda event: event.x * 2,))

    # when
    result = pipe.run(PROMPT, seed=7, steps=1, hooks=add + double)

    # then
    assert float(result.trace.x[0].max()) == 2


def test_a_hook_can_be_limited_to_steps(pipe):
    # given
    seen = []

    # when
    run(pipe, on_step=(During(lambda event: seen.append(event.index), 1, 1),))

    # then
    assert seen == [1]


def test_a_registered_hook_travels_with_its_request(pipe):
    # given
    @sdnb.hook("times")
    def times(event, *, factor=1.0):
        return event.x_next * factor

    # when
    try:
        use = HookUse.parse("step:times factor=0@1-1")
        request = GenerationRequest(prompt=PROMPT, steps=3, sampler="euler", hooks=(use,))
        result = pipe.run(request)
    finally:
        HOOKS.remove("times")

    # then
    assert torch.equal(result.trace.x[2], torch.zeros_like(result.trace.x[2]))
    assert not torch.equal(result.trace.x[1], torch.zeros_like(result.trace.x[1]))


@pytest.mark.parametrize(
    ("reply", "complaint"),
    [
        (lambda event: event.x_next[:, :2], "does not fit"),
        (lambda event: event.x_next.double(), "does not fit"),
        (lambda event: event.x_next * float("nan"), "NaN"),
        (lambda _event: "nonsense", "cannot be x_next"),
        (lambda _event: 1 / 0, "ZeroDivisionError"),
        (lambda event: [event.x.mul_(2)].clear(), "in place"),
        (lambda event: dataclasses.replace(event, sigma=3.0), "changed sigma"),
    ],
)
def test_a_hook_that_errs_is_named_with_its_event_and_step(pipe, reply, complaint):
    # given
    def faulty(event):
        return reply(event) if event.index == 1 else None

    # when / then
    with pytest.raises(HookError, match=complaint) as caught:
        run(pipe, on_step=(faulty,))
    assert "faulty (StepEvent, step 1)" in caught.value.what
    assert run(pipe).images


@pytest.mark.parametrize(
    ("point", "change", "complaint"),
    [
        ("denoise", lambda event: event.eps["uncond"].mul_(0), "in place"),
        ("model", lambda event: event.branches["cond"].embeds.mul_(0), "in place"),
        ("model", lambda event: event.branches.update(cond=None), "AttributeError"),
        ("denoise", lambda event: event.eps.pop("cond"), "AttributeError"),
    ],
)
def test_nothing_in_an_event_can_be_changed_unseen(pipe, point, change, complaint):
    # given
    def faulty(event):
        change(event)

    # when / then
    with pytest.raises(HookError, match=complaint):
        run(pipe, **{f"on_{point}": (faulty,)})


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda embeds: embeds.repeat(3, 1, 1), "does not fit"),
        (lambda embeds: embeds[..., :8], "does not fit"),
        (lambda embeds: embeds.double(), "does not fit"),
        (lambda embeds: embeds * float("nan"), "NaN"),
    ],
)
def test_a_branch_that_does_not_fit_is_refused_by_its_hook_s_name(pipe, change, complaint):
    # given
    def faulty(event):
        cond = event.branches["cond"]
        other = dataclasses.replace(cond, embeds=change(cond.embeds), pooled=None)
        return dataclasses.replace(event, branches={**event.branches, "cond": other})

    # when / then
    with pytest.raises(HookError, match=complaint) as caught:
        run(pipe, on_model=(faulty,))
    assert "faulty (ModelEvent, step 0)" in caught.value.what


def test_hooks_work_in_inference_mode(pipe):
    seen = []
    with torch.inference_mode():
        run(pipe, on_step=(lambda event: seen.append(event.index),))
    assert seen == [0, 1, 2]


@pytest.mark.parametrize("branches", [{}, {"cond": None}, "nonsense"])
def test_branches_that_cannot_be_asked_are_refused(pipe, branches):
    # given
    def faulty(event):
        return dataclasses.replace(event, branches=branches)

    # when / then
    with pytest.raises((HookError, jaxtyping.TypeCheckError)):
        run(pipe, on_model=(faulty,))


def test_asking_again_does_not_shift_the_count_of_questions(pipe):
    # given
    counts = []

    def ask(event):
        event.denoise(event.x)

    # when
    result = run(
        pipe,
        on_model=(ask, lambda event: counts.append(event.evaluation)),
        on_denoise=(lambda event: counts.append(event.evaluation),),
    )

    # then
    assert counts == [0, 0, 1, 1, 2, 2]
    assert (result.evaluations, len(result.trace.evaluations)) == (6, 3)


def test_a_graph_that_a_hook_leaves_is_not_dragged_along(pipe):
    # given
    def guide(event):
        x = event.x.detach().requires_grad_()
        return event.denoised + event.denoise(x) * 0 + x * 0

    # when
    result = run(pipe, on_denoise=(guide,))

    # then
    assert not result.latents.requires_grad
    assert result.images


def test_hooks_are_given_as_hooks(pipe):
    with pytest.raises((InvalidField, jaxtyping.TypeCheckError)):
        pipe.run(PROMPT, hooks=[print])


def test_hooks_are_tuples_of_callables():
    with pytest.raises(InvalidField, match="on_step"):
        Hooks(on_step=("no function",))
