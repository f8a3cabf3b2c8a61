"""A picture under noise: the forward formula, what the network sees, runs from every level."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from PIL import Image

from sdnb.choice import Choice
from sdnb.diffusion.noise import start_noise
from sdnb.errors import InvalidField, ModelError
from sdnb.labs.forward import Forward, evenly, falling_from
from sdnb.labs.noise_level import Level
from sdnb.models.vae import encode_images, from_pil
from sdnb.picture import FromImage, Picture
from sdnb.registry import SCHEDULES

PATIENCE = 60.0
SMALL = {"prompt": "a red circle", "width": 64, "height": 64, "steps": 3, "seed": 7}


@pytest.fixture(scope="module")
def lab(tiny):
    lab = Forward(tiny)
    lab.count = "4"
    lab.draw(**SMALL)
    assert lab.wait(PATIENCE)
    return lab


@pytest.fixture(scope="module")
def x0(lab, tiny):
    """The latents of the picture that the lab drew."""
    return encode_images(tiny.components, from_pil([lab.picture]))


def test_noised_latents_are_the_closed_form(lab, x0, tiny):
    # given
    alphas_cumprod = tiny.components.noise_schedule.alphas_cumprod
    eps = start_noise((8,), (4, 8, 8))

    for level in lab.levels:
        # when: in the scale of papers, the same noise at all levels
        a = float(alphas_cumprod[int(level.seen.t)])
        expected = a**0.5 * x0 + (1 - a) ** 0.5 * eps

        # then
        assert torch.allclose(a**0.5 * level.seen.parts["x"], expected, atol=1e-4)
        assert level.alpha_cumprod == pytest.approx(a)
        assert level.snr == pytest.approx(a / (1 - a))
    assert [level.seen.t for level in lab.levels] == [0, 333, 666, 999]


def test_who_knows_the_noise_has_the_picture(lab, x0):
    for level in lab.levels:
        seen = level.seen
        known = seen.parts["x"] - seen.sigma * seen.parts["eps_true"]
        said = seen.parts["x"] - seen.sigma * seen.parts["eps_cond"]
        assert torch.allclose(known, x0, atol=1e-4)
        assert torch.allclose(said, seen.parts["x0"], atol=1e-4)
        off = float((seen.parts["x0"] - x0).square().mean().sqrt())
        assert off == pytest.approx(level.missed, rel=1e-3)


def test_the_numbers_add_up_to_the_last_digit(lab):
    for level in lab.levels:
        terms = {name: np.array(rows) for name, rows in level.numbers.items()}
        assert terms["picture"].shape == (3, 4)
        assert np.allclose(terms["picture"] + terms["added"], terms["noisy"], atol=1e-9)
        assert np.allclose(terms["noisy"] - terms["seen"], terms["estimate"], atol=1e-9)
        noisy = level.seen.parts["x"][0, 0, 2:5, 2:6].numpy()
        assert np.abs(terms["noisy"] - noisy).max() < 0.0101


def test_under_much_noise_the_noise_is_easier_to_see_and_the_picture_harder(lab):
    least, most = lab.levels[1], lab.levels[-1]
    assert most.correlation > least.correlation
    assert most.seen.error < least.seen.error
    assert most.missed > least.missed


def test_a_run_goes_on_from_the_noisy_picture_of_each_level(lab, tiny):
    # given
    level = lab.levels[2]

    # when: the same request once more, on its own
    again = tiny.run(level.run.request)

    # then
    assert again.trace.sigmas[0] == pytest.approx(level.seen.sigma, rel=1e-4)
    assert torch.allclose(again.trace.x[0], level.seen.parts["x"], atol=1e-3)
    assert torch.allclose(again.latents, level.run.latents, atol=1e-3)
    assert [each.run.trace.steps for each in lab.levels] == [1, 3, 3, 3]


def test_what_is_shown_has_a_frame_for_each_level(lab):
    assert [row.name for row in lab.grids.rows] == ["x", "added", "seen", "missed", "x0"]
    assert (lab.grids.frames, lab.grids.width) == (4, 8)
    assert len(lab.film.frames) == 4
    assert lab.film.times == (0, 333, 666, 999)
    assert lab.result.request.prompt == "a red circle"
    assert lab.phase == "finished"


def test_an_uploaded_picture_is_noised_at_the_size_of_the_run(tiny):
    # given
    lab = Forward(tiny)
    lab.count, lab.noise_seed = 2, "5"
    lab.form.image = Picture.of(Image.new("RGB", (100, 50), "teal"))

    # when
    lab.draw(**{**SMALL, "steps": 2})
    assert lab.wait(PATIENCE)

    # then: what is copied draws on from the noisiest level
    assert lab.picture.size == (64, 64)
    assert lab.picture.getpixel((9, 9)) == (0, 128, 128)
    assert lab.result is lab.levels[-1].run
    assert lab.result.seeds == (5,)
    assert lab.result.request.schedule.name == "custom"
    assert len(lab.result.trace.x) == 3  # other panels take it apart
    eps = start_noise((5,), (4, 8, 8))
    assert torch.allclose(lab.levels[0].seen.parts["eps_true"], eps)


def test_a_result_is_opened_with_its_fields(tiny):
    # given
    lab, result = Forward(tiny), tiny.run(**SMALL)
    lab.count = 2

    # when
    lab.open(result)
    assert lab.wait(PATIENCE)

    # then
    assert lab.result is result
    assert lab.picture.tobytes() == result.images[0].tobytes()
    assert (lab.form.seed, lab.form.image, lab.phase) == (7, None, "finished")
    assert all(level.run is not None for level in lab.levels)


def test_what_a_result_made_of_a_picture_is_not_asked_of_noise(tiny):
    # given: a result that was drawn from a picture in its last steps
    lab, start = Forward(tiny), FromImage(Picture.of(Image.new("RGB", (64, 64), "teal")))
    lab.count = 2
    lab.open(tiny.run(**SMALL, start=start, strength=0.5))
    assert lab.wait(PATIENCE)

    # when: its picture is taken off
    lab.form.image = None
    lab.draw()
    assert lab.wait(PATIENCE)

    # then
    assert (lab.result.request.strength, lab.result.request.denoise) == (None, 1.0)
    assert lab.result.trace.steps == 3


def test_runs_that_would_take_long_wait_until_they_are_asked_for(tiny, monkeypatch):
    # given
    lab, result = Forward(tiny), tiny.run(**{**SMALL, "steps": 1})
    lab.count = 2
    monkeypatch.setattr("sdnb.labs.forward.UNASKED", 0.0)

    # when
    lab.open(tiny.branch(result, 0).finish())
    assert lab.wait(PATIENCE)

    # then: what cannot be drawn from the fields stands there as a picture
    assert [level.run for level in lab.levels] == [None, None]
    assert lab.form.image == Picture.of(result.images[0])
    assert lab.phase == "finished"


def test_stopping_keeps_what_was_seen(tiny, monkeypatch):
    # given: somebody who stops as soon as there is something to see
    lab = Forward(tiny)
    lab.count = 2
    lab.observe(lambda _: lab.stop(), "grids")

    # when
    lab.draw(**{**SMALL, "steps": 8})
    assert lab.wait(PATIENCE)

    # then
    assert lab.phase == "finished"
    assert lab.result.request.steps == 8
    assert [type(level) for level in lab.levels] == [Level, Level]
    assert lab.levels[1].run is None


def test_a_run_that_fails_leaves_those_that_ended(tiny, monkeypatch):
    # given: two levels, of which the upper one fails in its second step
    def fail(self):
        if len(self.recorder.sigmas) > 2:
            raise ModelError("on purpose")

    monkeypatch.setattr("sdnb.lane.Lane._check_finite", fail)
    lab = Forward(tiny)
    lab.count = 2
    lab.form.image = Picture.of(Image.new("RGB", (64, 64), "teal"))

    # when
    lab.draw(**{**SMALL, "steps": 2})
    with pytest.raises(ModelError, match="on purpose"):
        lab.wait(PATIENCE)

    # then
    assert [level.run is None for level in lab.levels] == [False, True]


@pytest.mark.parametrize("typed", ["1", "41", "", "few", "2.5", "²", "9" * 5000, None])
def test_what_is_no_number_of_levels_draws_nothing_and_is_said(tiny, typed):
    lab = Forward(tiny)
    lab.count = typed
    lab.draw(**SMALL)
    assert lab.phase == "idle"
    assert list(lab.errors) == ["count"]


def test_a_result_without_a_picture_is_refused(tiny):
    run = tiny.start(**SMALL)
    run.cancel()
    with pytest.raises(InvalidField, match="no picture"):
        Forward(tiny).open(run.finish())


@pytest.mark.parametrize("sigma", [0.05, 0.5, 14.6, 80.0])
def test_a_schedule_cut_off_falls_from_its_level_to_nothing(sigma):
    choice = falling_from(sigma, [14.6, 3.0, 1.0, 0.03, 0.0])
    assert isinstance(choice, Choice)
    (levels,) = dict(choice.options).values()
    assert levels[0] == sigma
    assert levels[-1] == 0
    assert all(later < earlier for earlier, later in pairwise(levels))
    assert len(levels) == 5
    SCHEDULES.bind(choice.name, dict(choice.options))


def test_under_the_lowest_level_there_is_one_step():
    assert dict(falling_from(0.03, [14.6, 1.0, 0.03, 0.0]).options) == {"sigmas": (0.03, 0.0)}


def test_levels_are_spaced_from_the_first_timestep_to_the_last():
    assert evenly(1000, 2) == [0, 999]
    assert evenly(1000, 4) == [0, 333, 666, 999]
    assert evenly(3, 40)[-1] == 2
