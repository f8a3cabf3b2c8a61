"""Align Your Steps: the published levels, and what lies between them."""

import pytest
from diffusers.schedulers import AysSchedules

from sdnb.diffusion.sigma_schedules import sigmas
from sdnb.errors import UnknownName


@pytest.mark.parametrize(
    ("table", "published"),
    [("sd1", "StableDiffusionSigmas"), ("sdxl", "StableDiffusionXLSigmas")],
)
def test_ten_steps_are_the_published_ones(table, published):
    found = sigmas("align_your_steps", 10, table=table)
    assert found.tolist() == pytest.approx(AysSchedules[published])


def test_twice_the_steps_pass_through_the_same_levels():
    # when
    ten, twenty = sigmas("align_your_steps", 10), sigmas("align_your_steps", 20)

    # then
    assert twenty[:20:2].tolist() == pytest.approx(ten[:10].tolist())
    assert twenty[1].item() == pytest.approx((ten[0] * ten[1]).sqrt().item())


@pytest.mark.parametrize("table", ["sd3", ""])
def test_an_unknown_table_is_told_the_known_ones(table):
    with pytest.raises(UnknownName, match="sdxl"):
        sigmas("align_your_steps", 10, table=table)
