"""Noise: streams that are a seed's own, and Brownian paths that fit together."""

from math import nextafter

import pytest
import torch

from sdnb.diffusion.noise import brownian_noise, start_noise, step_noise
from sdnb.errors import InvalidField

LIKE = torch.zeros(2, 4, 32, 32)
FRESH, PATH = [0.448408, 0.643644], [-0.259693, 2.197258]
"""First in-loop draws of seed 7: pictures of stochastic samplers hang on them."""


def correlation(a, b):
    return float(torch.corrcoef(torch.stack([a.flatten(), b.flatten()]))[0, 1])


@pytest.mark.parametrize("make", [step_noise, brownian_noise])
def test_draws_are_unit_and_no_stream_is_another(make):
    # when
    draw = make((3, 4), LIKE)
    first, second = draw(9.0, 5.0), draw(5.0, 2.0)

    # then
    start = start_noise((3, 4), LIKE.shape[1:])
    streams = [start[0], start[1], first[0], first[1], second[0], second[1]]
    assert all(float(stream.std()) == pytest.approx(1, abs=0.05) for stream in streams)
    assert all(abs(correlation(a, b)) < 0.06 for a in streams for b in streams if a is not b)


@pytest.mark.parametrize("make", [step_noise, brownian_noise])
def test_a_replay_draws_the_same_and_a_batch_what_its_images_draw_alone(make):
    # given
    draw, again, alone = make((3, 4), LIKE), make((3, 4), LIKE), make((4,), LIKE[:1])

    # when
    levels = [(9.0, 5.0), (5.0, 4.9), (4.9, 0.03)]
    draws = [draw(*ends) for ends in levels]

    # then
    assert all(torch.equal(drawn, again(*ends)) for drawn, ends in zip(draws, levels, strict=True))
    assert all(
        torch.equal(drawn[1:], alone(*ends)) for drawn, ends in zip(draws, levels, strict=True)
    )


def test_parts_of_a_path_add_up_to_the_whole():
    # given
    draw = brownian_noise((3, 4), LIKE)

    # when
    whole, half, rest = draw(8.0, 2.0), draw(8.0, 4.0), draw(4.0, 2.0)

    # then
    assert torch.allclose(whole, (half + rest) / 2**0.5, atol=1e-5)


@pytest.mark.parametrize("stretch", [(9.0, 0.5), (9.0, 5.0), (1.2, 0.9)])
def test_a_run_with_other_steps_follows_the_same_path(stretch):
    # given
    few, many = brownian_noise((3, 4), LIKE), brownian_noise((3, 4), LIKE)
    levels = [14.0 * 0.9**i for i in range(40)]

    # when
    for i in range(39):
        many(levels[i], levels[i + 1])

    # then
    assert correlation(few(*stretch), many(*stretch)) > 0.8


def test_a_path_is_brownian_below_its_grid_too():
    # given
    draw = brownian_noise((3, 4), LIKE)
    levels = [5.0 * 0.99**i for i in range(12)]

    # when
    draws = [draw(levels[i], levels[i + 1]) for i in range(11)]

    # then
    assert all(float(drawn.std()) == pytest.approx(1, abs=0.05) for drawn in draws)
    assert all(abs(correlation(a, b)) < 0.06 for a in draws for b in draws if a is not b)


def test_a_level_that_differs_in_its_last_digit_draws_the_same():
    # given
    draw, other = brownian_noise((3, 4), LIKE), brownian_noise((3, 4), LIKE)

    # when
    drawn, close = draw(5.1, 2.3), other(nextafter(5.1, 9), nextafter(2.3, 9))

    # then
    assert torch.allclose(drawn, close, atol=1e-5)


def test_a_path_has_ends():
    with pytest.raises(InvalidField, match="levels from"):
        brownian_noise((3,), LIKE[:1])(1e-8, 1e-9)


def test_what_a_seed_draws_inside_the_loop_is_the_same_in_every_version():
    # given
    like = torch.zeros(1, 2)

    # when
    fresh, path = step_noise((7,), like)(2.0, 1.0), brownian_noise((7,), like)(2.0, 1.0)

    # then
    assert fresh[0].tolist() == pytest.approx(FRESH, abs=1e-6)
    assert path[0].tolist() == pytest.approx(PATH, abs=1e-6)


def test_noise_takes_the_type_of_the_latents():
    assert brownian_noise((1, 2), LIKE.double())(2.0, 1.0).dtype == torch.float64
