"""Two passes: the second goes over what the first one drew, enlarged."""

import numpy as np
import pytest
import torch
from PIL import Image
from PIL.Image import Resampling
from torch.nn.functional import interpolate

import sdnb
from sdnb.errors import InvalidField
from sdnb.events import Hooks, ImageEvent, StartEvent
from sdnb.hires import Hires
from sdnb.parameters_text import parameters
from sdnb.picture import FromImage, Inpaint, Picture
from sdnb.records.reading import read
from sdnb.request import GenerationRequest
from sdnb.start import Opening

PROMPT = "a red circle"
FIRST = GenerationRequest(prompt=PROMPT, seed=5, steps=3, width=64, height=48, cfg_scale=2.0)


def two(scale=1.5, **options):
    return FIRST.changed(hires=Hires(scale=scale, **options))


def test_two_passes_are_a_run_and_one_from_its_enlarged_picture(pipe):
    # given
    first = pipe.run(FIRST)
    picture = first.images[0].resize((96, 72), Resampling.LANCZOS)
    again = FIRST.changed(start=FromImage(Picture.of(picture)), width=96, height=72, denoise=0.6)

    # when
    both = pipe.run(two(denoise=0.6))
    second = pipe.run(again)

    # then
    assert torch.equal(both.latents, second.latents)
    assert both.images[0].tobytes() == second.images[0].tobytes()
    assert both.evaluations == first.evaluations + second.evaluations
    assert both.trace.sigmas == second.trace.sigmas


@pytest.mark.parametrize("upscale", ["latent", "latent_nearest", "latent_bicubic"])
def test_latents_are_enlarged_as_they_are(pipe, upscale):
    # given
    mode = {"latent": "bilinear", "latent_nearest": "nearest", "latent_bicubic": "bicubic"}[upscale]
    large = interpolate(pipe.run(FIRST).latents, size=(9, 12), mode=mode)

    # when
    both = pipe.run(two(denoise=0.6, upscale=upscale))

    # then
    eps = Opening(pipe.components, FIRST.changed(width=96, height=72), (5,)).eps
    assert torch.equal(both.trace.x[0], large + both.trace.sigmas[0] * eps)
    assert both.images[0].size == (96, 72)


def test_both_passes_are_seen_and_hooked_each_with_steps_of_its_own(pipe):
    # given
    steps, images = [], []
    hooks = Hooks(on_step=(steps.append,), on_image=(images.append,))
    run = pipe.start(two(steps=2), hooks=hooks)

    # when
    events = list(run)

    # then
    starts = [event.x.shape[-2:] for event in events if isinstance(event, StartEvent)]
    assert starts == [(6, 8), (9, 12)]
    assert [(event.index, event.total) for event in steps] == [
        (0, 3),
        (1, 3),
        (2, 3),
        (0, 2),
        (1, 2),
    ]
    assert [event.images.shape[-2:] for event in images] == [(48, 64), (72, 96)]
    assert (run.index, run.evaluations) == (5, 5)


def test_what_a_hook_makes_of_the_first_picture_is_enlarged(pipe):
    # given
    def redden(event: ImageEvent):
        return torch.ones_like(event.images) if event.images.shape[-1] == 64 else None

    # when
    result = pipe.run(two(denoise=0.02), hooks=Hooks(on_image=(redden,)))

    # then
    white = FIRST.changed(start=FromImage(Picture.of(Image.new("RGB", (96, 72), "white"))))
    clean = Opening(pipe.components, white.changed(width=96, height=72), (5,)).clean
    assert torch.allclose(result.trace.x[0], clean, atol=0.5)


def test_every_image_of_a_batch_has_its_own_two_passes(pipe):
    # when
    batch = pipe.run(two().changed(batch_size=2))
    alone = pipe.run(two().changed(seed=6))

    # then
    difference = (batch.latents[1] - alone.latents[0]).norm()
    assert float(difference / alone.latents.norm()) < 1e-3


@pytest.mark.parametrize("sampler", ["euler", "dpmpp_2m", "euler_ancestral", "dpm_adaptive"])
def test_a_branch_of_the_second_pass_ends_just_as_its_parent(pipe, sampler):
    # given
    parent = pipe.run(two(steps=3).changed(sampler=sampler))

    # when
    branch = pipe.branch(parent, 1).finish()

    # then
    assert torch.equal(branch.latents, parent.latents)
    assert branch.evaluations < parent.evaluations
    with pytest.raises(InvalidField, match="hires of the run it comes from"):
        pipe.branch(parent, 1, hires=Hires(scale=3))


def test_an_interrupted_first_pass_is_a_run_without_a_second(pipe):
    # given
    run = pipe.start(two())
    run.step()
    run.step()

    # when
    run.cancel()
    result = run.finish()

    # then
    assert result.request == pipe.run(FIRST).request
    assert "interrupted after 2 of 3 steps" in result.facts
    assert result.images[0].size == (64, 48)
    assert pipe.branch(result, 1).finish().images


