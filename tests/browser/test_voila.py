"""The studio as a page of Voila, without JupyterLab: it draws."""

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import Browser, expect

from tests.browser.lab import KERNEL, LEAVES_THE_MACHINE
from tests.browser.server import environment, free_port

pytestmark = pytest.mark.browser


@pytest.fixture
def voila(chromium: str, tmp_path: Path) -> Iterator[str]:
    """Serve a notebook with a studio on loopback; give the page's address."""
    cells = ["%load_ext sdnb", "%sd set --language en --steps 4 --seed 9", "%sd panel studio"]
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(cell) for cell in cells], metadata={"kernelspec": KERNEL}
    )
    nbformat.write(notebook, tmp_path / "studio.ipynb")
    port = free_port()
    command = [
        *(sys.executable, "-m", "voila", "studio.ipynb", "--no-browser"),
        *("--Voila.ip=127.0.0.1", f"--port={port}"),
    ]
    with (tmp_path / "voila.log").open("w") as log:
        process = subprocess.Popen(
            command, cwd=tmp_path, env={**environment(tmp_path), **_paths()}, stdout=log, stderr=log
        )
        try:
            yield _answering(f"http://127.0.0.1:{port}", process, tmp_path / "voila.log")
        finally:
            process.terminate()
            process.wait(timeout=30)


def _paths() -> dict[str, str]:
    """Name the places where Jupyter looks that the environment of this process has."""
    return {name: value for name, value in os.environ.items() if name == "JUPYTER_PATH"}


def _answering(url: str, process: "subprocess.Popen[bytes]", log: Path) -> str:
    """Wait until the server takes connections; the page itself runs the notebook."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(f"{url}/voila/static/nothing", timeout=1).close()
        except urllib.error.HTTPError:
            return url
        except (urllib.error.URLError, TimeoutError):
            time.sleep(0.2)
        else:
            return url
    raise RuntimeError(f"Voila did not start:\n{log.read_text()}")


def test_the_studio_draws_on_a_page_of_voila(voila: str, browser: Browser) -> None:
    blocked: list[str] = []
    with browser.new_context(viewport={"width": 1100, "height": 1000}) as context:
        context.set_default_timeout(60_000)
        context.route(
            LEAVES_THE_MACHINE, lambda route: (blocked.append(route.request.url), route.abort())
        )
        page = context.new_page()
        page.goto(voila)
        studio = page.locator(".sdnb-surface")
        studio.get_by_label("Prompt", exact=True).fill("a red circle")
        studio.get_by_role("button", name="Generate", exact=True).click()

        expect(studio.get_by_alt_text("Generated picture: a red circle")).to_be_visible()
        expect(studio.get_by_role("slider")).to_have_attribute("aria-valuemax", "4")
        page.screenshot(path="build/screenshots/voila.png")
    # Voila's own page links stylesheets of another machine, and does without them
    assert all(address.endswith(".css") for address in blocked)
