"""The studio's view: its fields and buttons, and what it says. What it does: `sdnb.labs.studio`."""

from functools import partial
from html import escape
from typing import TYPE_CHECKING

from sdnb.errors import SdnbError
from sdnb.i18n import language, tr
from sdnb.panels.panel import Message, Panel, error_text
from sdnb.panels.pictures import film_shown, image_html, jpeg, row
from sdnb.panels.report import Defaults, clips, copy_buttons, facts, kept_words
from sdnb.panels.request_fields import described_fields, field_notes, field_values, type_into
from sdnb.panels.unseen import Unseen
from sdnb.request import GenerationRequest
from sdnb.result import Result
from sdnb.written import input_files

if TYPE_CHECKING:
    import sdnb.labs.studio

TEXTS = (
    *("actions", "moments", "keeps", "progress", "empty", "copied", "remove", "options_of"),
    *("strip", "strip_help", "strip_page", "strip_none", "frame", "frame_sketch"),
    *("rewind_to", "branch_from"),
)
ACTIONS = ("generate", "pause", "step", "step_back", "stop")


class StudioPanel(Panel):
    """The studio on a page."""

    name = "studio"

    def __init__(
        self,
        lab: "sdnb.labs.studio.Studio",
        defaults: Defaults = GenerationRequest,
    ) -> None:
        super().__init__()
        self.lab = lab
        self._defaults = defaults  # what a cell means that is copied
        self._unseen = Unseen()
        self._number = 0
        self._checkpoints = lab.checkpoints()
        self._alert = self._said = ""
        actions = {name: getattr(lab, name) for name in (*ACTIONS, "resume")}
        self.does = {name: partial(self._act, act) for name, act in actions.items()} | {
            "rewind": lambda message, _: lab.rewind(_step(message)),
            "branch": lambda message, _: lab.branch(_step(message)),
            "look": lambda message, _: lab.look(int(str(message["index"]))),
            "type": lambda message, _: type_into(lab.form, message),
            "picture": lambda message, data: lab.form.upload(str(message["name"]), bytes(data[0])),
            "save": lambda *_: self._saved(map(str, lab.save())),
            "copied": lambda *_: self._saved(map(str, lab.save_inputs())),
            "use": lambda *_: lab.use_as_input(),
            "collect": lambda *_: self.open("compare", lab.result),
            "drawn": lambda *_: self._unseen.drawn(),
            "mounted": lambda *_: self._unseen.forget(),
        }
        lab.observe(lambda _: self.say(), "pipe")
        lab.observe(lambda _: self._show_status(), ["phase", "progress", "failure"])
        lab.observe(lambda _: self._show_picture(), ["shown", "phase"])
        lab.observe(lambda _: self._show_film(), "film")
        lab.observe(lambda _: self._show_closeup(), "closeup")
        lab.observe(lambda _: self._show_result(), "result")
        lab.form.observe(lambda _: self._show_form())
        self.say()

    def say(self) -> None:
        """Say all words, in the language that is set."""
        texts = {name: tr(f"panel.{name}") for name in TEXTS}
        title = {"title": tr("studio.title"), "language": language()}
        about = tr("studio.about", checkpoint=self.lab.pipe.components.reference)
        keeps = [
            *copy_buttons(),
            {"do": "save", "label": tr("studio.save")},
            {"do": "use", "label": tr("studio.use")},
            {"do": "collect", "label": tr("studio.collect")},
        ]
        self.surface.show(
            texts={**texts, **title, "about": about},
            actions=[_action(name) for name in ACTIONS],
            keeps=keeps,
            fields=described_fields(self._checkpoints),
        )
        self._show_form()
        self._show_status()
        self._show_picture()
        self._show_film()

    def kept(self) -> str:
        """Return HTML of the last picture, for a reader without a kernel."""
        result = self.lab.result
        if result is None:
            return f"<p>{escape(tr('studio.without_kernel'))}</p>"
        picture = jpeg(result.images[0], quality=90)
        alt = tr("studio.alt", prompt=result.request.prompt or tr("studio.no_prompt"))
        parts = [image_html(picture, alt, "max-width:100%;min-width:192px;border-radius:4px")]
        if self.lab.film is not None:
            strip = row(self.lab.film.frames)
            steps = tr("studio.alt_strip", total=len(self.lab.film.frames))
            parts.append(image_html(strip, steps, "width:100%;max-width:480px;border-radius:4px"))
        return "\n".join(f"<div>{part}</div>" for part in (*parts, self.kept_text()))

    def kept_text(self) -> str:
        """Return HTML of what was drawn, in words."""
        return "" if self.lab.result is None else kept_words(self.name, self.lab.result)

    def take(self, what: object) -> None:
        """Hold a result; of another checkpoint's, and of a request, type the fields."""
        reference = self.lab.pipe.components.reference
        self._alert, self._said = "", ""
        if isinstance(what, Result) and what.request.checkpoint == reference:
            self.lab.open(what)
        elif isinstance(what, Result | GenerationRequest):
            self._said = tr("studio.recalled")
            self.lab.recall(what.request if isinstance(what, Result) else what)

    def failed(self, error: SdnbError) -> None:
        """Show what a message led to."""
        self._alert = error_text(error)
        self._show_status()

    def _act(self, act: "sdnb.labs.studio.Action", *_: object) -> None:
        self._alert = self._said = ""
        act()

    def _saved(self, paths: "map[str]") -> None:
        written = ", ".join(paths)
        self._said = tr("studio.saved", paths=written) if written else self._said
        self._show_status()

    def _show_form(self) -> None:
        form = self.lab.form
        notes = field_notes(form, self.lab.read)
        if self.lab.result is not None:
            notes["seed"] = {"text": tr("studio.used_seed", seed=self.lab.result.seeds[0])}
        errors = {name: error_text(error) for name, error in form.errors.items()}
        self.surface.show(values=field_values(form), notes=notes, errors=errors)
        self._show_status()

    def _show_status(self) -> None:
        lab, progress = self.lab, self.lab.progress
        step = 0 if progress is None else progress.step
        is_held = lab.phase == "paused"
        is_whole = lab.phase in ("finished", "stopped") and lab.result is not None
        total = lab.result.trace.steps if is_whole else progress and progress.total
        step = lab.result.trace.steps if is_whole else step
        enabled = ["generate", "step", "resume" if is_held else "pause" * (lab.phase == "running")]
        enabled *= lab.phase != "loading"
        enabled += ["stop"] * (lab.phase in ("running", "paused"))
        first = 0 if lab.film is None else lab.film.first
        enabled += ["step_back"] * (step > first and lab.phase != "running")
        enabled += ["copy", "save", "use", "collect"] * (lab.result is not None)
        other = ("pause", "resume") if is_held else ("resume", "pause")
        alert = self._alert or ("" if lab.failure is None else error_text(lab.failure))
        said = {"step": step, "total": total or "?", "checkpoint": lab.form.checkpoint}
        headline = tr(f"studio.phase_{lab.phase}", **said)
        status: dict[str, object] = {
            "phase": lab.phase,
            "headline": headline,
            "figures": self._figures(),
            "step": step,
            "total": total,
            "alert": alert,
            "said": self._said,
            "enabled": enabled,
            "renamed": {other[0]: _action(other[1])},
            "changes": self._changes(),
        }
        self.surface.show(status=status)

    def _figures(self) -> str:
        lab, progress = self.lab, self.lab.progress
        if progress is None or lab.phase not in ("running", "paused"):
            return facts(lab.result) if lab.result is not None else ""
        parts = [tr("studio.sigma", sigma=f"{progress.sigma:.3g}")]
        if lab.phase == "running":
            parts.insert(0, tr("studio.at_step", step=progress.step, total=progress.total or "?"))
            if progress.seconds_left is not None:
                parts.append(tr("studio.left", seconds=f"{progress.seconds_left:.1f}"))
        return " · ".join(parts)

    def _changes(self) -> str:
        if self.lab.phase == "running":
            return ""
        found = [
            f"{tr(f'studio.{name}')}: {_short(old)} → {_short(new)}"
            for name, (old, new) in self.lab.changes().items()
        ]
        return tr("studio.changes", changes="; ".join(found)) if found else ""

    def _show_picture(self) -> None:
        shown, lab = self.lab.shown, self.lab
        if lab.phase == "running" and not self._unseen.has_room:
            return
        if shown is None:
            width, height = lab.form.width, lab.form.height
            self.surface.show(picture=b"", about={"width": width, "height": height})
            return
        self._number += 1
        word = "studio.alt_sketch" if shown.is_sketch else "studio.alt_step"
        whole = lab.result is not None and shown.image is lab.result.images[0]
        prompt = lab.form.prompt or tr("studio.no_prompt")
        request = None if lab.result is None else lab.result.request
        if whole and request is not None:
            word, prompt = "studio.alt", request.prompt or tr("studio.no_prompt")
        width, height = shown.image.size
        about = {
            "number": self._number,
            "alt": tr(word, prompt=prompt, step=shown.step),
            "caption": "" if whole else tr(f"{word}_caption", step=shown.step),
            "width": width,
            "height": height,
            "is_sketch": shown.is_sketch,
        }
        picture = jpeg(shown.image)
        if picture != self.surface.picture:  # the same one is not sent, nor drawn
            self._unseen.sent()
        self.surface.show(picture=picture, about=about)

    def _show_film(self) -> None:
        film = self.lab.film
        if film is None:
            self.surface.show(strip=b"", film={})
            return
        self.surface.show(**film_shown(film, self._number))

    def _show_closeup(self) -> None:
        if self.lab.closeup is None:
            return
        index, frame = self.lab.closeup
        self.surface.send({"do": "closeup", "index": index}, buffers=[jpeg(frame)])

    def _show_result(self) -> None:
        request = self.lab.result.request
        self.surface.show(clips=clips(request, self._defaults()))
        if input_files(request):
            self._said = tr("studio.needs_inputs")
        self._show_form()
        self.leave()


def _action(name: str) -> dict[str, str]:
    kind = "primary" if name == "generate" else "plain"
    return {"do": name, "label": tr(f"studio.{name}"), "kind": kind}


def _short(value: object) -> str:
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 40 else f"{text[:39]}…"


def _step(message: Message) -> int:
    return int(str(message["step"]))
