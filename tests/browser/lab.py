"""JupyterLab as its user sees it: open a notebook, run cells, look at the pictures."""

import re
from pathlib import Path

import nbformat
import numpy as np
from playwright.sync_api import Locator, Page, expect

from tests.browser.server import ROOT, TOKEN, Server

SCREENSHOTS = ROOT / "build/screenshots"
PLOTLY = "application/vnd.plotly.v1+json"
PLOT = ".js-plotly-plot"
KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}
LEAVES_THE_MACHINE = re.compile(r"^\w+://(?!127\.0\.0\.1[:/])")

READ_PIXELS = """async image => {
    await image.decode();
    const canvas = document.createElement("canvas");
    canvas.width = image.naturalWidth;
    canvas.height = image.naturalHeight;
    const context = canvas.getContext("2d");
    context.drawImage(image, 0, 0);
    return Array.from(context.getImageData(0, 0, canvas.width, canvas.height).data);
}"""


class Lab:
    """One browser page that shows one notebook at a time."""

    def __init__(self, page: Page, server: Server) -> None:
        self.page = page
        self.server = server

    @property
    def notebook(self) -> Locator:
        return self.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")

    @property
    def cells(self) -> Locator:
        return self.notebook.locator(".jp-Notebook .jp-Cell")

    @property
    def outputs(self) -> Locator:
        return self.notebook.locator(".jp-OutputArea-output")

    @property
    def errors(self) -> Locator:
        """Tracebacks, warnings: whatever a cell wrote to standard error."""
        return self.notebook.locator("[data-mime-type='application/vnd.jupyter.stderr']")

    @property
    def images(self) -> Locator:
        """The pictures in HTML outputs; JupyterLab gives those of other types no alt text."""
        return self.notebook.locator("[data-mime-type='text/html'] img")

    def images_of(self, alt: re.Pattern[str]) -> Locator:
        """The pictures whose alternative text matches."""
        return self.notebook.get_by_alt_text(alt)

    def open(self, name: str) -> None:
        self.page.goto(f"{self.server.url}/lab/tree/{name}?reset&token={TOKEN}")
        self.wait_until_idle()

    def open_new(self, name: str) -> None:
        cells = [nbformat.v4.new_code_cell()]
        notebook = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": KERNEL})
        nbformat.write(notebook, self.server.notebooks / name)
        self.open(name)

    def run_all(self) -> None:
        """Run > Run All Cells, without waiting for them."""
        self.choose("Run", "Run All Cells")

    def run_cell(self, code: str) -> Locator:
        """Write code into the last cell and run it, without waiting; gives the cell."""
        index = self.cells.count() - 1
        editor = self.cells.nth(index).locator(".cm-content")
        editor.fill(code)
        editor.press("Shift+Enter")
        expect(self.cells).to_have_count(index + 2)
        return self.cells.nth(index)

    def interrupt(self) -> None:
        """The black square of the toolbar."""
        self.notebook.locator("[data-command='notebook:interrupt-kernel']").click()

    def use_theme(self, name: str) -> None:
        self.choose("Settings", "Theme", name)
        expect(self.page.locator(f"body[data-jp-theme-name='{name}']")).to_be_attached()
        expect(self.page.locator("#jupyterlab-splash")).to_have_count(0)

    def look_at_plots(self, bundles: list[dict], name: str) -> None:
        """Check that plots have their titles and heights, on both themes; keep pictures of them."""
        plots = self.notebook.locator(PLOT)
        expect(plots).to_have_count(len(bundles))
        for theme in ("Light", "Dark"):
            self.use_theme(f"JupyterLab {theme}")
            for index, (plot, bundle) in enumerate(zip(plots.all(), bundles, strict=True)):
                layout = bundle[PLOTLY]["layout"]
                expect(plot.locator(".gtitle")).to_have_text(layout["title"]["text"])
                expect(plot.locator("svg.main-svg").first).to_be_visible()
                plot.scroll_into_view_if_needed()
                box = plot.bounding_box()
                assert box is not None
                assert box["height"] >= layout["height"] - 1
                self.screenshot(f"{name}-{index}-{theme.lower()}")
        self.use_theme("JupyterLab Light")

    def choose(self, menu: str, *items: str) -> None:
        self.page.locator(".lm-MenuBar-itemLabel").get_by_text(menu, exact=True).click()
        for item in items:
            label = self.page.locator(".lm-Menu-itemLabel").get_by_text(item, exact=True)
            label.last.click()

    def wait_until_idle(self, seconds: float = 60) -> None:
        """No cell waits for its turn or runs, and the kernel says so."""
        prompts = self.notebook.locator(".jp-InputPrompt")
        expect(prompts.filter(has_text="*")).to_have_count(0, timeout=seconds * 1000)
        status_bar = self.page.locator("#jp-main-statusbar")
        expect(status_bar).to_contain_text("(ipykernel) | Idle", timeout=seconds * 1000)

    def screenshot(self, name: str) -> Path:
        path = SCREENSHOTS / f"{name}.png"
        self.page.screenshot(path=path)
        return path


def saved_bundles(lesson: str) -> list[dict]:
    """What a saved lesson's plots hold, in order."""
    notebook = nbformat.read(ROOT / "notebooks" / lesson, as_version=4)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    return [output["data"] for output in outputs if PLOTLY in output.get("data", {})]


def alt_text(image: Locator) -> str:
    return image.get_attribute("alt") or ""


def pixels(image: Locator) -> np.ndarray:
    """What the browser drew of an ``<img>``: [H, W, 3], 0 to 255."""
    width, height = image.evaluate("image => [image.naturalWidth, image.naturalHeight]")
    rgba = np.array(image.evaluate(READ_PIXELS), dtype=np.uint8).reshape(height, width, 4)
    return rgba[:, :, :3]
