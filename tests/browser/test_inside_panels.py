"""The panels of schedules, latents, noise, attention and texts in JupyterLab."""

import re
from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Locator, expect

from tests.browser.lab import SCREENSHOTS, Lab, pixels

pytestmark = pytest.mark.browser

PROMPT = "a large blue house on a meadow"
READ_TILE = """canvas => [...canvas.getContext("2d")
    .getImageData(0, 0, canvas.width, canvas.height).data]"""
BEYOND = """panel => [...panel.querySelectorAll("input, select, textarea, button, canvas, svg")]
    .filter(one => one.getBoundingClientRect().right > panel.getBoundingClientRect().right + 1)
    .map(one => one.outerHTML.slice(0, 80))"""


class Opened:
    """The last panel of a notebook."""

    def __init__(self, lab: Lab, name: str, options: str = "") -> None:
        lab.run_cell(f"panel = sdnb.panel('{name}'{options})")
        lab.wait_until_idle()
        self.lab, self.name = lab, name
        self.element = lab.notebook.locator(".sdnb-surface").last
        expect(self.element).to_be_visible()

    def press(self, name: str) -> None:
        self.element.get_by_role("button", name=name, exact=True).click()

    def slider(self, name: str | re.Pattern[str]) -> Locator:
        return self.element.get_by_role("slider", name=name)

    def wait_for(self, phase: str) -> None:
        expect(self.element.locator(f".sdnb-stage[data-phase='{phase}']")).to_be_visible()

    def tile(self, index: int) -> np.ndarray:
        return np.array(self.element.locator("canvas.sdnb-tile").nth(index).evaluate(READ_TILE))

    def numbers(self, index: int) -> np.ndarray:
        """Read one of the small tables."""
        table = self.element.locator("table.sdnb-numbers").nth(index)
        cells = table.locator("td").all_inner_texts()
        return np.array([float(cell.replace("−", "-")) for cell in cells])

    def shots(self, name: str) -> None:
        """Keep pictures of both themes and languages, and of a page of 600 px."""
        self.element.screenshot(path=SCREENSHOTS / f"{name}-en-light.png")
        self.lab.run_cell("%sd set --language es")
        self.lab.use_theme("JupyterLab Dark")
        self.lab.wait_until_idle()
        self.element.screenshot(path=SCREENSHOTS / f"{name}-es-dark.png")
        self.lab.run_cell("%sd set --language en")
        self.lab.use_theme("JupyterLab Light")
        self.lab.page.set_viewport_size({"width": 1055, "height": 1250})
        self.element.screenshot(path=SCREENSHOTS / f"{name}-narrow.png")
        assert self.element.evaluate(BEYOND) == []
        self.lab.page.set_viewport_size({"width": 1360, "height": 1250})


def look_at_a_text(lab: Lab) -> None:
    """Type a text, look at it through two lenses by keys alone, and make a mistake."""
    panel = Opened(lab, "text")
    words = panel.element.locator("li.sdnb-word")
    expect(words.filter(has_text="meadow</w>")).to_be_visible()  # the last prompt
    text = panel.element.get_by_label("Text", exact=True)
    text.fill("a catamaran on a (meadow:1.5)")
    expect(panel.element).to_contain_text("29 characters · 5 words")
    assert words.filter(has_text="catamaran").locator(".sdnb-token").count() > 1
    expect(panel.element.locator("mark")).to_have_text("catamaran")
    expect(panel.element.locator(".sdnb-places > span")).to_have_count(77)
    panel.element.get_by_role("button", name="Vectors").focus()
    for _ in range(3):
        lab.page.keyboard.press("Tab")
    lab.page.keyboard.press("Enter")
    chosen = panel.element.get_by_role("button", name="Sum of words", pressed=True)
    expect(chosen).to_be_focused()
    expect(panel.element.get_by_alt_text(re.compile("blue circle: rank 1 of"))).to_be_visible()
    total = panel.element.get_by_label("Sum", exact=True)
    total.fill("red circle - red +")
    expect(total).to_have_attribute("aria-invalid", "true")
    expect(panel.element.get_by_alt_text(re.compile("blue circle: rank 1 of"))).to_be_visible()
    total.fill("red house - red + green")
    panel.element.get_by_label("What should come out").fill("green house")
    expect(panel.element.get_by_alt_text(re.compile("green house: rank 1 of"))).to_be_visible()
    panel.shots("text")
    panel.press("Vectors")
    expect(panel.element.get_by_alt_text(re.compile("embedding, output"))).to_be_visible()
    text.fill("cat " * 80)
    window = panel.element.locator(".sdnb-chunks[tabindex='0']")  # the plot stays in sight
    expect(window).to_contain_text("Chunk 2 of 2")
    assert window.evaluate("node => node.clientHeight < node.scrollHeight")


