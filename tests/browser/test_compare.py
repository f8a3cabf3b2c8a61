"""A grid in JupyterLab: it fills while it runs, survives an interrupt, and goes on."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.lab import PLOT, Lab, alt_text, saved_bundles

pytestmark = pytest.mark.browser

LESSON = "06_compare.ipynb"
PREVIEW = re.compile(r"^steps \d+, \w+$")


def test_a_grid_fills_and_survives_an_interrupt(lab: Lab, blocked: list[str]) -> None:
    lab.open_new("grid.ipynb")
    lab.run_cell("%load_ext sdnb")
    grid = lab.run_cell(
        "%%sd --seed 7 --compare steps=10,300 sampler=euler,dpmpp_2m,heun\na red circle"
    )

    # the short runs have ended, the long ones show what they would give
    expect(grid.get_by_role("progressbar")).to_be_visible(timeout=60_000)
    expect(grid.get_by_text("evaluations")).to_have_count(3, timeout=60_000)
    expect(grid.get_by_alt_text(PREVIEW)).to_have_count(6)
    lab.screenshot("grid-filling")
    lab.interrupt()
    lab.wait_until_idle()

    expect(grid).not_to_contain_text("Traceback")
    expect(grid.get_by_role("progressbar")).to_have_count(0)
    expect(grid).to_contain_text("3 of 6 cells")
    expect(grid.get_by_alt_text(PREVIEW)).to_have_count(3)
    lab.screenshot("grid-interrupted")
    resumed = lab.run_cell("%sd resume")
    expect(resumed.get_by_role("progressbar")).to_be_visible(timeout=60_000)
    lab.interrupt()
    lab.wait_until_idle()
    expect(resumed).to_contain_text("3 of 6 cells")
    assert blocked == []


def test_a_grid_has_its_labels_on_light_and_dark_pages(lab: Lab, blocked: list[str]) -> None:
    lab.open_new("labels.ipynb")
    lab.run_cell("%load_ext sdnb")
    grid = lab.run_cell(
        "%%sd --seed 7 --compare steps=5,10,20 sampler=euler,dpmpp_2m,heun\n"
        "a large blue house on a meadow"
    )
    lab.wait_until_idle()

    expect(grid.get_by_role("columnheader")).to_have_text(
        ["sampler euler", "sampler dpmpp_2m", "sampler heun"]
    )
    expect(grid.get_by_role("rowheader")).to_have_text(["steps 5", "steps 10", "steps 20"])
    expect(grid).to_contain_text("9 of 9 cells")
    assert alt_text(grid.locator("img").first) == "steps 5, euler"
    for theme in ("Light", "Dark"):
        lab.use_theme(f"JupyterLab {theme}")
        grid.locator("table").scroll_into_view_if_needed()
        lab.screenshot(f"grid-{theme.lower()}")
    lab.use_theme("JupyterLab Light")
    assert blocked == []


def test_the_saved_lesson_shows_its_plots_before_it_is_run(lab: Lab, blocked: list[str]) -> None:
    lab.open(LESSON)

    lab.look_at_plots(saved_bundles(LESSON), "compare")
    assert blocked == []


def test_a_flip_book_turns_its_pages_without_a_kernel(lab: Lab, blocked: list[str]) -> None:
    lab.open(LESSON)
    book = lab.notebook.locator(PLOT).last
    book.scroll_into_view_if_needed()

    def pages() -> list[list[float]]:
        return book.evaluate("plot => [plot._fullLayout.xaxis.range, plot._fullLayout.yaxis.range]")

    def go(slider: int, share: float) -> None:
        rail = book.locator(".slider-rail-touch-rect").nth(slider)
        box = rail.bounding_box()
        assert box is not None
        x, y = box["x"] + share * box["width"], box["y"] + box["height"] / 2
        lab.page.mouse.click(x, y)
        lab.page.wait_for_timeout(500)

    whole = pages()
    go(0, 0.5)
    one = pages()
    go(1, 0.5)
    cell = pages()
    lab.screenshot("flip-book")

    assert one != whole and cell != one
    spans = [abs(high - low) for pair in (whole, cell) for low, high in pair]
    assert spans[2] < spans[0] and spans[3] < spans[1]
    assert blocked == []
