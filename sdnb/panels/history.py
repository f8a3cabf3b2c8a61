"""The history's view: a page of pictures, and the one that is looked at.

What it does: `sdnb.labs.history`.
"""

from collections.abc import Callable
from functools import partial
from html import escape
from typing import TYPE_CHECKING

from sdnb.errors import SdnbError
from sdnb.i18n import language, tr
from sdnb.panels.panel import Message, Panel, error_text
from sdnb.panels.pictures import data_url, image_html, slots
from sdnb.panels.report import WORDS, Defaults, copy_buttons
from sdnb.records.entries import Entry
from sdnb.registry import SAMPLERS
from sdnb.request import GenerationRequest
from sdnb.written import as_cell, as_python

if TYPE_CHECKING:
    import sdnb.labs.history

LARGEST = 320
"""Pixels of the chosen picture's longer side, at most."""

FIELDS = ("text", "sampler")


class HistoryPanel(Panel):
    """The history on a page."""

    name = "history"

    def __init__(
        self,
        lab: "sdnb.labs.history.HistoryLab",
        defaults: Defaults = GenerationRequest,
    ) -> None:
        super().__init__()
        self.lab = lab
        self._defaults = defaults  # what a cell means that is copied
        self._alert = ""
        self._is_asking = False
        self.surface.stage, self.surface.main = "board", "search"
        acts = {name: getattr(lab, name) for name in ("search", "newer", "older", "pin")}
        self.does = {name: partial(self._act, act) for name, act in acts.items()} | {
            "type": self._type,
            "choose": lambda message, _: self._act(lambda: lab.choose(int(str(message["number"])))),
            "ask": lambda *_: self._ask(),
            "delete": lambda *_: self._delete(),
            "no": lambda *_: self._act(lambda: None),
            "recall": partial(self._act, self._recall),
            "copied": lambda *_: None,
        }
        lab.observe(lambda _: self._show(), ["entries", "chosen", "failure"])
        self.say()

    def say(self) -> None:
        """Say all words, in the language that is set."""
        titles = {"title": tr("history.title"), "language": language(), "about": ""}
        samplers = [("", tr("history.all_samplers")), *((name, name) for name in SAMPLERS.names())]
        text = {"name": "text", "kind": "line", "span": 8, "label": tr("history.text")}
        sampler = {"name": "sampler", "kind": "choice", "span": 4, "label": tr("studio.sampler")}
        fields = [{**text, "hint": tr("history.text_hint")}, {**sampler, "options": samplers}]
        self.surface.show(
            texts={**{name: tr(f"panel.{name}") for name in WORDS}, **titles},
            fields=[{"name": "", "label": "", "fields": fields}],
            actions=[],
            keeps=[
                {"do": "recall", "label": tr("history.recall"), "kind": "primary"},
                *copy_buttons(),
                {"do": "pin", "label": tr("history.pin")},
                {"do": "ask", "label": tr("history.delete")},
            ],
        )
        self._show()

    def kept(self) -> str:
        """Return HTML of the page of thumbnails, for a reader without a kernel."""
        if not self.lab.entries:
            return f"<p>{escape(tr('history.empty'))}</p>"
        style = "width:96px;border-radius:3px;margin:0 6px 6px 0;vertical-align:top"
        return "".join(
            image_html(entry.pictures[0].thumbnail, _label(entry), style, kind="webp")
            for entry in self.lab.entries
        )

    def kept_text(self) -> str:
        """Return HTML of its words alone: the pictures have theirs."""
        return ""

    def failed(self, error: SdnbError) -> None:
        """Show what a message led to."""
        self._alert = error_text(error)
        self._show()

    def _type(self, message: Message, _: object) -> None:
        if message["name"] in FIELDS:
            self._act(partial(setattr, self.lab, str(message["name"]), str(message["value"])))

    def _act(self, act: Callable[[], None], *_: object) -> None:
        self._alert, self._is_asking = "", False
        act()
        self._show()
        self.leave()

    def _ask(self) -> None:
        self._is_asking = bool(self.lab.entry())
        self._show()

    def _delete(self) -> None:
        if self._is_asking:
            self._act(self.lab.delete)

    def _recall(self) -> None:
        self.open("studio", self.lab.entry().request)

    def _show(self) -> None:
        lab = self.lab
        entry = lab.chosen
        views = [_gallery(lab), _looked_at(entry)]
        if self._is_asking and entry is not None:
            views.append(_question(entry))
        enabled = [*["newer"] * lab.has_newer, *["older"] * lab.has_older, "delete", "no"]
        if entry is not None:
            enabled += ["recall", "pin", "ask", *["copy"] * (_request(entry) is not None)]
            self.surface.show(clips=_clips(entry, self._defaults()))
        self.surface.show(
            values={name: getattr(lab, name) for name in FIELDS},
            views=views,
            status={
                "phase": "idle",
                "headline": "",
                "figures": "",
                "alert": self._alert or ("" if lab.failure is None else error_text(lab.failure)),
                "enabled": enabled,
                "renamed": {},
            },
        )


