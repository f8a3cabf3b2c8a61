"""A pipeline that is observed does what it does alone, and what is seen of it is true."""

from copy import deepcopy

import pytest
import torch
from diffusers import EulerDiscreteScheduler, HeunDiscreteScheduler, KarrasVeScheduler
from diffusers.models.modeling_outputs import Transformer2DModelOutput

import sdnb
from sdnb.errors import HookError, InvalidField
from sdnb.models.observe import bytes_of
from tests.models.pipelines import CASES, NOISE, Case, Sine, Toy


@pytest.fixture(scope="module", params=CASES)
def case(request):
    return Case(*CASES[request.param])


@pytest.fixture(scope="module")
def sdxl():
    return Case(*CASES["sdxl"])


@pytest.fixture
def toy():
    return Toy(EulerDiscreteScheduler(**NOISE))


def test_an_observed_pipeline_gives_the_same_picture_to_the_bit(case):
    # given
    alone = case()

    # when
    with sdnb.observe(case.pipeline, on_step=id) as seen:
        watched = case()

    # then
    assert torch.equal(watched, alone)
    assert torch.equal(case(), alone)
    assert case.is_untouched()
    assert len(seen.steps) == case.calls
    assert [len(step.prediction) for step in seen.steps] == [case.answers] * case.calls


def test_steps_follow_each_other_and_end_in_the_latents(case):
    # given
    with sdnb.observe(case.pipeline) as seen:
        # when
        latents = case(output_type="latent")

    # then
    assert [step.index for step in seen.steps] == list(range(case.calls))
    for step, following in zip(seen.steps, seen.steps[1:], strict=False):
        assert torch.equal(step.x_next, following.x)
        assert step.sigma_next == following.sigma
    assert torch.equal(seen.steps[-1].x_next, latents)
    assert seen.steps[0].t > seen.steps[-1].t


def test_guidance_joins_the_raw_answers(sdxl):
    # given
    with sdnb.observe(sdxl.pipeline) as seen:
        # when
        sdxl(guidance_scale=3.0)

    # then
    for step in seen.steps:
        uncond, cond = step.prediction[0].chunk(2)
        assert torch.equal(step.guided, uncond + 3.0 * (cond - uncond))


@pytest.mark.parametrize("name", ["sd3", "flux"])
def test_a_flow_step_goes_along_the_guided_answer(name):
    # given
    case = Case(*CASES[name])

    # when
    with sdnb.observe(case.pipeline) as seen:
        case()

    # then
    for step in seen.steps:
        expected = step.x + (step.sigma_next - step.sigma) * step.guided
        assert torch.allclose(step.x_next, expected, atol=1e-6)


def test_a_callback_sees_each_step_while_it_runs(toy):
    # given
    counts = []

    # when
    with sdnb.observe(toy, on_step=lambda _step: counts.append(len(seen.steps))) as seen:
        toy()

    # then
    assert counts == [1, 2, 3]


def test_what_a_reader_overwrites_is_a_copy(sdxl):
    # given
    alone = sdxl()

    def overwrite(_pipeline, _index, _t, changes):
        last = seen.steps[-1]
        for tensor in (last.x, *last.prediction, last.guided, last.x_next):
            tensor.zero_()
        return changes

    # when
    with sdnb.observe(sdxl.pipeline) as seen:
        watched = sdxl(callback_on_step_end=overwrite)

    # then
    assert torch.equal(watched, alone)


@pytest.mark.parametrize(
    ("on_step", "said"),
    [
        (lambda step: step.missing, "ObservedStep, step 0.*raised AttributeError"),
        (lambda step: print(step.prediction[0].zero_()), "step 0.*in place"),
        (lambda step: step.x_next * 2, "only looks"),
    ],
)
def test_a_callback_that_fails_or_meddles_is_named_and_leaves_nothing(sdxl, on_step, said):
    # given
    alone = sdxl()

    # when
    with pytest.raises(HookError, match=said), sdnb.observe(sdxl.pipeline, on_step):
        sdxl()

    # then
    assert sdxl.is_untouched()
    assert torch.equal(sdxl(), alone)


def test_an_error_anywhere_in_the_block_leaves_nothing(sdxl):
    with pytest.raises(KeyError), sdnb.observe(sdxl.pipeline):
        raise KeyError
    assert sdxl.is_untouched()


def test_nested_observers_see_the_same(toy):
    # given
    with sdnb.observe(toy) as outer:
        # when
        with sdnb.observe(toy) as inner:
            toy()
        toy()

    # then
    assert (len(outer.steps), len(inner.steps)) == (6, 3)
    for one, other in zip(outer.steps, inner.steps, strict=False):
        assert torch.equal(one.x_next, other.x_next)
    assert not {"step", "set_timesteps"} & set(vars(toy.scheduler))


