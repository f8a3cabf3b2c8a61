"""axe-core on every panel, light and dark: no serious finding."""

from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from sdnb.magics.panel import PANELS
from tests.browser.lab import Lab

pytestmark = pytest.mark.browser

SERIOUS = ("serious", "critical")


@pytest.fixture
def said(lab: Lab) -> Iterator[list[str]]:
    """What the page's console said of errors while the test ran: nothing."""
    errors: list[str] = []
    lab.page.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
    lab.page.on("pageerror", lambda error: errors.append(str(error)))
    yield errors
    assert errors == []


def findings(lab: Lab) -> list[str]:
    """Serious findings of axe-core in the panels of the page: rule, and what it is about."""
    results = Axe().run(lab.page, context=".sdnb-surface")
    return [
        f"{each['id']}: {node['html'][:120]} {node['any'][0]['message'] if node['any'] else ''}"
        for each in results.response["violations"]
        if each["impact"] in SERIOUS
        for node in each["nodes"]
    ]


def test_no_panel_has_a_serious_finding(lab: Lab, blocked: list[str], said: list[str]) -> None:
    # given: every panel, with something in it
    lab.page.set_viewport_size({"width": 1360, "height": 1250})
    lab.open_new("access.ipynb")
    for line in (
        "%load_ext sdnb",
        "%sd set --language en --steps 2 --size 64x64",
        "%sd a red circle --seed 7",
        "%sd panel studio",
    ):
        lab.run_cell(line)
    lab.run_cell("import sdnb")
    for name in PANELS:
        if name != "studio":
            lab.run_cell(f"panel = sdnb.panel({name!r})")
    lab.wait_until_idle()
    panels = lab.notebook.locator(".sdnb-surface")
    expect(panels).to_have_count(len(PANELS))
    if "compare" in PANELS:
        press = panels.get_by_role("button", name="Fill the grid")
        press.click()
        expect(panels.get_by_role("button", name="heun, steps 20: open")).to_be_visible()
    panels.get_by_label("Length", exact=True).fill("20")
    panels.get_by_role("button", name="Start", exact=True).click()
    expect(panels.get_by_role("img", name="EMA (average), step 20")).to_be_visible()
    panels.locator("button.sdnb-card").first.click()
    expect(panels.locator(".sdnb-facts")).to_contain_text("karras")

    # then
    for theme in ("Light", "Dark"):
        lab.use_theme(f"JupyterLab {theme}")
        assert findings(lab) == []
    lab.use_theme("JupyterLab Light")
    assert blocked == []
