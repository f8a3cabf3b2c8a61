"""The browser tests' own ground: JupyterLab opens, runs, stops, and keeps to this machine."""

import pytest
from playwright.sync_api import expect

from tests.browser.lab import Lab

pytestmark = pytest.mark.browser


def test_a_cell_shows_its_output_and_nothing_leaves_the_machine(
    lab: Lab, blocked: list[str]
) -> None:
    lab.open_new("first.ipynb")

    cell = lab.run_cell("print(6 * 7)")

    expect(cell.locator(".jp-OutputArea-output")).to_have_text("42")
    lab.wait_until_idle()
    assert blocked == []


def test_interrupting_ends_a_cell_and_the_kernel_goes_on(lab: Lab) -> None:
    lab.open_new("interrupted.ipynb")
    sleeping = lab.run_cell("import time; print('asleep'); time.sleep(100)")
    expect(sleeping.locator(".jp-OutputArea-output")).to_have_text("asleep")

    lab.interrupt()
    expect(sleeping).to_contain_text("KeyboardInterrupt")
    after = lab.run_cell("print(6 * 7)")

    expect(after.locator(".jp-OutputArea-output")).to_have_text("42")


def test_a_request_to_another_machine_is_refused_and_noted(lab: Lab, blocked: list[str]) -> None:
    lab.open_new("asking.ipynb")

    lab.page.evaluate("fetch('http://192.0.2.1/news').catch(() => null)")

    assert blocked == ["http://192.0.2.1/news"]
