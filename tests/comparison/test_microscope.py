"""The microscope shows one question whole, and the parts fit together."""

import re
from base64 import b64decode
from dataclasses import replace
from io import BytesIO

import pytest
import torch
from PIL import Image

import sdnb
from sdnb.comparison.microscope import error_curve
from sdnb.errors import InvalidField, ModelError
from sdnb.models.vae import encode_images, from_pil

PROMPT = "a red circle on a meadow"


@pytest.fixture(scope="module")
def picture(pipe):
    return pipe.run(PROMPT, seed=7, steps=6).images[0]


@pytest.fixture(scope="module")
def seen(pipe, picture):
    return sdnb.inspect(pipe, picture, PROMPT, t=500.0, cfg_scale=3.0)


def test_the_parts_of_a_question_fit_together(pipe, picture, seen):
    parts = seen.parts
    latents = encode_images(pipe.components, from_pil([picture]))
    assert torch.allclose(parts["x"], latents + seen.sigma * parts["eps_true"], atol=1e-5)
    assert torch.allclose(parts["x0"], parts["x"] - seen.sigma * parts["eps"], atol=1e-4)
    guided = parts["eps_uncond"] + 3 * parts["difference"]
    assert torch.allclose(parts["eps"], guided, atol=1e-4)
    assert seen.sigma == pytest.approx(pipe.components.noise_schedule.sigma(500.0))


def test_every_channel_is_drawn_and_counted(seen):
    html = seen._repr_mimebundle_()["text/html"]
    assert html.count("<img ") == 7 * 4 + 2
    assert set(seen.decoded) == {"x", "x0"}
    assert len(seen.statistics()["x"]) == 4
    assert seen.statistics()["eps_true"][0][1] == pytest.approx(1, abs=0.2)


def test_the_table_says_what_its_columns_and_rows_are(seen):
    html = seen._repr_mimebundle_()["text/html"]
    columns, rows = (re.findall(f'<th scope="{of}">(.*?)</th>', html) for of in ("col", "row"))
    assert len(columns) == 4
    assert "black −3 std, white +3 std" in columns[1]
    assert rows == list(seen.parts)
    assert html.count("<td") == 3 * len(rows)


def test_a_mean_of_almost_nothing_has_no_sign(seen):
    hidden = replace(seen, parts={"x": torch.full((1, 4, 2, 2), -1e-4)}, decoded={})
    assert "<td>0.00 ± 0.00<br>" in hidden._repr_mimebundle_()["text/html"]


@pytest.mark.parametrize("size", [(192, 64), (64, 128)])
def test_pictures_that_are_not_square_keep_their_shape(pipe, size):
    # given
    width, height = size
    latents = torch.randn(1, 4, height // 8, width // 8, generator=torch.Generator().manual_seed(0))

    # when
    seen = sdnb.inspect(pipe, latents, PROMPT, t=500.0)

    # then
    html = seen._repr_mimebundle_()["text/html"]
    drawn = [
        Image.open(BytesIO(b64decode(png))).size for png in re.findall(r"png;base64,([^\"]+)", html)
    ]
    assert len(drawn) == 7 * 4 + 2
    assert all(across / down == pytest.approx(width / height, rel=0.03) for across, down in drawn)
    assert {across for across, _ in drawn} == {64}


def test_the_error_is_that_of_the_curve(pipe, picture, seen):
    # when
    timesteps, errors = error_curve(pipe, [picture], [PROMPT], timesteps=[500.0, 900.0])

    # then
    assert timesteps == [500.0, 900.0]
    assert float(errors[0]) == pytest.approx(seen.error, rel=1e-3)


def test_latents_may_be_looked_at_too(pipe):
    latents = pipe.run(PROMPT, seed=7, steps=6).latents
    assert "t 100" in repr(sdnb.inspect(pipe, latents, PROMPT, t=100.0))


def test_what_cannot_be_inspected_is_refused(pipe, picture):
    with pytest.raises(InvalidField, match="0 … 999"):
        sdnb.inspect(pipe, picture, t=1000.0)
    with pytest.raises(InvalidField, match="prompt"):
        error_curve(pipe, [picture], ["a star", "a cat"])


@pytest.mark.parametrize(("cfg_scale", "name"), [(0.0, "eps_uncond"), (1.0, "eps_cond")])
def test_both_answers_are_seen_whatever_the_guidance(pipe, picture, cfg_scale, name):
    seen = sdnb.inspect(pipe, picture, PROMPT, t=500.0, cfg_scale=cfg_scale)
    assert torch.allclose(seen.parts["eps"], seen.parts[name], atol=1e-5)
    assert float(seen.parts["difference"].abs().max()) > 0


def test_of_words_that_change_in_a_run_the_first_are_read(pipe, picture):
    changing = sdnb.inspect(pipe, picture, "[a red circle:a blue square:0.5]", t=500.0)
    first = sdnb.inspect(pipe, picture, "a red circle", t=500.0)
    assert torch.equal(changing.parts["eps_cond"], first.parts["eps_cond"])


def test_a_network_that_answers_with_nan_is_said_to(pipe, picture, monkeypatch):
    nothing = torch.full_like(pipe.components.unet.conv_out.bias, torch.nan)
    monkeypatch.setattr(pipe.components.unet.conv_out.bias, "data", nothing)
    with pytest.raises(ModelError, match="timestep 500"):
        sdnb.inspect(pipe, picture, "a red circle", t=500.0)
