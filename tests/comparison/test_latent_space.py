"""The latent space: what the VAE keeps, what sizes cost, ways between seeds, directions."""

from random import Random

import pytest
import torch
from PIL import Image

from sdnb.comparison.latent_space import (
    compression,
    disturb_channel,
    lengths,
    mean_difference,
    measure_psnr,
    measure_sizes,
    round_trip,
    run_between_seeds,
)
from sdnb.diffusion.noise import start_noise
from sdnb.errors import InvalidField
from sdnb.models.vae import from_pil
from sdnb.training.world import draw, sample_single

PROMPT = "a red circle on a meadow"


@pytest.fixture(scope="module")
def picture():
    """Draw a scene as the VAE was trained on them."""
    return Image.fromarray(draw(sample_single(Random(0))).picture)


def test_the_way_to_latents_and_back_loses_what_the_psnr_says(tiny, picture):
    # when
    trip = round_trip(tiny, picture)
    # then
    assert trip.latents.shape == (1, 4, 16, 16)
    assert trip.decoded.tobytes() == tiny.decode(trip.latents)[0].tobytes()
    seen = measure_psnr(from_pil([picture]), from_pil([trip.decoded]))
    assert trip.psnr == pytest.approx(seen, abs=0.1)  # the decoded one is rounded to 255 levels
    assert 25 < trip.psnr < 60
    assert "48 times fewer" in repr(trip)


def test_a_picture_of_any_size_is_fitted_to_whole_latents(pipe):
    trip = round_trip(pipe, Image.new("L", (75, 3), 128))
    assert trip.picture.size == (72, 8)
    assert trip.latents.shape == (1, 4, 1, 9)
    assert trip.error.shape == (8, 72)


def test_a_picture_that_is_kept_whole_has_no_end_of_psnr():
    pixels = torch.rand(1, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    assert measure_psnr(pixels, pixels) == float("inf")
    assert measure_psnr(pixels, (pixels + 0.1)) == pytest.approx(20, abs=1e-3)


def test_numbers_are_counted_for_any_size(pipe):
    counted = compression(pipe, 512, 512)
    assert counted.values == (786_432, 16_384) and counted.ratio == 48
    assert compression(pipe).values == (3 * 128 * 128, 4 * 16 * 16)
    assert str(counted).startswith("3×512×512 = 786,432 → 4×64×64 = 16,384: 48")


def test_a_size_too_large_for_the_budget_is_left_out(pipe):
    assert [cost.side for cost in measure_sizes(pipe, budget=0.0)] == [16]


def test_seeds_are_the_ends_of_the_way_between_them(pipe):
    # given
    asked = {"steps": 2, "cfg_scale": 1.0, "width": 64, "height": 64}
    # when
    drawn = run_between_seeds(pipe, PROMPT, (3, 9), count=3, **asked)
    # then
    for index, seed in ((0, 3), (2, 9)):
        alone = pipe.run(PROMPT, seed=seed, **asked)
        assert torch.allclose(drawn.latents[index], alone.latents[0], atol=1e-3)
    assert drawn.latents.shape == (3, 4, 8, 8)
    with pytest.raises(InvalidField, match="noise alone"):
        run_between_seeds(pipe, PROMPT, (3, 9), hires="2x")


def test_the_mean_difference_is_the_one_that_was_put_in():
    # given
    generator = torch.Generator().manual_seed(0)
    others, mask = torch.randn(5, 4, 8, 8, generator=generator), torch.zeros(5, 1, 8, 8)
    mask[:, :, 2:5, 3:6] = 1
    direction = torch.tensor([1.0, -2.0, 0.0, 0.5])[:, None, None]
    # when
    found = mean_difference(others + mask * direction, others, mask)
    # then
    assert torch.allclose(found, direction, atol=1e-5)
    with pytest.raises(InvalidField, match="mask"):
        mean_difference(others, others, torch.zeros(5, 1, 8, 8))


def test_noise_on_a_channel_leaves_the_others_as_they_are():
    # given
    latents = start_noise((0, 1), (4, 32, 32))
    # when
    disturbed = disturb_channel(latents, 2, 0.5)
    # then
    assert torch.equal(disturbed[:, [0, 1, 3]], latents[:, [0, 1, 3]])
    assert float((disturbed - latents)[:, 2].std()) == pytest.approx(0.5, rel=0.1)
    with pytest.raises(InvalidField, match="0 … 3"):
        disturb_channel(latents, 4, 0.5)


def test_unit_noise_has_length_one():
    assert lengths(start_noise((0, 1), (4, 64, 64))) == pytest.approx([1, 1], abs=0.03)


def test_nothing_is_taken_from_the_embedded_model_s_sizes(sdxl):
    trip = round_trip(sdxl, Image.linear_gradient("L"))
    assert trip.latents.shape == (1, 4, 32, 32)
    assert compression(sdxl).latents == (4, 8, 8)
    assert [cost.side for cost in measure_sizes(sdxl, budget=0.0)] == [8]
