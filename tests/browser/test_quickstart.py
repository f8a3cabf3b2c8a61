"""What a newcomer does: run the first notebook, stop a long run, go on."""

import re

import numpy as np
import pytest
from playwright.sync_api import expect

from tests.browser.lab import Lab, alt_text, pixels

pytestmark = pytest.mark.browser

BLUE_HOUSE = re.compile("blue house")


def share_of_blue(image: np.ndarray) -> float:
    """Which part of the pixels is clearly blue, 0 to 1."""
    red, green, blue = image.astype(int).transpose(2, 0, 1)
    return float(np.mean((blue > 140) & (blue - red > 60) & (blue - green > 60)))


def share_of_red(image: np.ndarray) -> float:
    """Which part of the pixels is clearly red, 0 to 1."""
    red, green, blue = image.astype(int).transpose(2, 0, 1)
    return float(np.mean((red > 140) & (red - green > 60) & (red - blue > 60)))


def test_the_quickstart_draws_a_blue_house_and_looks_right(lab: Lab, blocked: list[str]) -> None:
    lab.open("01_quickstart.ipynb")

    lab.run_all()
    lab.wait_until_idle(seconds=240)

    expect(lab.errors).to_have_count(0)
    assert all(alt_text(image) for image in lab.images.all())
    assert share_of_blue(pixels(lab.images_of(BLUE_HOUSE).first)) > 0.03
    lab.images_of(BLUE_HOUSE).first.scroll_into_view_if_needed()
    lab.screenshot("quickstart-light")
    lab.use_theme("JupyterLab Dark")
    lab.screenshot("quickstart-dark")
    lab.use_theme("JupyterLab Light")
    assert blocked == []


def test_an_interrupted_run_keeps_its_last_preview_and_the_next_one_works(lab: Lab) -> None:
    lab.open_new("long_run.ipynb")
    lab.run_cell("%load_ext sdnb")
    long = lab.run_cell("%%sd --steps 1000 --batch 4 --seed 7\na red circle")
    expect(long.locator("img")).to_have_count(4)
    lab.screenshot("long-run")

    lab.interrupt()
    lab.wait_until_idle()
    expect(long.locator("img")).to_have_count(4)
    expect(long).not_to_contain_text("Traceback")
    lab.screenshot("long-run-interrupted")
    again = lab.run_cell("%%sd --seed 7\na red circle")
    lab.wait_until_idle()

    assert share_of_red(pixels(again.locator("img").first)) > 0.03


def test_a_mistyped_sampler_is_answered_with_the_nearest_name(lab: Lab) -> None:
    lab.open_new("mistake.ipynb")
    lab.run_cell("%load_ext sdnb")

    cell = lab.run_cell("%%sd --sampler hoin\na red circle")
    lab.wait_until_idle()

    expect(cell).to_contain_text("heun")
    expect(cell).not_to_contain_text("Traceback")
    lab.screenshot("mistake")
