"""What all boards show of their lab: its form, how far it is, the film, what was kept."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from PIL.Image import Image

from sdnb.errors import SdnbError
from sdnb.i18n import language, tr
from sdnb.panels.panel import Message, error_text
from sdnb.panels.pictures import film_shown, image_html, jpeg
from sdnb.panels.request_fields import described_field, field_notes, field_values, type_into
from sdnb.panels.surface import Surface
from sdnb.request import GenerationRequest
from sdnb.written import as_cell, as_python

if TYPE_CHECKING:
    import sdnb.labs.lab
    import sdnb.result

REQUEST = ("prompt", "negative_prompt", "steps", "cfg_scale", "seed", "sampler", "schedule")
"""Fields of the request that boards have; in this order, where there are no others."""

_LONG = 30
"""Letters that a line of facts has room for, of a schedule."""

WORDS = ("actions", "keeps", "progress", "copied", "remove", "options_of")
"""What every panel with a form says, beyond its own words; without their ``panel.``."""

TEXTS = (
    *WORDS,
    *("strip", "strip_help", "strip_page", "strip_none", "frame", "frame_sketch"),
)

NOTHING: Mapping[str, str] = {}

_DRAW = {"do": "draw", "kind": "primary", "icon": "generate"}

Defaults = Callable[[], GenerationRequest]

Action = Mapping[str, str]
"""A button as `Surface.actions` takes it."""


@dataclass(frozen=True, kw_only=True)
class Field:
    """A field that a lab has beside those of the request.

    Parameters
    ----------
    value : callable
        What stands in it.
    type : callable
        Takes what is typed.
    shape : mapping
        What `Surface.fields` says of it beside name and label.
    hint : str
        The key of the words that stand in it while it is empty.
    """

    value: Callable[[], object]
    type: Callable[[object], None]
    shape: Mapping[str, object]
    hint: str = ""


class Report:
    """Tells a surface of a lab that draws whole runs.

    Parameters
    ----------
    stem : str
        Of the lab; its words begin so.
    fields : mapping of str to Field
        The lab's own.
    defaults : callable
        What a cell means that is copied, where it says nothing.
    """

    def __init__(
        self,
        surface: Surface,
        lab: "sdnb.labs.lab.Lab",
        stem: str,
        fields: Mapping[str, Field],
        defaults: Defaults,
    ) -> None:
        self.surface, self.lab, self.stem, self.fields = surface, lab, stem, fields
        self._defaults = defaults
        self._alert = self._said = ""
        self._number = 0
        self._more: list[str] = []
        self._typed: Sequence[str] = ()
        surface.stage, surface.main = "board", "draw"
        lab.observe(lambda _: self.show_status(), ["phase", "progress", "failure"])
        lab.observe(lambda _: self._show_clips(), "result")
        lab.observe(lambda _: self._show_film(), "film")
        lab.observe(lambda _: self._show_closeup(), "closeup")
        lab.form.observe(lambda _: self.show_form())

    @property
    def does(self) -> dict[str, Callable[[Message, list[memoryview]], None]]:
        """What messages of the page do."""
        return {
            "draw": partial(self._act, self.lab.draw),
            "stop": partial(self._act, self.lab.stop),
            "type": self._type,
            "picture": self._upload,
            "copied": lambda *_: self._saved(self.lab.save_inputs()),
            "look": lambda message, _: self.lab.look(int(str(message["index"]))),
        }

    def say(
        self,
        order: Sequence[str],
        labels: Mapping[str, str],
        actions: Sequence[Action] = (),
        words: Mapping[str, str] = NOTHING,
    ) -> None:
        """Say all words; fields stand in an order, some under another name.

        ``actions`` come after drawing and stopping; ``words`` stand for some of the `TEXTS`.
        """
        self._more = [action["do"] for action in actions]
        self._typed = order
        texts = {name: tr(f"panel.{name}") for name in TEXTS}
        texts |= {"strip_help": tr("board.strip_help"), "title": tr(f"{self.stem}.title")}
        about = tr("studio.about", checkpoint=self.lab.pipe.components.reference)
        fields = [{**self._described(name), **_label(name, labels)} for name in order]
        self.surface.show(
            texts={**texts, **words, "language": language(), "about": about},
            actions=[
                {**_DRAW, "label": tr(f"{self.stem}.draw")},
                {"do": "stop", "label": tr("studio.stop")},
                *actions,
            ],
            keeps=copy_buttons(),
            fields=[{"name": "", "label": "", "fields": fields}],
        )
        self.show_form()
        self.show_status()
        self._show_film()

    def show_form(self) -> None:
        """Show what stands in the fields, and what there is to say of it."""
        form = self.lab.form
        mine = {name: field.value() for name, field in self.fields.items()}
        self.surface.show(
            values={**field_values(form), **mine},
            notes=field_notes(form, self.lab.read),
            errors={name: error_text(error) for name, error in self.lab.errors.items()},
        )

    def show_status(self) -> None:
        """Show how far the lab is."""
        lab, progress = self.lab, self.lab.progress
        is_running, result = lab.phase == "running", lab.result
        made = result.trace.steps if result is not None and not is_running else 0
        step = progress.step if progress is not None else made
        total = progress.total if progress is not None else made or None
        enabled = ["draw", *self._more, *(["stop"] if is_running else [])]
        enabled += [] if result is None else ["copy"]
        alert = self._alert or ("" if lab.failure is None else error_text(lab.failure))
        self.surface.show(
            status={
                "phase": lab.phase,
                "headline": tr(f"studio.phase_{lab.phase}", step=step, total=total or "?"),
                "figures": self._figures(),
                "step": step,
                "total": total,
                "alert": alert,
                "said": self._said,
                "enabled": enabled,
            }
        )

    def _show_clips(self) -> None:
        if self.lab.result is not None:
            self.surface.show(clips=clips(self.lab.result.request, self._defaults()))

    def _show_film(self) -> None:
        self._number += 1
        film = self.lab.film
        if film is None:
            self.surface.show(strip=b"", film={})
        else:
            self.surface.show(**film_shown(film, self._number))

    def _show_closeup(self) -> None:
        if self.lab.closeup is not None:
            index, image = self.lab.closeup
            self.surface.send({"do": "closeup", "index": index}, buffers=[jpeg(image)])

    def failed(self, error: SdnbError) -> None:
        """Show what a message led to."""
        self._alert = error_text(error)
        self.show_status()

    def _described(self, name: str) -> dict[str, object]:
        if name not in self.fields:
            return described_field(name)
        field = self.fields[name]
        hint = {"hint": tr(field.hint)} if field.hint else {}
        return {"name": name, "label": tr(f"{self.stem}.{name}"), **field.shape, **hint}

    def _type(self, message: Message, _: object) -> None:
        name = str(message["name"])
        if name in self.fields:
            self.fields[name].type(message["value"])
            self.show_form()
        else:
            type_into(self.lab.form, message, self._typed)

    def _upload(self, message: Message, data: Sequence[memoryview]) -> None:
        if message["name"] in self._typed:
            self.lab.form.upload(str(message["name"]), bytes(data[0]))

    def _act(self, act: Callable[[], None], *_: object) -> None:
        self._alert = self._said = ""
        act()

    def _saved(self, paths: Sequence[Path]) -> None:
        if paths:
            self._said = tr("studio.saved", paths=", ".join(map(str, paths)))
            self.show_status()

    def _figures(self) -> str:
        progress = self.lab.progress
        if progress is None:
            return "" if self.lab.result is None else facts(self.lab.result)
        parts = [tr("studio.at_step", step=progress.step, total=progress.total or "?")]
        parts.append(tr("studio.sigma", sigma=f"{progress.sigma:.3g}"))
        if progress.seconds_left is not None:
            parts.append(tr("studio.left", seconds=f"{progress.seconds_left:.1f}"))
        return " · ".join(parts)


def facts(result: "sdnb.result.Result") -> str:
    """Return what a result was made with, in a line."""
    asked, schedule = result.request, str(result.request.schedule)
    return tr(
        "studio.facts",
        seed=result.seeds[0],
        sampler=asked.sampler,
        schedule=schedule if len(schedule) <= _LONG else asked.schedule.name,
        steps=result.trace.steps,
        cfg=f"{asked.cfg_scale:g}",
        seconds=f"{result.seconds:.1f}",
    )


def copy_buttons() -> list[dict[str, str]]:
    """Return the buttons that copy what made a result, as `Surface.keeps` takes them."""
    return [
        {"do": "copy", "label": tr("studio.copy_cell"), "copies": "cell"},
        {"do": "copy", "label": tr("studio.copy_python"), "copies": "python"},
    ]


def clips(request: GenerationRequest, defaults: GenerationRequest) -> dict[str, str]:
    """Return the texts of a request that are copied."""
    python = as_python(request)
    here = request.changed(checkpoint=defaults.checkpoint)  # a cell draws with what is loaded
    return {"cell": as_cell(here, beside=defaults) or python, "python": python}


def kept_words(stem: str, result: "sdnb.result.Result | None") -> str:
    """Return HTML of what was drawn, in words."""
    if result is None:
        return f"<p>{escape(tr('board.without_kernel', title=tr(f'{stem}.title')))}</p>"
    quiet = "color:var(--jp-ui-font-color2,#767676);font-size:90%"
    line = f'<div style="{quiet}">{escape(facts(result))}</div>'
    return f"<div>{escape(result.request.prompt)}</div>{line}"


def kept_picture(picture: Image, label: str, alt: str, *, width: int = 192) -> str:
    """Return HTML of a picture under its name, to stand beside others."""
    shown = image_html(jpeg(picture, quality=88), alt, f"width:{width}px;border-radius:4px")
    name = f'<div style="font-size:90%">{escape(label)}</div>'
    return f'<div style="display:inline-block;margin:0 12px 8px 0">{name}{shown}</div>'


def _label(name: str, labels: Mapping[str, str]) -> dict[str, str]:
    return {"label": labels[name]} if name in labels else {}
