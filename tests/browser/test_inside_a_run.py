"""The lesson on a run's inside, in JupyterLab, on its light and dark page."""

import json
import re
from base64 import b64encode

import pytest
from playwright.sync_api import expect

from tests.browser.lab import PLOT, Lab, saved_bundles
from tests.browser.server import ROOT

pytestmark = pytest.mark.browser

LESSON = "07_inside_a_run.ipynb"


def test_the_saved_lesson_shows_its_plots_before_it_is_run(lab: Lab, blocked: list[str]) -> None:
    lab.open(LESSON)

    lab.look_at_plots(saved_bundles(LESSON), "inside")
    assert blocked == []


def test_the_saved_lesson_shows_its_tree_microscope_and_film(lab: Lab, blocked: list[str]) -> None:
    lab.open(LESSON)

    shown = {
        "tree": lab.images_of(re.compile("from step 2")).first,
        "microscope": lab.images_of(re.compile("Channel 0 of eps_true")),
        "film": lab.images_of(re.compile("forming in 20 steps")),
    }
    for theme in ("Light", "Dark"):
        lab.use_theme(f"JupyterLab {theme}")
        for name, image in shown.items():
            image.scroll_into_view_if_needed()
            assert image.evaluate("image => image.decode().then(() => image.naturalWidth)") >= 64
            lab.screenshot(f"inside-{name}-{theme.lower()}")
    lab.use_theme("JupyterLab Light")
    assert blocked == []


def test_the_whole_lesson_runs(lab: Lab, blocked: list[str]) -> None:
    lab.open(LESSON)
    lab.run_all()

    lab.wait_until_idle(240)

    expect(lab.errors).to_have_count(0)
    expect(lab.notebook.locator(PLOT)).to_have_count(len(saved_bundles(LESSON)))
    expect(lab.images_of(re.compile("forming in 20 steps"))).to_be_visible()
    assert blocked == []


def test_a_cell_draws_a_film_and_channels_with_hover(lab: Lab, blocked: list[str]) -> None:
    lab.open_new("film.ipynb")
    lab.run_cell("%load_ext sdnb")
    lab.run_cell("%sd a red circle --seed 7 --steps 6")

    film = lab.run_cell("%sd film --frames 3")
    latents = lab.run_cell("%sd latents")
    lab.wait_until_idle()

    expect(film.locator(f"{PLOT} .imagelayer image, {PLOT} .layer-below image")).to_have_count(3)
    expect(film.locator(f"{PLOT} .textpoint")).to_have_count(3)
    plot = latents.locator(PLOT)
    plot.scroll_into_view_if_needed()
    box = plot.locator(".heatmaplayer image").first.bounding_box()
    assert box is not None
    lab.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(plot.locator(".hoverlayer")).to_contain_text(re.compile(r"channel \d: "))
    lab.screenshot("inside-hover")
    assert blocked == []


def test_a_plot_s_picture_needs_no_plotly(lab: Lab, blocked: list[str]) -> None:
    bundles = saved_bundles(LESSON)
    sources = [b64encode(bundle["image/svg+xml"].encode()).decode() for bundle in bundles]
    tags = [f'<img src="data:image/svg+xml;base64,{source}">' for source in sources]
    lab.page.set_content("".join(tags))

    for image in lab.page.locator("img").all():
        assert image.evaluate("image => image.decode().then(() => image.naturalWidth)") > 500
    lab.page.screenshot(path=ROOT / "build/screenshots/inside-static.png", full_page=True)
    assert blocked == []


def test_the_lesson_is_saved_small() -> None:
    text = (ROOT / "notebooks" / LESSON).read_text()
    assert len(text) < 2_000_000
    assert json.loads(text)["metadata"].get("widgets") is None
