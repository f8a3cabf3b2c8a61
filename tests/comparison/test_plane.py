"""Fields, walks and errors in the plane, with a denoiser that is known to be right."""

import pytest
import torch

import sdnb
from sdnb.comparison.plane import follow, noise_errors, score_field
from sdnb.diffusion.analytic import GaussianMixture, two_moons
from sdnb.errors import InvalidField

LEVELS = [2.0, 1.0, 0.4, 0.1, 0.0]


@pytest.fixture(scope="module")
def moons():
    return two_moons()


def test_a_field_sends_each_place_of_its_grid_along_the_score(moons):
    # when
    field = score_field(moons, 0.7, reach=2.0, side=5)

    # then
    assert field.points.shape == (25, 2)
    assert field.points.min() == -2 and field.points.max() == 2
    score = moons.score(field.points, 0.7)
    assert torch.allclose(field.ends - field.points, 0.7**2 * score)


def test_walks_start_together_and_end_where_samples_do(moons):
    # given
    x = moons.start(3, LEVELS[0])

    # when
    euler, heun = follow(moons, x, LEVELS, ["euler", "heun"])

    # then
    assert torch.equal(euler.states[0], x) and torch.equal(heun.states[0], x)
    assert torch.equal(heun.states[-1], sdnb.sample(moons, x, LEVELS, "heun"))
    assert euler.sigmas == tuple(LEVELS)
    assert euler.states.shape == (5, 3, 2)
    assert (euler.evaluations, heun.evaluations) == (4, 7)


def test_samplers_walk_with_their_options(moons):
    x = moons.start(3, LEVELS[0])
    still, moved = follow(moons, x, LEVELS, ["euler_ancestral eta=0", "euler_ancestral"])
    (euler,) = follow(moons, x, LEVELS, ["euler"])
    assert still.name == "euler_ancestral eta=0"
    assert torch.allclose(still.states, euler.states)
    assert not torch.allclose(moved.states, euler.states)


def test_points_of_three_coordinates_are_refused(moons):
    with pytest.raises(InvalidField, match="two coordinates"):
        follow(moons, torch.zeros(2, 3), LEVELS, ["euler"])


def test_the_error_of_the_right_denoiser_is_the_variance_that_is_left():
    # given: data of variance 1, of which the part 1 / (1 + sigma**2) of the noise stays unseen
    one = torch.ones(1, 2, dtype=torch.float64)
    gaussian = GaussianMixture(torch.ones(1), torch.zeros(1, 2), one)
    data, levels = gaussian.draw(20_000), [0.2, 1.0, 5.0]

    # when
    errors = noise_errors(gaussian, data, levels)
    nothing = noise_errors(lambda x, _sigma: x, data, levels)

    # then
    assert errors.tolist() == pytest.approx([1 / (1 + level**2) for level in levels], rel=0.03)
    assert nothing.tolist() == pytest.approx([1, 1, 1], rel=0.03)