def _gallery(lab: "sdnb.labs.history.HistoryLab") -> dict[str, object]:
    """Return the page of thumbnails as a view of a board."""
    is_searched = bool(lab.text or lab.sampler)
    return {
        "kind": "gallery",
        "name": "gallery",
        "is_half": True,
        "label": tr("history.gallery"),
        "empty": tr("history.nothing_found" if is_searched else "history.empty"),
        "entries": [_card(entry) for entry in lab.entries],
        "chosen": None if lab.chosen is None else lab.chosen.number,
        "pages": [{"do": name, "label": tr(f"history.{name}")} for name in ("newer", "older")],
    }


def _card(entry: Entry) -> dict[str, object]:
    marks = [f"×{len(entry.pictures)}"] * (len(entry.pictures) > 1)
    return {
        "number": entry.number,
        "source": data_url(entry.pictures[0].thumbnail, "webp"),
        "label": _label(entry),
        "caption": entry.prompt or tr("studio.no_prompt"),
        "badge": " ".join([*marks, *[tr("history.pinned_mark")] * entry.is_pinned]),
    }


def _label(entry: Entry) -> str:
    prompt = entry.prompt or tr("studio.no_prompt")
    return tr("history.card", number=entry.number, prompt=prompt)


def _looked_at(entry: Entry | None) -> dict[str, object]:
    """Return the chosen entry as a view of a board."""
    view: dict[str, object] = {
        "kind": "entry",
        "name": "entry",
        "is_half": True,
        "source": "",
        "alt": "",
        "facts": [],
    }
    if entry is None:
        return {**view, "title": tr("history.choose")}
    prompt = entry.prompt or tr("studio.no_prompt")
    alt = tr("studio.alt", prompt=prompt)
    return {**view, "source": _picture(entry), "alt": alt, "title": prompt, "facts": _facts(entry)}


def _picture(entry: Entry) -> str:
    """Return the entry's pictures as one address; the thumbnail where their files are gone."""
    try:
        return data_url(slots(entry.images, widest=LARGEST)[0])
    except SdnbError:
        return data_url(entry.pictures[0].thumbnail, "webp")


def _facts(entry: Entry) -> list[tuple[str, str]]:
    """Return what is known of an entry, by name; in a line where this kernel lacks its words."""
    asked = _request(entry)
    if asked is None:
        return [(tr("history.made"), entry.day), (tr("history.request"), entry.line)]
    facts = {
        "history.made": tr("history.day", day=entry.day),
        "studio.checkpoint": asked.checkpoint or "?",
        "history.seed": ", ".join(map(str, entry.seeds)),
        "studio.sampler": str(asked.sampler),
        "studio.schedule": str(asked.schedule),
        "studio.steps": str(asked.steps),
        "studio.cfg_scale": f"{asked.cfg_scale:g}",
        "history.size": f"{asked.width} × {asked.height}",
        "history.cell": ", ".join(entry.cell),
        "history.file": str(entry.pictures[0].file),
    }
    return [(tr(name), value) for name, value in facts.items() if value]


def _request(entry: Entry) -> GenerationRequest | None:
    try:
        return entry.request
    except SdnbError:
        return None


def _clips(entry: Entry, defaults: GenerationRequest) -> dict[str, str]:
    asked = _request(entry)
    if asked is None:
        return {}
    python = as_python(asked)
    return {"cell": as_cell(asked, beside=defaults) or python, "python": python}


def _question(entry: Entry) -> dict[str, object]:
    """Return what is asked before an entry is deleted."""
    count = len(entry.pictures)
    return {
        "kind": "question",
        "name": "question",
        "text": tr("history.really", number=entry.number, count=count),
        "answers": [
            {"do": "no", "label": tr("history.keep")},
            {"do": "delete", "label": tr("history.delete_it")},
        ],
    }
