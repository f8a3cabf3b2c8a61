"""Comparison and history in JupyterLab: a grid that fills, cells in the studio, old pictures."""

import re

import numpy as np
import pytest
from playwright.sync_api import Browser, Locator, expect

from tests.browser.lab import Lab, pixels

pytestmark = pytest.mark.browser

THREADS = "print([t.name for t in __import__('threading').enumerate() if 'sdnb' in t.name])"


def opened(lab: Lab, name: str, *lines: str) -> Locator:
    """Open a notebook, run cells; give the surface of the panel that the last one opens."""
    lab.page.set_viewport_size({"width": 1360, "height": 1250})
    lab.open_new(name)
    for line in ("%load_ext sdnb", "%sd set --language en --seed 9 --steps 4", *lines):
        lab.run_cell(line)
    lab.wait_until_idle()
    surface = lab.notebook.locator(".sdnb-surface").first
    expect(surface).to_be_visible()
    return surface


def press(surface: Locator, name: str) -> None:
    surface.get_by_role("button", name=name, exact=True).click()


def phase(surface: Locator, name: str) -> Locator:
    return surface.locator(f".sdnb-stage[data-phase='{name}']")


def drawn(cell: Locator) -> np.ndarray:
    """What a cell of the grid shows: [H, W, 3]."""
    read = """canvas => [canvas.width, canvas.height, ...canvas.getContext("2d")
        .getImageData(0, 0, canvas.width, canvas.height).data]"""
    width, height, *rgba = cell.locator("canvas").evaluate(read)
    return np.array(rgba, dtype=np.uint8).reshape(height, width, 4)[:, :, :3]


def looks(lab: Lab, surface: Locator, name: str, words: dict[str, str]) -> None:
    """Look at a panel in both languages on both themes, and narrow; nothing is cut off."""
    for language, word in words.items():
        lab.run_cell(f"%sd set --language {language}")
        expect(surface.get_by_role("button", name=word, exact=True).first).to_be_visible()
        for theme in ("Light", "Dark"):
            lab.use_theme(f"JupyterLab {theme}")
            surface.scroll_into_view_if_needed()
            lab.screenshot(f"{name}-{language}-{theme.lower()}")
    lab.page.set_viewport_size({"width": 1055, "height": 1400})
    surface.scroll_into_view_if_needed()
    beyond = surface.evaluate(
        """panel => [...panel.querySelectorAll("input, select, textarea, button, canvas, img")]
        .filter(one => one.getBoundingClientRect().right > panel.getBoundingClientRect().right)
        .map(one => one.outerHTML.slice(0, 80))"""
    )
    lab.screenshot(f"{name}-narrow")
    assert beyond == []
    lab.use_theme("JupyterLab Light")
    lab.run_cell("%sd set --language en")