def test_a_drawn_schedule_is_sampled_and_steps_are_scrubbed(
    lab: Lab, browser: Browser, blocked: list[str], said: list[str]
) -> None:
    lab.page.set_viewport_size({"width": 1360, "height": 1250})
    lab.open_new("inside.ipynb")
    lab.run_cell("%load_ext sdnb")
    lab.run_cell("%sd set --language en --steps 6 --seed 9")
    lab.run_cell("import sdnb")

    # schedules: drag a point by mouse, move another by keys, sample both
    panel = Opened(lab, "schedules")
    panel.element.get_by_label("Prompt", exact=True).fill(PROMPT)
    third = panel.slider("Level 3 of 6")
    before = float(third.get_attribute("aria-valuenow") or 0)
    box = third.bounding_box()
    assert box is not None
    across, down = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    lab.page.mouse.move(across, down)
    lab.page.mouse.down()
    lab.page.mouse.move(across, down - 40, steps=4)
    lab.page.mouse.up()
    expect(third).not_to_have_attribute("aria-valuenow", str(before))
    assert float(third.get_attribute("aria-valuenow") or 0) > before
    third.focus()
    lab.page.keyboard.press("ArrowRight")
    fourth = panel.slider("Level 4 of 6")
    expect(fourth).to_be_focused()
    lab.page.keyboard.press("PageDown")
    levels = panel.element.get_by_label("Your levels (σ)", exact=True)
    expect(levels).to_have_value(re.compile(re.escape(fourth.get_attribute("aria-valuenow") or "")))
    panel.press("Sample both")
    panel.wait_for("finished")
    expect(panel.element).to_contain_text("seed 9 · 6 evaluations")
    drawn, reference = (pixels(panel.element.locator("img.sdnb-picture").nth(i)) for i in (0, 1))
    assert not np.array_equal(drawn, reference)
    panel.shots("schedules")

    # what is typed wrong is said beside its field; the pictures stay
    levels.fill("1, 2, 3")
    expect(levels).to_have_attribute("aria-invalid", "true")
    assert np.array_equal(pixels(panel.element.locator("img.sdnb-picture").first), drawn)
    panel.press("Start from the reference")
    expect(levels).not_to_have_attribute("aria-invalid", "true")

    # latents of that run: the arrow keys scrub, without the kernel
    panel = Opened(lab, "latents")
    lab.run_cell("import time; print('asleep'); time.sleep(30)")
    expect(lab.notebook).to_contain_text("asleep")
    strip = panel.slider("Film strip of all steps")
    strip.focus()
    last = panel.tile(0)
    for _ in range(3):
        lab.page.keyboard.press("ArrowLeft")
    expect(strip).to_have_attribute("aria-valuenow", "3")
    assert not np.array_equal(panel.tile(0), last)
    assert panel.element.locator("canvas.sdnb-tile").count() == 20
    lab.interrupt()
    lab.wait_until_idle()
    panel.shots("latents")

    # the picture under noise: the arrow keys choose a level, and all that is said of it
    panel = Opened(lab, "forward")
    panel.wait_for("finished")
    strip = panel.slider("The picture at all noise levels")
    strip.focus()
    lab.page.keyboard.press("End")
    expect(strip).to_have_attribute("aria-valuetext", "t 999, σ 14.6")
    drowned = pixels(panel.element.locator("img.sdnb-picture").nth(1))
    picture, noise, noisy = (panel.numbers(index) for index in range(3))
    assert np.allclose(picture + noise, noisy, atol=1e-9)
    lab.page.keyboard.press("Home")
    expect(panel.element.get_by_role("img", name=re.compile("At t 0: correlation"))).to_be_visible()
    assert not np.array_equal(pixels(panel.element.locator("img.sdnb-picture").nth(1)), drowned)
    assert np.allclose(panel.numbers(0), picture)
    panel.shots("forward")
    teal = BytesIO()
    Image.new("RGB", (64, 64), "teal").save(teal, "PNG")
    upload = {"name": "teal.png", "mimeType": "image/png", "buffer": teal.getvalue()}
    panel.element.get_by_label(re.compile("^Picture")).set_input_files(files=[upload])
    panel.element.get_by_role("spinbutton", name="Levels").fill("2")
    expect(panel.element.locator("img.sdnb-thumb")).to_be_visible()
    panel.press("Add noise")
    expect(strip).to_have_attribute("aria-valuemax", "2")
    panel.wait_for("finished")
    teals = pixels(panel.element.locator("img.sdnb-picture").first)
    assert np.abs(teals.astype(int) - [0, 128, 128]).max() < 8

    # attention: the run is made again and watched; words are chosen by clicking them
    panel = Opened(lab, "attention")
    panel.wait_for("finished")
    tiles = panel.element.locator("canvas.sdnb-tile")
    expect(tiles).to_have_count(6)
    together = panel.element.get_by_label("All steps together")
    expect(together).to_be_checked()
    panel.press("meadow")
    expect(tiles).to_have_count(5)
    panel.press("meadow")
    expect(tiles).to_have_count(6)
    shown = panel.tile(2)
    panel.slider("Film strip of all steps").focus()
    lab.page.keyboard.press("Home")
    expect(together).not_to_be_checked()
    assert not np.array_equal(panel.tile(2), shown)
    panel.shots("attention")

    # a page of its own scrubs in a browser without a server
    lab.run_cell("panel.to_html('attention.html')")
    lab.wait_until_idle()
    with browser.new_context(offline=True) as context:
        page = context.new_page()
        page.goto((lab.server.notebooks / "attention.html").as_uri())
        page.get_by_role("slider").focus()
        page.keyboard.press("ArrowLeft")
        expect(page.get_by_role("slider")).to_have_attribute(
            "aria-valuetext", re.compile("^Step 5 of 6")
        )
        expect(page.locator("canvas.sdnb-tile")).to_have_count(6)

    look_at_a_text(lab)
    assert blocked == []


