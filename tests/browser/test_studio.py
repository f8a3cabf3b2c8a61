"""The studio in JupyterLab: everything its user does, with mouse and keys, and what is left."""

import json
import re

import nbformat
import numpy as np
import pytest
from playwright.sync_api import Browser, Locator, expect

from tests.browser.lab import Lab, pixels
from tests.browser.test_quickstart import share_of_blue

pytestmark = pytest.mark.browser

LESSON = "11_studio.ipynb"
OURS = "sdnb-"


class Studio:
    """The first panel of a notebook, as its user reads it."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.element = lab.notebook.locator(".sdnb-surface").first

    @property
    def strip(self) -> Locator:
        return self.element.get_by_role("slider", name=re.compile("Film strip|Tira"))

    @property
    def picture(self) -> Locator:
        return self.element.locator("img.sdnb-picture")

    @property
    def alert(self) -> Locator:
        return self.element.get_by_role("alert")

    def button(self, name: str | re.Pattern[str]) -> Locator:
        return self.element.get_by_role("button", name=name, exact=True)

    def press(self, name: str | re.Pattern[str]) -> None:
        self.button(name).click()

    def field(self, name: str) -> Locator:
        return self.element.get_by_label(name, exact=True)

    def wait_for(self, phase: str) -> None:
        expect(self.element.locator(f".sdnb-stage[data-phase='{phase}']")).to_be_visible()

    def seen(self) -> np.ndarray:
        """What of the strip is seen, larger, in the place of the picture: [H, W, 3]."""
        read = """canvas => [canvas.width, canvas.height, ...canvas.getContext("2d")
            .getImageData(0, 0, canvas.width, canvas.height).data]"""
        width, height, *rgba = self.element.locator("canvas.sdnb-frame").evaluate(read)
        return np.array(rgba, dtype=np.uint8).reshape(height, width, 4)[:, :, :3]

    def shot(self, name: str) -> None:
        self.lab.screenshot(f"studio-{name}")


def open_studio(lab: Lab, name: str, flags: str = "") -> Studio:
    lab.page.set_viewport_size({"width": 1360, "height": 1100})
    lab.open_new(name)
    lab.run_cell("%load_ext sdnb")
    lab.run_cell(f"%sd set --language en --seed 9 {flags}")
    lab.run_cell("%sd panel studio")
    lab.wait_until_idle()
    studio = Studio(lab)
    expect(studio.element).to_be_visible()
    return studio


def test_a_run_is_held_stepped_rewound_branched_and_stopped(
    lab: Lab, blocked: list[str], said: list[str]
) -> None:
    studio = open_studio(lab, "held.ipynb")
    expect(studio.picture).to_be_hidden()
    studio.shot("empty")

    # step by step, then to the end
    studio.field("Prompt").fill("a large blue house on a meadow")
    studio.field("Steps").fill("12")
    for step in range(1, 4):
        studio.press("Step")
        expect(studio.element).to_contain_text(f"Held after step {step} of 12")
    studio.press("Resume")
    studio.wait_for("finished")
    expect(studio.picture).to_have_attribute(
        "alt", "Generated picture: a large blue house on a meadow"
    )
    assert share_of_blue(pixels(studio.picture)) > 0.03
    studio.shot("finished")

    # scrub with the arrow keys: no round trip, and the notebook does not hear them
    cells = lab.cells.count()
    studio.strip.focus()
    for _ in range(7):
        lab.page.keyboard.press("ArrowLeft")
    lab.page.keyboard.press("x")
    expect(studio.strip).to_have_attribute("aria-valuenow", "5")
    expect(studio.strip).to_have_attribute(
        "aria-valuetext", re.compile(r"^Step 5 of 12, σ [\d.]+$")
    )
    early = studio.seen()
    lab.page.keyboard.press("End")
    assert np.abs(studio.seen().astype(int).mean((0, 1)) - early.mean((0, 1))).max() > 2
    assert lab.cells.count() == cells

    # rewind to step 5 by its key, step twice, step back
    for _ in range(7):
        lab.page.keyboard.press("ArrowLeft")
    lab.page.keyboard.press("Enter")
    studio.wait_for("paused")
    expect(studio.element).to_contain_text("Held after step 5 of 12")
    for step in (6, 7):
        studio.press("Step")
        expect(studio.element).to_contain_text(f"Held after step {step} of 12")
    studio.press("Step back")
    expect(studio.element).to_contain_text("Held after step 6 of 12")
    studio.shot("held")

    # branch with another cfg, then pause and stop a long run
    studio.field("CFG").fill("9")
    expect(studio.element).to_contain_text("CFG: 4 → 9")
    studio.press(re.compile("^Branch from step"))
    studio.wait_for("finished")
    expect(studio.element).to_contain_text("cfg 9")
    studio.field("Steps").fill("900")
    studio.press("Generate")
    expect(studio.element.get_by_role("progressbar")).to_have_attribute("aria-valuemax", "900")
    studio.shot("running")
    studio.press("Pause")
    studio.wait_for("paused")
    studio.press("Stop")
    studio.wait_for("stopped")
    assert blocked == []


def test_bad_input_is_said_beside_its_field_and_the_picture_stays(
    lab: Lab, said: list[str]
) -> None:
    studio = open_studio(lab, "bad.ipynb", "--steps 3")
    studio.press("Generate")
    studio.wait_for("finished")
    before = pixels(studio.picture)

    studio.field("Width").fill("100")
    studio.press("Generate")
    expect(studio.alert.filter(has_text="multiple of 8")).to_be_visible()
    expect(studio.field("Width")).to_have_attribute("aria-invalid", "true")
    studio.shot("bad-input")

    assert np.array_equal(pixels(studio.picture), before)
    studio.field("Width").fill("128")
    expect(studio.field("Width")).not_to_have_attribute("aria-invalid", "true")


def test_the_run_is_seen_again_after_the_strip_and_the_next_seed_where_it_is_typed(
    lab: Lab, said: list[str]
) -> None:
    # given
    studio = open_studio(lab, "strip.ipynb", "--steps 6")
    frame = studio.element.locator("canvas.sdnb-frame")
    studio.press("Generate")
    studio.wait_for("finished")

    # when: a click on the strip, and the mouse moves on along it
    studio.strip.scroll_into_view_if_needed()
    box = studio.strip.bounding_box()
    assert box is not None
    across, down = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    lab.page.mouse.click(across, down)
    studio.wait_for("paused")
    lab.page.mouse.move(across + 20, down)
    expect(frame).to_be_visible()
    lab.page.mouse.move(across, box["y"] - 200)

    # then
    expect(frame).to_be_hidden()

    # when: the seed is typed, and its field keeps the focus
    studio.field("Next seed").fill("5")
    lab.page.keyboard.press("Control+Enter")
    studio.wait_for("finished")

    # then: drawn with it; the next is drawn by chance
    expect(studio.element).to_contain_text("seed 5")
    expect(studio.field("Next seed")).to_have_value("")
    expect(studio.field("Next seed")).to_be_focused()

    # and the picture's words follow the language
    lab.run_cell("%sd set --language es")
    expect(studio.picture).to_have_attribute("alt", re.compile("^Imagen generada"))
    lab.run_cell("%sd set --language en")


def test_pause_acts_while_a_cell_runs(lab: Lab, said: list[str]) -> None:
    studio = open_studio(lab, "busy.ipynb", "--steps 900")
    studio.press("Generate")
    expect(studio.element.get_by_role("progressbar")).to_have_attribute("aria-valuemax", "900")
    sleeping = lab.run_cell("import time; print('asleep'); time.sleep(60)")
    expect(sleeping.locator(".jp-OutputArea-output")).to_have_text("asleep")

    studio.press("Pause")
    expect(studio.element.locator(".sdnb-stage[data-phase='paused']")).to_be_visible(timeout=10_000)
    lab.interrupt()
    lab.wait_until_idle()
    studio.press("Stop")
    studio.wait_for("stopped")


def test_it_speaks_another_language_and_looks_right_on_both_themes(
    lab: Lab, blocked: list[str], said: list[str]
) -> None:
    studio = open_studio(lab, "looks.ipynb", "--steps 8")
    studio.field("Prompt").fill("a red circle on a zebra")
    expect(studio.element.locator("mark")).to_have_text(["zebra"])
    expect(studio.element).to_contain_text("of 75 tokens")
    studio.press("Generate")
    studio.wait_for("finished")
    for language, word in (("en", "Generate"), ("es", "Generar")):
        lab.run_cell(f"%sd set --language {language}")
        expect(studio.button(word)).to_be_visible()
        for theme in ("Light", "Dark"):
            lab.use_theme(f"JupyterLab {theme}")
            studio.element.scroll_into_view_if_needed()
            studio.shot(f"{language}-{theme.lower()}")
    expect(studio.field("Descripción")).to_have_value("a red circle on a zebra")
    lab.use_theme("JupyterLab Light")
    assert blocked == []


def test_keys_reach_every_control_in_order_and_all_have_names(lab: Lab, said: list[str]) -> None:
    studio = open_studio(lab, "keys.ipynb", "--steps 2")
    studio.press("Generate")
    studio.wait_for("finished")

    studio.field("Prompt").focus()
    names = []
    for _ in range(30):
        names.append(
            lab.page.evaluate(
                """() => { const el = document.activeElement;
                if (!el.closest(".sdnb-surface")) return "";
                const label = el.labels && el.labels[0];
                return (el.ariaLabel || (label ? label.textContent : el.textContent)).trim(); }"""
            )
        )
        if not names[-1]:
            break
        lab.page.keyboard.press("Tab")

    assert names[:10] == [
        *("Prompt", "Negative prompt", "Width", "Height", "Steps", "CFG", "Sampler"),
        *("Options of Sampler", "Schedule", "Options of Schedule"),
    ]
    wanted = ["Generate", "Pause", "Step", "Step back", "Stop", "Film strip of all steps"]
    assert names[names.index("Generate") :][:6] == wanted
    assert "Use as input" in names


def test_what_was_there_stays_without_a_kernel(lab: Lab, said: list[str]) -> None:
    studio = open_studio(lab, "kept.ipynb", "--steps 4")
    studio.field("Prompt").fill("a large blue house on a meadow")
    studio.press("Generate")
    studio.wait_for("finished")
    studio.strip.focus()
    lab.page.keyboard.press("Control+s")
    path = lab.server.notebooks / "kept.ipynb"
    expect(
        lab.page.locator(".jp-Document.jp-mod-dirty, .lm-TabBar-tab.jp-mod-dirty")
    ).to_have_count(0)

    # reloaded, the panel is there again and works
    lab.page.reload()
    lab.wait_until_idle()
    expect(studio.element).to_be_visible()
    expect(studio.picture).to_be_visible()
    studio.press("Step")
    studio.wait_for("paused")

    # restarted, the kernel has no panel any more: its picture takes the place
    lab.choose("Kernel", "Restart Kernel…")
    lab.page.locator(".jp-Dialog .jp-mod-accept").click()
    kept = lab.images_of(re.compile("^Generated picture: a large blue house"))
    expect(kept).to_be_visible()
    expect(studio.element).to_have_count(0)
    lab.wait_until_idle()

    # without its kernel, the picture is; the page says that the kernel is gone
    lab.choose("Kernel", "Shut Down Kernel")
    lab.page.reload()
    expect(kept).to_be_visible()
    expect(lab.notebook).not_to_contain_text("model not found")
    assert share_of_blue(pixels(kept)) > 0.03
    studio.shot("kept")
    saved = nbformat.read(path, as_version=4)
    assert path.stat().st_size < 300_000
    assert "widgets" not in json.loads(path.read_text())["metadata"]
    assert all(OURS in output.data["text/html"] for output in saved.cells[2].outputs[-2:])


def test_nothing_is_cut_off_on_a_narrow_page_and_a_page_without_a_kernel_scrubs(
    lab: Lab, browser: Browser, said: list[str]
) -> None:
    studio = open_studio(lab, "narrow.ipynb", "--steps 6")
    lab.run_cell("import sdnb; panel = sdnb.panel()")
    lab.wait_until_idle()
    lab.run_cell("panel.lab.generate(prompt='a red circle'); panel.lab.wait()")
    lab.wait_until_idle()
    lab.run_cell("panel.to_html('studio.html')")
    lab.wait_until_idle()

    # 600 px and 400 px: no control reaches beyond the panel
    for width in (1055, 855):
        lab.page.set_viewport_size({"width": width, "height": 1100})
        studio.element.scroll_into_view_if_needed()
        beyond = studio.element.evaluate(
            """panel => [...panel.querySelectorAll("input, select, textarea, button, canvas, img")]
            .filter(one => one.getBoundingClientRect().right > panel.getBoundingClientRect().right)
            .map(one => one.outerHTML.slice(0, 80))"""
        )
        studio.shot(f"narrow-{width}")
        assert beyond == []

    # a page of its own, in a browser without a server
    with browser.new_context(offline=True) as context:
        page = context.new_page()
        page.goto((lab.server.notebooks / "studio.html").as_uri())
        strip = page.get_by_role("slider")
        strip.focus()
        page.keyboard.press("ArrowLeft")
        expect(strip).to_have_attribute("aria-valuetext", re.compile("^Step 5 of 6"))
        expect(page.locator("canvas.sdnb-frame")).to_be_visible()
        expect(page.get_by_alt_text("Generated picture: a red circle")).to_have_count(1)
