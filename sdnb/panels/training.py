"""The view of a training: fields, buttons, and what it says. What it does: `sdnb.labs.training`.

Its views are in `sdnb.panels.trained`.
"""

from collections.abc import Callable
from functools import partial
from html import escape
from threading import RLock
from typing import TYPE_CHECKING

from sdnb.errors import SdnbError
from sdnb.i18n import language, tr
from sdnb.labs.subjects import TIMESTEPS, Plane
from sdnb.labs.training_form import DATASETS, FIELDS, READ, SUBJECTS, UNITS
from sdnb.panels.panel import Message, Panel, error_text
from sdnb.panels.report import WORDS, Defaults
from sdnb.panels.trained import (
    clouds_data,
    clouds_figure,
    clouds_view,
    errors_figure,
    errors_view,
    kept_learned,
    kept_samples,
    learned_view,
    loss_view,
    losses_figure,
    pictures_view,
    question_view,
)
from sdnb.request import GenerationRequest

if TYPE_CHECKING:
    import sdnb.labs.training

SHAPES: dict[str, dict[str, object]] = {
    "subject": {"kind": "choice"},
    "dataset": {"kind": "choice"},
    "pictures": {"kind": "line"},
    "with_text": {"kind": "check"},
    "prompt": {"kind": "text", "rows": 2},
    "length": {"kind": "number", "span": 6, "min": 1},
    "unit": {"kind": "choice", "span": 6},
    "rank": {"kind": "number", "min": 1, "step": 1},
    "lr": {"kind": "number", "min": 0},
    "every": {"kind": "number", "min": 1, "step": 1},
    "batch": {"kind": "number", "span": 6, "min": 1, "step": 1},
    "seed": {"kind": "number", "span": 6, "min": 0, "step": 1},
    "file": {"kind": "line"},
}
OFFERED = {"subject": SUBJECTS, "dataset": tuple(DATASETS), "unit": UNITS}
HINTS = ("pictures", "prompt")
ENDED = {"preparing": ["stop"], "running": ["pause", "stop"], "paused": ["stop"]}
"""Phase -> how a training can be held or ended in it."""

ACTIONS = ("start", "pause", "stop")
KEEPS = ("save", "restore", "use")
COPY = {"do": "copy", "copies": "python"}
ICONS = {"start": "generate", "restore": "step_back"}


