"""The comparison's view: axes, buttons, and what it says. What it does: `sdnb.labs.compare`.

Its grid and flip book are in `sdnb.panels.compared`.
"""

import re
from collections.abc import Callable
from functools import partial
from html import escape
from typing import TYPE_CHECKING

from sdnb.errors import SdnbError
from sdnb.flags import AXES
from sdnb.i18n import language, tr
from sdnb.labs.axis_texts import ROWS, example, offered
from sdnb.panels.compared import cells_view, kept_grid, sheet_of
from sdnb.panels.panel import Message, Panel, error_text
from sdnb.panels.pictures import still_view
from sdnb.panels.report import WORDS, Defaults, copy_buttons
from sdnb.panels.request_fields import described_group, field_notes, field_values, type_into
from sdnb.panels.unseen import Unseen
from sdnb.plots.compare import plot_scores
from sdnb.request import GenerationRequest
from sdnb.result import Result
from sdnb.written import comparison_as_cell, comparison_as_python

if TYPE_CHECKING:
    import sdnb.labs.compare

ACTIONS = ("fill", "stop", "flip", "measure")
BUSY = ("running", "decoding", "solving")  # what can be stopped

GROUPS = {
    "common": ("width", "height", "steps", "cfg_scale", "sampler", "schedule", "seed"),
    "start": ("image", "mask", "denoise"),
    "style": ("loras",),
}