def test_a_training_is_watched_held_and_taken_up_again(
    lab: Lab, browser: Browser, blocked: list[str], said: list[str]
) -> None:
    lab.page.set_viewport_size({"width": 1360, "height": 1250})
    lab.open_new("training.ipynb")
    lab.run_cell("%load_ext sdnb")
    lab.run_cell("%sd set --language en")
    lab.run_cell("import sdnb")
    panel = Opened(lab, "training")

    # what is typed wrong is said beside its field
    rate = panel.element.get_by_label("Learning rate", exact=True)
    rate.fill("0")
    expect(rate).to_have_attribute("aria-invalid", "true")
    rate.fill("0.006")

    # another subject has other fields, and the choice keeps the focus
    subject = panel.element.get_by_label("What is trained", exact=True)
    subject.focus()
    subject.select_option("lora")
    expect(panel.element.get_by_label("Rank of the LoRA", exact=True)).to_have_value("8")
    expect(subject).to_be_focused()
    subject.select_option("plane")
    expect(panel.element.get_by_label("Data", exact=True)).to_have_value("moons")

    # hold it while a cell runs; go on; the points move, the slider goes back to where they were
    panel.element.get_by_label("Length", exact=True).fill("100000")
    panel.element.get_by_label("Samples every … steps", exact=True).fill("50")
    lab.run_cell("import time; print('asleep'); time.sleep(60)")
    expect(lab.notebook).to_contain_text("asleep")
    panel.press("Start")
    panel.wait_for("running")
    moment = panel.slider("Moment")
    expect(moment).to_have_attribute("aria-valuetext", re.compile("step [1-9]"))
    panel.press("Pause")
    panel.wait_for("paused")
    lab.interrupt()
    lab.wait_until_idle()
    cloud = panel.element.get_by_role("img", name=re.compile("EMA")).first
    last = cloud.locator("path").last.get_attribute("d")
    moment.focus()
    lab.page.keyboard.press("Home")
    expect(cloud).to_have_attribute("aria-label", re.compile("step 0$"))
    assert cloud.locator("path").last.get_attribute("d") != last
    panel.press("Resume")
    panel.wait_for("running")
    panel.press("Stop")
    panel.wait_for("stopped")
    expect(panel.element).to_contain_text("The best there is")
    panel.shots("training")

    # a page of its own needs no server
    lab.run_cell("panel.to_html('training.html')")
    lab.wait_until_idle()
    with browser.new_context(offline=True) as context:
        page = context.new_page()
        page.goto((lab.server.notebooks / "training.html").as_uri())
        page.get_by_role("slider", name="Moment").press("Home")
        alone = page.get_by_role("img", name=re.compile("EMA")).first
        expect(alone).to_have_attribute("aria-label", re.compile("step 0$"))
    assert blocked == []