def test_a_scheduler_put_in_its_place_is_followed(toy):
    # given
    first, second = toy.scheduler, HeunDiscreteScheduler(**NOISE)

    # when
    with sdnb.observe(toy) as seen:
        toy()
        toy.scheduler = second
        toy()

    # then
    assert [step.index for step in seen.steps] == [0, 1, 2, 0, 1, 2, 3, 4]
    for scheduler in (first, second):
        assert not {"step", "set_timesteps"} & set(vars(scheduler))


def test_a_copy_of_the_scheduler_steps_by_itself(toy):
    # given
    alone = toy()

    def answer(x, t):
        sound.step(torch.ones_like(x), t, x)  # pipelines with sound do so
        return Toy.answer(toy, x, t)

    # when
    with sdnb.observe(toy) as seen:
        sound = deepcopy(toy.scheduler)
        sound.set_timesteps(3)
        toy.answer = answer
        watched = toy()

    # then
    assert torch.equal(watched, alone)
    assert len(seen.steps) == 3


def test_answers_of_a_broken_run_are_not_given_to_the_next(toy):
    # given
    with sdnb.observe(toy) as seen:
        toy.transformer(torch.ones(1, 2, 4, 4), 0)  # no step follows

        # when
        toy()

    # then
    assert [len(step.prediction) for step in seen.steps] == [1, 1, 1]


def test_answers_that_no_step_follows_do_not_pile_up(toy, monkeypatch):
    # given
    x = torch.ones(1, 2, 4, 4)
    monkeypatch.setattr("sdnb.models.observe.BUDGET", 3 * x.nbytes / 2**20)
    toy.scheduler.set_timesteps(1)

    # when
    with sdnb.observe(toy) as seen:
        answers = [toy.transformer(x + number, 0)[0] for number in range(5)]
        toy.scheduler.step(x, toy.scheduler.timesteps[0], x)

    # then
    assert len(seen.steps[0].prediction) == 3
    for kept, answer in zip(seen.steps[0].prediction, answers[2:], strict=True):
        assert torch.equal(kept, answer)


def test_it_works_in_inference_mode_too(toy):
    # given
    alone = toy()

    # when
    with torch.inference_mode(), sdnb.observe(toy, on_step=id) as seen:
        watched = toy()

    # then
    assert torch.equal(watched, alone)
    assert not seen.steps[0].x.is_inference()


def test_of_several_outputs_the_first_is_kept_and_lists_image_by_image(toy):
    # given
    class Several(torch.nn.Module):
        def forward(self, x, _t):
            return Transformer2DModelOutput(sample=[x[0], x[0] + 1]), "sound"

    toy.transformer = Several()
    toy.answer = lambda x, t: toy.transformer(x, t)[0].sample[0][None]

    # when
    with sdnb.observe(toy) as seen:
        toy()

    # then
    assert [part.shape for part in seen.steps[0].prediction] == [(2, 4, 4), (2, 4, 4)]
    assert torch.equal(seen.steps[0].prediction[1], seen.steps[0].x[0] + 1)


@pytest.mark.parametrize("budget", [-1.0, "a", None, float("nan"), float("inf")])
def test_a_budget_is_a_number_of_megabytes(budget):
    with pytest.raises(InvalidField, match="MB") as caught:
        bytes_of(budget)
    assert "budget=512" in caught.value.fix


def test_beyond_the_budget_only_the_callback_sees(toy):
    # given
    indices = []

    # when
    with sdnb.observe(toy, lambda step: indices.append(step.index), budget=300 / 2**20) as seen:
        toy()

    # then: 4 tensors of 32 numbers would be 512 bytes
    assert (seen.steps, seen.unkept, indices) == ([], 3, [0, 1, 2])


def test_what_cannot_be_observed_is_refused(pipe, toy):
    # given
    compiled, strange = Sine(), KarrasVeScheduler()
    compiled.compile()
    wrong = [
        (pipe, "nothing here"),
        (Toy(None), "nothing here"),
        (Toy(toy.scheduler, network="none"), "nothing here"),
        (Toy(toy.scheduler, network=compiled), "compiled"),
        (Toy(strange), "scheduler"),
    ]

    # when, then
    for observed, said in wrong:
        with pytest.raises(InvalidField, match=said), sdnb.observe(observed):
            pass
    with pytest.raises(InvalidField, match="MB"), sdnb.observe(toy, budget=-1.0):
        pass


def test_an_answer_of_an_unknown_kind_is_named(toy):
    # given
    class Words(torch.nn.Module):
        def forward(self, _x, _t):
            return "words"

    toy.transformer = Words()

    # when, then
    with pytest.raises(InvalidField, match=r"answer(.|\n)*'str'"), sdnb.observe(toy):
        toy()
