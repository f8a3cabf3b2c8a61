import numpy as np
import pytest
from PIL import Image

from sdnb.comparison.schedules import describe_noise, describe_schedules, noise_picture
from sdnb.diffusion.noise_schedules import linear
from sdnb.errors import UnknownName
from sdnb.pipeline import Pipeline
from sdnb.registry import SCHEDULES
from sdnb.training.world import SIDE, paint_background


def test_every_schedule_is_described() -> None:
    # when
    curves = describe_schedules(steps=8)
    # then
    assert {curve.name for curve in curves} == {*SCHEDULES.names()} - {"custom"}
    for curve in curves:
        assert curve.sigmas[-1] == 0
        assert list(curve.timesteps) == sorted(curve.timesteps, reverse=True)
        assert curve.timesteps[0] <= 999


def test_a_schedule_s_options_are_part_of_its_name() -> None:
    curves = describe_schedules(["karras", "karras rho=3"], 5)
    assert [curve.name for curve in curves] == ["karras", "karras rho=3"]
    assert curves[0].sigmas[2] != curves[1].sigmas[2]


def test_the_model_s_noise_schedule_is_used() -> None:
    (curve,) = describe_schedules(["normal"], 5, noise_schedule=linear())
    assert curve.sigmas[0] == pytest.approx(linear().sigma_max)


def test_an_unknown_schedule_names_the_nearest() -> None:
    with pytest.raises(UnknownName, match="karras"):
        describe_schedules(["karas"])


def test_noise_is_described_by_timestep() -> None:
    noise = describe_noise(linear(T=10))
    assert len(noise.alphas_cumprod) == len(noise.sigmas) == 10
    assert noise.sigmas[3] == pytest.approx(linear(T=10).sigma(3.0))


def test_a_picture_drowns_as_noise_rises(tiny: Pipeline) -> None:
    # given
    picture = Image.fromarray(paint_background("meadow").astype(np.uint8))
    # when
    noised = noise_picture(tiny, picture, count=4)
    # then
    away = [np.abs(np.asarray(each.image, float) - np.asarray(picture)).mean() for each in noised]
    assert picture.size == (SIDE, SIDE)
    assert away[0] < away[1] < away[3]
    assert [each.t for each in noised] == [125, 375, 625, 875]
    assert noised[1].sigma == pytest.approx(tiny.components.noise_schedule.sigma(375.0))
