"""Plots and tables of samplers in JupyterLab, without a network, on its light and dark page."""

import json
import re
from base64 import b64encode

import pytest
from playwright.sync_api import expect

from tests.browser.lab import PLOT, Lab, saved_bundles
from tests.browser.server import ROOT

pytestmark = pytest.mark.browser

LESSON = "05_samplers.ipynb"


def test_the_saved_lesson_shows_its_plots_before_it_is_run(lab: Lab, blocked: list[str]) -> None:
    lab.open(LESSON)

    lab.look_at_plots(saved_bundles(LESSON), "samplers")
    assert blocked == []


def test_a_cell_draws_schedules_with_pictures_and_hover(lab: Lab, blocked: list[str]) -> None:
    lab.open_new("schedules.ipynb")
    lab.run_cell("%load_ext sdnb")

    cell = lab.run_cell("%sd schedules --names karras,normal --steps 8")
    lab.wait_until_idle()

    plot = cell.locator(PLOT)
    expect(plot.locator(".legendtext")).to_have_text(["karras", "normal"])
    expect(plot.locator(".layer-above image, .imagelayer image")).to_have_count(8)
    plot.locator("image").last.scroll_into_view_if_needed()
    lab.screenshot("schedules-pictures")
    plot.locator(".gtitle").scroll_into_view_if_needed()
    point = plot.locator(".subplot.xy .scatterlayer .point").nth(3)
    box = point.bounding_box()
    assert box is not None
    lab.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(plot.locator(".hoverlayer")).to_contain_text(re.compile("SNR"))
    lab.screenshot("schedules-hover")
    assert blocked == []


def test_a_plot_s_picture_needs_no_plotly(lab: Lab, blocked: list[str]) -> None:
    sources = [
        b64encode(bundle["image/svg+xml"].encode()).decode() for bundle in saved_bundles(LESSON)
    ]
    tags = [f'<img src="data:image/svg+xml;base64,{source}">' for source in sources]
    lab.page.set_content("".join(tags))

    for image in lab.page.locator("img").all():
        assert image.evaluate("image => image.decode().then(() => image.naturalWidth)") > 500
    lab.page.screenshot(path=ROOT / "build/screenshots/samplers-static.png", full_page=True)
    assert blocked == []


def test_a_click_on_a_heading_sorts_the_table(lab: Lab, blocked: list[str]) -> None:
    lab.open_new("table.ipynb")
    lab.run_cell("%load_ext sdnb")
    cell = lab.run_cell("%sd samplers --names heun,ddim,plms")
    names = cell.locator("tbody td:first-child code")
    expect(names).to_have_text(["heun", "ddim", "plms"])

    heading = cell.get_by_role("button", name="sampler")
    heading.click()
    expect(names).to_have_text(["ddim", "heun", "plms"])
    heading.press("Enter")
    expect(names).to_have_text(["plms", "heun", "ddim"])
    lab.screenshot("samplers-table")
    assert blocked == []


def test_without_trust_the_table_is_plain_and_the_plots_stay(lab: Lab) -> None:
    """A notebook from elsewhere: its scripts are not run."""
    lab.open(LESSON)

    expect(lab.notebook.locator("table").last).to_contain_text("heun")
    expect(lab.notebook.locator("th button")).to_have_count(0)
    assert lab.notebook.locator(PLOT).count() == len(saved_bundles(LESSON))


def test_the_lesson_is_saved_small() -> None:
    text = (ROOT / "notebooks" / LESSON).read_text()
    assert len(text) < 1_500_000
    assert json.loads(text)["metadata"].get("widgets") is None
