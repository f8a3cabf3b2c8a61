"""A picture saved by sdnb opens again, bit for bit, after the kernel was restarted."""

import re

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.browser.lab import Lab, pixels

pytestmark = pytest.mark.browser

EVIL = """<script>window.owned = 1</script><img src=x onerror="window.owned = 1">"""


def test_a_saved_picture_is_drawn_again_by_the_cell_that_recall_fills_in(lab: Lab) -> None:
    # given
    lab.open_new("recall.ipynb")
    lab.run_cell("%load_ext sdnb")
    lab.run_cell(f"%%sd --seed 7 --steps 6 --batch 2 --size 64x64\na red circle {EVIL}")
    lab.run_cell("%sd save pictures")
    lab.wait_until_idle()
    lab.choose("Kernel", "Restart Kernel…")
    lab.page.locator(".jp-Dialog .jp-mod-accept").click()
    lab.wait_until_idle()

    # when
    lab.run_cell("%load_ext sdnb")
    lab.wait_until_idle()
    report = lab.run_cell("%sd recall pictures/sdnb-8.png")
    lab.wait_until_idle()
    filled = lab.cells.filter(has_text="%%sd --seed 7").last
    expect(filled).to_contain_text("a red circle")
    filled.locator(".cm-content").click()
    lab.page.keyboard.press("Control+Enter")
    lab.wait_until_idle()

    # then
    expect(lab.errors).to_have_count(0)
    expect(report).to_contain_text("picture 1 of its batch")
    saved = np.asarray(Image.open(lab.server.notebooks / "pictures" / "sdnb-8.png"))
    assert np.array_equal(pixels(filled.locator("img").nth(1)), saved)
    lab.screenshot("recall")


def test_the_history_lists_what_was_drawn_and_nothing_in_it_runs(lab: Lab) -> None:
    lab.open_new("history.ipynb")
    lab.run_cell("%load_ext sdnb")
    lab.run_cell(f"%%sd --seed 5 --steps 4 --size 64x64\na blue fish {EVIL}")
    table = lab.run_cell("%sd history blue fish")
    lab.wait_until_idle()

    expect(table.get_by_alt_text(re.compile("seed 5: a blue fish"))).to_be_visible()
    expect(table).to_contain_text("<script>window.owned = 1</script>")
    assert lab.page.evaluate("window.owned === undefined")
    for theme in ("Light", "Dark"):
        lab.use_theme(f"JupyterLab {theme}")
        lab.screenshot(f"history-{theme.lower()}")
    lab.use_theme("JupyterLab Light")