class ComparePanel(Panel):
    """A comparison on a page."""

    name = "compare"

    def __init__(
        self,
        lab: "sdnb.labs.compare.CompareLab",
        defaults: Defaults = GenerationRequest,
    ) -> None:
        super().__init__()
        self.lab = lab
        self._defaults = defaults  # what a cell means that is copied
        self._unseen = Unseen()
        self._number = 0
        self._alert = self._said = ""
        self.surface.stage, self.surface.main = "board", "fill"
        acts = {name: getattr(lab, name) for name in (*ACTIONS, "resume")}
        self.does = {name: partial(self._act, act) for name, act in acts.items()} | {
            "type": self._type,
            "picture": lambda message, data: lab.form.upload(str(message["name"]), bytes(data[0])),
            "open": lambda message, _: self.open("studio", lab.result(int(str(message["cell"])))),
            "save": lambda *_: self._save(),
            "drawn": lambda *_: self._unseen.drawn(),
            "mounted": lambda *_: self._unseen.forget(),
        }
        lab.observe(lambda _: self._show_cells(), ["cells", "book", "scores"])
        lab.observe(lambda _: self._rested(), "phase")  # before the page hears of it
        lab.observe(lambda _: self._show_status(), ["phase", "progress", "failure"])
        lab.observe(lambda _: self._show_form(), ["axes", "errors"])
        lab.form.observe(lambda _: self._show_form())
        self.say()

    def say(self) -> None:
        """Say all words, in the language that is set."""
        about = tr("studio.about", checkpoint=self.lab.pipe.components.reference)
        titles = {"title": tr("compare.title"), "language": language(), "about": about}
        first = described_group("", ("prompt", "negative_prompt"), [*map(_axis, range(ROWS))])
        self.surface.show(
            texts={**{name: tr(f"panel.{name}") for name in WORDS}, **titles},
            actions=[_action(name) for name in ACTIONS],
            keeps=[
                *copy_buttons(),
                {"do": "save", "label": tr("studio.save")},
            ],
            fields=[first, *(described_group(*each) for each in GROUPS.items())],
        )
        self._show_form()
        self._show_status()
        self._show_cells()

    def kept(self) -> str:
        """Return HTML of the grid, for a reader without a kernel."""
        if self.lab.comparison is None:
            return f"<p>{escape(tr('compare.without_kernel'))}</p>"
        return kept_grid(self.lab.comparison, self.lab.cells) + self.kept_text()

    def kept_text(self) -> str:
        """Return HTML of what was compared, in words."""
        if self.lab.comparison is None:
            return ""
        quiet = "color:var(--jp-ui-font-color2,#767676);font-size:90%"
        prompt = self.lab.comparison.plan.cells[0].request.prompt
        return f'<div>{escape(prompt)}</div><div style="{quiet}">{escape(self._headline())}</div>'

    def take(self, what: object) -> None:
        """Lay a result beside those that were added before."""
        if isinstance(what, Result):
            self.lab.add(what)

    def failed(self, error: SdnbError) -> None:
        """Show what a message led to."""
        self._alert = error_text(error)
        self._show_status()

    def _act(self, act: Callable[[], None], *_: object) -> None:
        self._alert = self._said = ""
        act()

    def _type(self, message: Message, _: object) -> None:
        name, value = str(message["name"]), message["value"]
        if row := re.fullmatch(rf"axis_([0-{ROWS - 1}])", name):
            axes, (field, _, values) = list(self.lab.axes), str(value).partition(" ")
            axes[int(row[1])] = f"{field}={values}" if field else ""
            self.lab.axes = tuple(axes)
        else:
            type_into(self.lab.form, message)

    def _save(self) -> None:
        self._said = tr("studio.saved", paths=", ".join(map(str, self.lab.save())))
        self._show_status()

    def _rested(self) -> None:
        """Keep what there is, and write it as texts, once nothing is computed."""
        if self.lab.phase not in ("finished", "stopped"):
            return
        asked, defaults = self.lab.asked, self._defaults()
        clips: dict[str, str] = {}
        if asked is not None:
            here = asked.request.changed(checkpoint=defaults.checkpoint)
            python = comparison_as_python(asked.request, asked.axes)
            cell = comparison_as_cell(here, asked.rows, beside=defaults) or python
            clips = {"cell": cell, "python": python}
        self.surface.show(clips=clips)
        self._show_cells()
        self.leave()

    def _show_form(self) -> None:
        lab = self.lab
        rows = {f"axis_{number}": row for number, row in enumerate(lab.axes)}
        notes = field_notes(lab.form, lab.read)
        for name, row in rows.items():
            notes[name] = {"placeholder": example(row), "offered": offered(row)}
        typed = {name: row.replace("=", " ", 1).strip() for name, row in rows.items()}
        self.surface.show(
            values={**field_values(lab.form), **typed},
            notes=notes,
            errors={name: error_text(error) for name, error in lab.errors.items()},
        )

    def _show_status(self) -> None:
        lab = self.lab
        made, asked = lab.progress
        is_resting = lab.phase in ("finished", "stopped")
        is_left = lab.phase == "stopped"
        enabled = ["fill", *["stop"] * (lab.phase in BUSY), *["resume"] * is_left]
        if is_resting and any(cell.image is not None for cell in lab.cells):
            enabled += ["flip", "measure", "save", *["copy"] * (lab.asked is not None)]
        held = _action("resume" if is_left else "stop")  # one button is either
        self.surface.show(
            status={
                "phase": lab.phase,
                "headline": self._headline(),
                "figures": self._figures(),
                "step": made,
                "total": asked or None,
                "alert": self._alert or ("" if lab.failure is None else error_text(lab.failure)),
                "said": self._said or tr("compare.hint") * (lab.comparison is None),
                "enabled": enabled,
                "renamed": {"stop": held, "resume": held},
            }
        )

    def _headline(self) -> str:
        cells = self.lab.cells
        done = sum(cell.outcome is not None for cell in cells)
        return tr(f"compare.phase_{self.lab.phase}", done=done, cells=len(cells))

    def _figures(self) -> str:
        lab = self.lab
        parts = []
        if lab.phase in BUSY:
            parts.append(
                tr(f"compare.progress_{lab.phase}", made=lab.progress[0], asked=lab.progress[1])
            )
        if lab.seconds_left is not None:
            parts.append(tr("studio.left", seconds=f"{lab.seconds_left:.1f}"))
        return " · ".join(parts)

    def _show_cells(self) -> None:
        lab = self.lab
        if lab.comparison is None or (lab.phase == "running" and not self._unseen.has_room):
            return
        data, frames = sheet_of(lab.cells, lab.book)
        self._number += 1  # other pictures are news, with the same words too
        views = [
            {**cells_view(lab.comparison, lab.cells, lab.book, frames), "number": self._number}
        ]
        if lab.scores is not None:
            views.append(still_view("errors", plot_scores(lab.scores)))
        if data != self.surface.data:
            self._unseen.sent()
        self.surface.show(data=data, views=views)


def _axis(number: int) -> dict[str, object]:
    return {
        "name": f"axis_{number}",
        "kind": "axis",
        "has_options": True,
        "label": tr("compare.axis", number=number + 1),
        "options": [("", tr("compare.no_axis")), *((name, name) for name in AXES)],
        "options_label": tr("compare.values", number=number + 1),
    }


def _action(name: str) -> dict[str, str]:
    return {
        "do": name,
        "label": tr(f"compare.{name}"),
        "kind": "primary" if name == "fill" else "plain",
    }
