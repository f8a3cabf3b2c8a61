"""A run taken apart: what is prepared of each step, and what is not asked again."""

from math import sqrt

import numpy as np
import pytest
import torch

from sdnb.errors import InvalidField
from sdnb.labs.grids import fitted
from sdnb.labs.latents import Latents, parts_of

PATIENCE = 60.0
SMALL = {"prompt": "a red circle", "width": 64, "height": 64, "steps": 4, "seed": 7}


@pytest.fixture(scope="module")
def result(pipe):
    return pipe.run(**SMALL, batch_size=2)


@pytest.fixture(scope="module")
def lab(pipe, result):
    lab = Latents(pipe)
    lab.open(result)
    assert lab.wait(PATIENCE)
    return lab


def values(lab, name):
    """What a page reads of a row: [frames, tiles, h, w], back in its own unit."""
    row = next(row for row in lab.grids.rows if row.name == name)
    shape = (lab.grids.frames, row.tiles, lab.grids.height, lab.grids.width)
    levels = np.frombuffer(row.data, np.uint8).reshape(shape).astype(float)
    return row, (levels / 127.5 - 1) * row.limit


def test_each_step_has_its_latents_answers_and_estimate(lab, result):
    assert [row.name for row in lab.grids.rows] == [
        *("x", "eps_cond", "eps_uncond", "difference", "x0")
    ]
    assert (lab.grids.frames, lab.grids.width, lab.grids.height) == (4, 8, 8)
    assert lab.result is result
    assert lab.phase == "finished"
    assert lab.form.prompt == "a red circle"


def test_the_bytes_are_the_values_up_to_the_limit(lab, result):
    # given
    sigma = result.trace.sigmas[1]
    x = result.trace.x[1, 0] / sqrt(1 + sigma**2)

    # when
    row, read = values(lab, "x")

    # then
    expected = x.clamp(-row.limit, row.limit).numpy()
    assert np.abs(read[1] - expected).max() <= row.limit / 255 + 1e-6
    assert row.figures[1] == pytest.approx((float(x.mean()), float(x.std())))


def test_guidance_follows_from_the_parts(result):
    # given
    parts, cfg, sigma = parts_of(result.trace), 4.0, result.trace.sigmas[0]

    # when: the estimate, from the latents and both answers
    x = parts["x"][0] * sqrt(1 + sigma**2)
    eps = parts["eps_uncond"][0] + cfg * parts["difference"][0]

    # then
    assert torch.allclose(x - sigma * eps, parts["x0"][0], atol=2e-3 * sigma)


def test_another_image_of_the_batch_is_another_run(pipe, result):
    first, second = parts_of(result.trace, 0), parts_of(result.trace, 1)
    assert not torch.equal(first["x0"], second["x0"])
    with pytest.raises(InvalidField, match="no such image"):
        Latents(pipe).open(result, 2)


def test_without_guidance_there_is_one_answer(pipe):
    run = pipe.run(**{**SMALL, "steps": 2}, cfg_scale=1)
    assert "eps_cond" in parts_of(run.trace)
    assert "difference" not in parts_of(run.trace)


def test_answers_that_were_not_kept_are_left_out(pipe):
    run = pipe.run(**{**SMALL, "steps": 2}, keep="steps")
    assert [*parts_of(run.trace)] == ["x", "x0"]
    with pytest.raises(InvalidField, match="none of its states"):
        Latents(pipe).open(pipe.run(**{**SMALL, "steps": 1}, keep="none"))


def test_looking_decodes_what_the_film_only_sketches(lab, result, pipe):
    # given
    sketched = lab.film.frames[1]

    # when
    lab.look(1)
    assert lab.wait(PATIENCE)
    index, image = lab.closeup

    # then
    assert index == 1
    assert image.tobytes() == pipe.decode(result.trace.denoised[1, :1])[0].tobytes()
    assert image.size != sketched.size or image.tobytes() != sketched.tobytes()
    seen = []
    lab.observe(lambda change: seen.append(change["new"]), "closeup")
    lab.look(1)
    assert lab.wait(PATIENCE)
    assert [each is None for each in seen] == [True, False]
    lab.look(99)
    assert lab.wait(PATIENCE)
    assert lab.closeup is None


def test_it_draws_a_run_itself(pipe):
    # given
    lab = Latents(pipe)

    # when
    lab.draw(**{**SMALL, "steps": 2})
    assert lab.wait(PATIENCE)

    # then
    assert lab.grids.frames == len(lab.histograms) == len(lab.film.frames) == 2
    assert lab.histograms[0].std == pytest.approx(1.0, abs=0.2)


def test_bad_input_draws_nothing_and_is_said(pipe):
    lab = Latents(pipe)
    lab.draw(steps="many")
    assert lab.phase == "idle"
    assert list(lab.errors) == ["steps"]


def test_stopping_keeps_the_last_good_run(pipe, result):
    # given
    lab = Latents(pipe)
    lab.open(result)
    assert lab.wait(PATIENCE)

    # when
    lab.draw(**{**SMALL, "steps": 900})
    lab.stop()
    assert lab.wait(PATIENCE)

    # then
    assert lab.result is result
    assert (lab.phase, lab.progress) == ("finished", None)


def test_what_fails_is_raised_by_waiting_and_the_lab_goes_on(pipe, monkeypatch):
    # given
    lab = Latents(pipe)
    monkeypatch.setattr(pipe, "start", lambda *_: 1 / 0)

    # when
    lab.draw(**SMALL)

    # then
    with pytest.raises(Exception, match="ZeroDivisionError"):
        lab.wait(PATIENCE)
    monkeypatch.undo()
    lab.draw(**{**SMALL, "steps": 1})
    assert lab.wait(PATIENCE)
    assert lab.phase == "finished"


def test_maps_too_large_for_a_page_are_averaged():
    small = torch.ones(10, 4, 8, 12)
    large = torch.ones(3, 4, 128, 64)
    assert fitted(small, 5) is small
    assert fitted(large, 5).shape == (3, 4, 64, 32)
    assert fitted(torch.ones(1000, 4, 64, 64), 5).shape[-1] == 16