def test_a_run_cancelled_between_its_passes_has_the_first_picture(pipe):
    # given
    run = pipe.start(two())
    next(event for event in run if isinstance(event, ImageEvent))

    # when
    run.cancel()
    result = run.finish()

    # then
    first = pipe.run(FIRST)
    assert not result.interrupted
    assert result.request == first.request
    assert torch.equal(result.latents, first.latents)


def test_an_interrupted_second_pass_says_so_and_shows_what_it_has(pipe):
    # given
    run = pipe.start(two(steps=2))
    kinds = (event for event in run if isinstance(event, StartEvent))
    next(kinds), next(kinds)

    # when
    previewed = run.preview()[0]
    run.step()
    run.cancel()
    result = run.finish()

    # then
    assert previewed.size == result.images[0].size == (96, 72)
    assert result.interrupted
    assert "interrupted after 4 of 5 steps" in result.facts
    assert result.request.hires == Hires(scale=1.5, steps=2)


def test_what_the_mask_keeps_is_the_picture_s_own_also_when_enlarged(pipe):
    # given
    picture = Picture.of(Image.effect_noise((64, 48), 80))
    mask = Image.new("L", (64, 48), "black")
    mask.paste("white", (32, 0, 64, 48))
    start = Inpaint(picture, Picture.of(mask))

    # when
    result = pipe.run(two(scale=2.0).changed(start=start))

    # then
    known = np.asarray(picture.open().resize((128, 96)))
    drawn = np.asarray(result.images[0])
    assert drawn[:, :64].tolist() == known[:, :64].tolist()
    assert drawn[:, 64:].tolist() != known[:, 64:].tolist()


def test_passes_are_compared_side_by_side_as_if_each_ran_alone(pipe):
    # given
    ways = [None, "1.5x denoise=0.6 steps=2", "2x upscale=latent"]

    # when
    comparison = sdnb.compare(pipe, FIRST, hires=ways)

    # then
    assert comparison.steps == (3 + (3 + 2) + (3 + 3),) * 2
    for way, result in zip(ways, comparison.results, strict=True):
        alone = pipe.run(FIRST.changed(hires=way))
        assert torch.allclose(result.latents, alone.latents, atol=1e-3)
        assert result.request == alone.request


def test_a_comparison_counts_steps_of_both_passes_as_they_are_made(pipe):
    # given
    comparison = sdnb.compare(pipe, FIRST, hires=["2x"])
    fresh = type(comparison)(comparison.plan, comparison.engine)

    # when
    counts = [fresh.steps[0] for _ in fresh.rounds()]

    # then
    assert counts == sorted(counts)
    assert counts[-1] == fresh.steps[1] == 6


def test_scores_leave_a_second_pass_out_and_say_why(pipe):
    # when
    comparison = sdnb.compare(pipe, FIRST, sampler="euler_ancestral", hires=[None, "1.5x"])
    table = comparison.table()

    # then
    assert "a second pass" in str(table)


@pytest.mark.parametrize(
    ("request_", "what"),
    [
        (two().changed(schedule="custom sigmas=14,5,1,0"), "a list of levels"),
        (two(scale=8).changed(width=2048), "multiple of 8"),
    ],
)
def test_a_second_pass_that_cannot_be_is_refused_before_the_first(pipe, request_, what):
    with pytest.raises(InvalidField, match=what):
        pipe.start(request_)


def test_a_saved_picture_carries_both_passes(pipe, tmp_path):
    # given
    result = pipe.run(two(steps=2, upscale="latent"))

    # when
    (path,) = result.save(tmp_path)
    request = read(path).request
    text = parameters(request, index=0)

    # then
    assert request == result.request
    assert (
        "Denoising strength: 0.5, Hires upscale: 1.5, Hires steps: 2, Hires upscaler: Latent, "
        in text
    )
    assert "Size: 64x48" in text
    assert "3 + 2 steps · hires 1.5x denoise=0.5 steps=2 upscale=latent · cfg 2" in result.facts


def test_a_film_shows_the_second_pass(pipe, tmp_path):
    # given
    result = pipe.run(two(steps=2))

    # when
    path = result.save_animation(tmp_path / "run.webp")

    # then
    with Image.open(path) as film:
        assert film.size == (96, 72)
    assert "of its second pass" in result._story


def test_steps_of_a_run_are_visited_through_both_passes(pipe):
    # given
    run = pipe.start(two(steps=2))

    # when
    made = []
    while run.step() is not None:
        made.append(run.index)

    # then
    assert made == [1, 2, 3, 4, 5]
    assert all(isinstance(level, float) for level in run.sigmas)
    assert run.finish().images[0].size == (96, 72)


def test_attention_is_gathered_in_the_second_pass(pipe):
    # when
    result = pipe.run(two(steps=2), attention=True)

    # then
    assert torch.equal(result.latents, pipe.run(two(steps=2)).latents)
    assert sorted(result.attention.steps["cond"]) == [0, 1]