def test_a_grid_fills_is_paged_through_and_a_cell_opens_in_the_studio(
    lab: Lab, browser: Browser, blocked: list[str], said: list[str]
) -> None:
    grid = opened(lab, "compare.ipynb", "import sdnb; panel = sdnb.panel('compare')")
    cells = grid.locator("button.sdnb-cell")

    # a wrong name is said beside its row, and its own row alone
    values = grid.get_by_label("Values of axis 1")
    values.fill("euler,hein")
    expect(grid.get_by_role("alert").filter(has_text="Axis 1: there is no sampler")).to_be_visible()
    values.fill("euler,dpmpp_2m,heun")
    grid.get_by_label("Values of axis 2").fill("2,4,900")
    grid.get_by_label("Prompt", exact=True).fill("a large blue house on a meadow")

    # 3x3 cells: the short runs end, Stop keeps them, the long ones are left as they are
    press(grid, "Fill the grid")
    expect(grid.locator("button.sdnb-cell[data-state='finished']")).to_have_count(6)
    lab.screenshot("compare-filling")
    press(grid, "Stop")
    expect(phase(grid, "stopped")).to_be_visible()
    expect(grid).to_contain_text("Stopped: 6 of 9 cells")
    expect(grid.get_by_role("button", name="Go on", exact=True)).to_be_visible()
    grid.get_by_label("Values of axis 2").fill("2,4,6")
    press(grid, "Fill the grid")
    expect(phase(grid, "finished")).to_be_visible()
    expect(grid.get_by_role("columnheader")).to_have_text(["steps 2", "steps 4", "steps 6"])
    expect(cells).to_have_count(9)

    # the flip book: one value of an axis, and an earlier moment, by keys alone
    press(grid, "Show the steps")
    moment = grid.get_by_label("Moment", exact=True)
    expect(moment).to_be_visible()
    late = drawn(cells.last)
    moment.focus()
    lab.page.keyboard.press("Home")
    assert np.abs(drawn(cells.last).astype(int) - late).mean() > 5
    lab.page.keyboard.press("End")
    grid.get_by_label("sampler", exact=True).focus()
    lab.page.keyboard.press("End")
    expect(cells).to_have_count(3)
    expect(grid.get_by_label("sampler", exact=True)).to_have_attribute("aria-valuetext", "heun")
    lab.screenshot("compare-flip-book")
    lab.page.keyboard.press("Home")

    # a click on a cell: its run in the studio below, with its film
    before = drawn(cells.last)
    grid.get_by_role("button", name="heun, steps 6: open in the studio").click()
    studio = lab.notebook.locator(".sdnb-surface").nth(1)
    expect(studio.get_by_label("Steps", exact=True)).to_have_value("6")
    expect(studio.locator(".sdnb-title")).to_have_text("Studio")
    expect(studio.locator(".sdnb-stage[data-phase='finished']")).to_be_visible()
    shown = pixels(studio.locator("img.sdnb-picture"))
    assert np.abs(shown.astype(int) - before).mean() < 6
    press(studio, "Add to compare")
    expect(grid).to_contain_text("Finished: 1 of 1 cells")

    looks(lab, grid, "compare", {"es": "Rellenar", "en": "Fill the grid"})

    # a page of its own; and a cleared output leaves no panel and no thread
    lab.run_cell("path = panel.to_html('compare.html')")
    lab.wait_until_idle()
    with browser.new_context(offline=True) as context:
        page = context.new_page()
        page.goto((lab.server.notebooks / "compare.html").as_uri())
        expect(page.locator("button.sdnb-cell canvas")).to_have_count(1)
    lab.notebook.locator(".jp-Cell").nth(2).click()
    lab.choose("Edit", "Clear Cell Output")
    expect(grid).to_have_count(0)
    lab.page.wait_for_timeout(1500)
    gone = lab.run_cell(f"print(panel.is_closed); {THREADS}")
    expect(gone.locator(".jp-OutputArea-output")).to_have_text(re.compile(r"True\s+\[\]"))
    assert blocked == []


def test_old_pictures_are_found_looked_at_recalled_and_deleted(
    lab: Lab, blocked: list[str], said: list[str]
) -> None:
    history = opened(
        lab,
        "history.ipynb",
        "%sd a red circle --sampler euler",
        "%sd a green tree on sand --sampler heun --seed 77",
        "%sd panel history",
    )
    cards = history.locator("button.sdnb-card")
    expect(cards.first).to_be_visible()

    # searched and filtered
    history.get_by_label("Search in prompts").fill("sand tree")
    history.get_by_label("Sampler").select_option("heun")
    expect(cards).to_have_count(1)
    cards.first.click()
    expect(cards.first).to_have_attribute("aria-pressed", "true")
    expect(history.locator(".sdnb-facts")).to_contain_text("77")
    expect(history.get_by_alt_text(re.compile("^Generated picture: a green tree"))).to_be_visible()

    # recalled: the same seed is typed in the studio
    press(history, "Open in the studio")
    studio = lab.notebook.locator(".sdnb-surface").nth(1)
    expect(studio.get_by_label("Next seed")).to_have_value("77")
    expect(studio.get_by_label("Sampler", exact=True)).to_have_value("heun")

    looks(lab, history, "history", {"es": "Abrir en el estudio", "en": "Open in the studio"})

    # deleted only after a question, whose first answer is no
    press(history, "Delete…")
    expect(history.get_by_role("button", name="Keep it")).to_be_focused()
    lab.page.keyboard.press("Enter")
    expect(history.get_by_role("alertdialog")).to_have_count(0)
    expect(cards).to_have_count(1)
    press(history, "Delete…")
    press(history, "Delete it")
    expect(cards).to_have_count(0)
    expect(history).to_contain_text("Nothing was found")
    assert blocked == []