class TrainingPanel(Panel):
    """A training on a page."""

    name = "training"

    def __init__(
        self, lab: "sdnb.labs.training.Training", _defaults: Defaults = GenerationRequest
    ) -> None:
        super().__init__()
        self.lab = lab
        self._alert = self._question = ""
        # the lab's thread has news, and the kernel's: the newest is shown last, whoever shows it
        self._showing = RLock()
        self._samples: list[dict[str, object]] = []  # as a view: pictures are encoded once
        self.surface.stage, self.surface.main = "board", "start"
        acts = {name: getattr(lab, name) for name in ("pause", "resume", "stop", "save", "use")}
        replacing: dict[str, Callable[[], None]] = {"start": lab.start, "restore": lab.restore}
        self.does = {
            **{name: partial(self._act, act) for name, act in acts.items()},
            **{name: partial(self._replace, name, act) for name, act in replacing.items()},
            **{f"really_{name}": partial(self._act, act) for name, act in replacing.items()},
            "keep": partial(self._act, lambda: None),
            "type": self._type,
        }
        lab.observe(lambda _: self._show_status(), ["phase", "failure", "saved", "learned"])
        lab.observe(lambda _: self._show_samples(), "samples")
        lab.observe(lambda _: self._show_views(), ["events", "measured", "learned"])
        lab.observe(lambda _: self.leave(), ["measured", "learned"])
        lab.observe(lambda _: self._show_clips(), "asked")
        lab.form.observe(lambda _: self._show_fields(), "subject")
        lab.form.observe(lambda _: self._show_form())
        self.say()

    def say(self) -> None:
        """Say all words, in the language that is set."""
        about = tr("studio.about", checkpoint=self.lab.pipe.components.reference)
        titles = {"title": tr("training.title"), "language": language(), "about": about}
        self.surface.show(
            texts={**{name: tr(f"panel.{name}") for name in WORDS}, **titles},
            actions=[*map(_action, ACTIONS)],
            keeps=[*map(_action, KEEPS), COPY | {"label": tr("studio.copy_python")}],
        )
        self._show_fields()
        self._show_form()
        self._show_samples()

    def kept(self) -> str:
        """Return HTML of what was learned, and how fast."""
        lab, subject = self.lab, self.lab.subject
        figures, pictures = [], ""
        if lab.samples and isinstance(subject, Plane):
            figures.append(clouds_figure(lab.samples[-1], subject.shown))
        elif lab.samples:
            pictures += kept_samples(lab.samples[-1])
        if lab.learned is not None:
            pictures += kept_learned(lab.learned)
        if lab.events:
            figures.append(losses_figure(lab.events))
        if lab.measured is not None:
            figures.append(errors_figure(lab.measured, TIMESTEPS))
        drawn = [str(figure._repr_mimebundle_()["text/html"]) for figure in figures]
        return pictures + "".join(f"<div>{each}</div>" for each in drawn) + self.kept_text()

    def kept_text(self) -> str:
        """Return HTML of what was trained, in words."""
        if self.lab.asked is None:
            return f"<p>{escape(tr('board.without_kernel', title=tr('training.title')))}</p>"
        said = f"{self._headline()} {self._figures()}"
        return f"<div>{escape(said)}</div>"

    def failed(self, error: SdnbError) -> None:
        """Show what a message led to."""
        self._alert = error_text(error)
        self._show_status()

    def _act(self, act: Callable[[], None], *_: object) -> None:
        self._alert = self._question = ""
        self._show_views()  # before the worker has news of its own
        act()

    def _replace(self, name: str, act: Callable[[], None], *_: object) -> None:
        """Begin anew; where that would lose a long training, ask first."""
        if self.lab.is_at_risk:
            self._question = name
            self._show_views()
        else:
            self._act(act)

    def _show_clips(self) -> None:
        asked, reference = self.lab.asked, self.lab.pipe.components.reference
        if asked is not None:
            self.surface.show(clips={"python": asked.as_python(reference)})

    def _type(self, message: Message, _: object) -> None:
        name, value = message.get("name"), message.get("value")
        if isinstance(name, str) and name in READ and isinstance(value, str | bool):
            self.lab.form.type({name: value})

    def _show_fields(self) -> None:
        names = FIELDS.get(str(self.lab.form.subject), FIELDS[SUBJECTS[0]])
        fields = [*map(_field, names)]
        self.surface.show(fields=[{"name": "", "label": "", "fields": fields}])

    def _show_form(self) -> None:
        form = self.lab.form
        self.surface.show(
            values={name: getattr(form, name) for name in READ},
            notes={"every": {"text": tr("training.every_note")}},
            errors={name: error_text(error) for name, error in form.errors.items()},
        )
        self._show_status()

    def _show_status(self) -> None:
        with self._showing:
            lab = self.lab
            alert = self._alert or ("" if lab.failure is None else error_text(lab.failure))
            held = _action("resume" if lab.can_go_on else "pause")  # one button is either
            step, total = self._progress()
            self.surface.show(
                status={
                    "phase": lab.phase,
                    "headline": self._headline(),
                    "figures": self._figures(),
                    "step": step,
                    "total": total,
                    "alert": alert,
                    "said": self._said(),
                    "enabled": self._enabled(),
                    "renamed": {"pause": held, "resume": held},
                }
            )

    def _enabled(self) -> list[str]:
        lab = self.lab
        enabled = [] if lab.errors or lab.phase == "preparing" else ["start", "restore"]
        enabled += ENDED.get(lab.phase, [])
        if lab.can_go_on:
            enabled.append("resume")
        if lab.state is not None and lab.phase != "preparing":
            enabled += ["save", "copy", *["use"] * (not isinstance(lab.subject, Plane))]
        return [*enabled, "keep", "really_start", "really_restore"]

    def _said(self) -> str:
        lab = self.lab
        if lab.asked is None:
            return tr("training.hint")
        said = [] if lab.saved is None else [tr("studio.saved", paths=lab.saved)]
        if lab.learned is not None and lab.learned.path is not None:
            said.append(tr("training.used_lora", path=lab.learned.path))
        elif lab.learned is not None:
            said.append(tr("training.used_unet"))
        return " · ".join(said)

    def _headline(self) -> str:
        asked, state = self.lab.asked, self.lab.state
        subject = "" if asked is None else tr(f"training.named_{asked.subject}")
        step = 0 if state is None else state.step
        return tr(f"training.phase_{self.lab.phase}", subject=subject, step=step)

    def _figures(self) -> str:
        lab = self.lab
        if not lab.events or lab.phase == "preparing":
            return ""
        last = [event.loss for event in lab.events[-25:]]
        loss = tr("training.loss_is", loss=f"{sum(last) / len(last):.3g}")
        left = lab.seconds_left
        if lab.phase == "running" and left is not None:
            time = tr("studio.left", seconds=f"{left:.0f}")
        else:
            time = tr("training.seconds", seconds=f"{lab.events[-1].seconds:.1f}")
        return f"{loss} · {time}"

    def _progress(self) -> tuple[int, int | None]:
        asked, state = self.lab.asked, self.lab.state
        if asked is None or state is None or self.lab.phase == "preparing":
            return 0, None
        total = max(1, round(asked.length))
        made = state.seconds if asked.unit == "seconds" else state.step
        return min(round(made), total), total

    def _show_samples(self) -> None:
        with self._showing:
            samples, subject = self.lab.samples, self.lab.subject
            if not samples:
                self._samples = []
            elif isinstance(subject, Plane):
                self._samples = [clouds_view(samples, len(subject.shown))]
                self.surface.show(data=clouds_data(samples, subject.shown))
            else:
                data, view = pictures_view(samples)
                self._samples = [view]
                self.surface.show(data=data)
            self._show_views()

    def _show_views(self) -> None:
        with self._showing:
            lab, views = self.lab, [*self._samples]
            if lab.events:
                views.append(loss_view(lab.events))
            if lab.measured is not None:
                views.append(errors_view(lab.measured, TIMESTEPS))
            if lab.learned is not None and lab.learned.results:
                views.append(learned_view(lab.learned))
            if self._question:
                views.append(question_view(self._question))
            self.surface.show(views=views)
            self._show_status()


def _action(name: str) -> dict[str, str]:
    kind = "primary" if name == "start" else "plain"
    icon = ICONS.get(name, name)
    return {"do": name, "label": tr(f"training.{name}"), "kind": kind, "icon": icon}


def _field(name: str) -> dict[str, object]:
    options = [(each, tr(f"training.{name}_{each}")) for each in OFFERED.get(name, ())]
    hint = tr(f"training.{name}_hint") if name in HINTS else None
    label = tr(f"training.{name}")
    return {"name": name, "label": label, "hint": hint, "options": options, **SHAPES[name]}
