"""The view of a text that is looked at while it is typed. What it does: `sdnb.labs.text`."""

from collections.abc import Sequence
from functools import partial
from html import escape
from threading import Lock
from typing import TYPE_CHECKING

from sdnb.comparison.text import TextDistances, TextStages
from sdnb.errors import SdnbError
from sdnb.i18n import language, tr
from sdnb.labs.lenses import Alike, Nearest, Sum, Weighed, WordMap
from sdnb.labs.text import INPUTS, LENSES
from sdnb.panels.panel import Message, Panel, error_text
from sdnb.panels.pictures import kept_still, still_view
from sdnb.panels.report import WORDS, Defaults
from sdnb.panels.tokens import kept_tokens, tokens_view
from sdnb.plots.figure import Figure
from sdnb.plots.text import plot_norms, plot_stages, plot_text_distances, stage_name
from sdnb.plots.vectors import plot_analogy, plot_nearest, plot_projection, plot_similarity
from sdnb.prompt import SYNTAXES
from sdnb.request import GenerationRequest
from sdnb.result import Result

if TYPE_CHECKING:
    import sdnb.labs.lenses
    import sdnb.labs.text

FIELDS = {
    "vectors": (),
    "similarity": ("words", "stage"),
    "nearest": ("word",),
    "sum": ("sum", "expected"),
    "map": ("words", "method"),
    "weight": ("weighed", "weight"),
    "empty": ("other",),
}
"""What a lens is asked, beside the text."""

SHAPES: dict[str, dict[str, object]] = {
    "text": {"kind": "text", "rows": 3},
    "encoder": {"kind": "choice"},
    "syntax": {"kind": "choice"},
    "words": {"kind": "text", "rows": 2},
    "stage": {"kind": "choice"},
    "method": {"kind": "choice"},
    "word": {"kind": "line"},
    "sum": {"kind": "line"},
    "expected": {"kind": "line"},
    "weighed": {"kind": "several"},
    "weight": {"kind": "number", "step": 0.1, "min": -10, "max": 10},
    "other": {"kind": "line"},
}
HINTS = ("words", "sum", "expected", "other")


class TextPanel(Panel):
    """A text on a page."""

    name = "text"

    def __init__(
        self, lab: "sdnb.labs.text.TextLab", _defaults: Defaults = GenerationRequest
    ) -> None:
        super().__init__()
        self.lab = lab
        self._alert = ""
        self._tokens: dict[str, object] = {}
        self._stills: list[dict[str, object]] = []
        # the lab's thread has news, and the kernel's: the newest is shown last, whoever shows it
        self._writing, self._drawing = Lock(), Lock()
        self.surface.stage, self.surface.main = "board", "look"
        self.does = {name: partial(self._choose, name) for name in LENSES} | {
            "look": lambda *_: lab.look(),
            "type": self._type,
        }
        lab.observe(lambda _: self._show_form(), [*INPUTS, "errors"])
        lab.observe(lambda _: self._show_status(), "failure")
        lab.observe(lambda _: self._describe(), ["lens", "encoder"])
        lab.observe(lambda _: self._show_seen(), "seen")
        self.say()

    def say(self) -> None:
        """Say all words, in the language that is set."""
        self._describe()
        self._show_status()
        self._show_seen()

    def kept(self) -> str:
        """Return HTML of the tokens and of the plots, for a reader without a kernel."""
        if not self._tokens:
            return f"<p>{escape(tr('board.without_kernel', title=tr('text.title')))}</p>"
        return self.kept_text() + kept_tokens(self._tokens) + "".join(map(kept_still, self._stills))

    def kept_text(self) -> str:
        """Return HTML of its words alone."""
        return "" if self.lab.seen is None else f"<p>{escape(self.lab.seen.split.text)}</p>"

    def take(self, what: object) -> None:
        """Look at the prompt of a result, or of a request."""
        if isinstance(what, Result):
            self.lab.take(what.request)
        elif isinstance(what, GenerationRequest):
            self.lab.take(what)

    def failed(self, error: SdnbError) -> None:
        """Show what a message led to."""
        self._alert = error_text(error)
        self._show_status()

    def _describe(self) -> None:
        """Say which fields and lenses there are."""
        lab = self.lab
        texts = {name: tr(f"panel.{name}") for name in WORDS}
        titles = {"title": tr("text.title"), "language": language(), "actions": tr("text.lenses")}
        about = tr("studio.about", checkpoint=lab.pipe.components.reference)
        names = ("text", "encoder", "syntax", *FIELDS[lab.lens])
        options = self._options()
        fields = [_field(name, options.get(name)) for name in names if options.get(name) != []]
        self.surface.show(
            texts={**texts, **titles, "about": about},
            fields=[{"name": "", "label": "", "fields": fields}],
            actions=[_lens(name, is_on=name == lab.lens) for name in LENSES],
        )
        self._show_form()

    def _choose(self, lens: str, *_: object) -> None:
        self._calm()
        self.lab.lens = lens

    def _type(self, message: Message, _: object) -> None:
        name, value = str(message["name"]), message["value"]
        self._calm()
        if name == "weighed" and isinstance(value, list):
            self.lab.weighed = tuple(str(word) for word, is_on in value if is_on)
        elif name == "encoder":
            self.lab.encoder = int(str(value))
        elif name in SHAPES:
            setattr(self.lab, name, str(value))

    def _calm(self) -> None:
        """Forget what the message before led to."""
        if self._alert:
            self._alert = ""
            self._show_status()

    def _options(self) -> dict[str, list[tuple[str, str]]]:
        """Return what can be chosen, by field; nothing where there is one thing only."""
        lab = self.lab
        encoders = [(str(place), name) for place, name in enumerate(lab.encoders)]
        methods = [(name, tr(f"text.method_{name}")) for name in lab.methods]
        return {
            "encoder": encoders if len(encoders) > 1 else [],
            "method": methods if len(methods) > 1 else [],
            "syntax": [(name, tr(f"text.syntax_{name}")) for name in SYNTAXES],
            "stage": [(name, stage_name(name)) for name in lab.stages],
        }

    def _show_form(self) -> None:
        with self._writing:
            lab = self.lab
            values = {name: getattr(lab, name) for name in SHAPES}
            values |= {"encoder": str(lab.encoder), "weighed": list(lab.weighable)}
            errors = {name: error_text(error) for name, error in lab.errors.items()}
            self.surface.show(values=values, notes=self._notes(), errors=errors)

    def _notes(self) -> dict[str, dict[str, object]]:
        """Return how full the encoder is, which words nobody taught, what a weight writes."""
        lab = self.lab
        typed = [name for name in FIELDS[lab.lens] if SHAPES[name]["kind"] in ("text", "line")]
        notes = {name: _unknown(lab.read(getattr(lab, name)).unknown) for name in typed}
        if lab.seen is not None:
            split, found = lab.seen.split, lab.seen.found
            filled = {"count": sum(split.counts), "room": split.room * len(split.chunks)}
            said = {"text": tr("studio.tokens", **filled), **_unknown(split.unknown)}
            notes["text"] = {**filled, **said}
            notes["weight"] = {"text": found.prompt if isinstance(found, Weighed) else ""}
        return notes

    def _show_status(self) -> None:
        failure = self.lab.failure
        alert = self._alert or ("" if failure is None else error_text(failure))
        self.surface.show(
            status={
                "phase": "idle",
                "headline": "",
                "figures": "",
                "alert": alert,
                "enabled": list(LENSES),
            }
        )

    def _show_seen(self) -> None:
        """Show the tokens, and what the lens shows; what is kept follows."""
        self._show_form()
        with self._drawing:
            seen = self.lab.seen
            if seen is None:
                return
            drawn = [] if seen.found is None else figures(seen.found)
            self._tokens = tokens_view(seen.split)
            self._stills = [
                still_view(f"{seen.lens}-{place}", figure) for place, figure in enumerate(drawn)
            ]
            self.surface.show(views=[self._tokens, *self._stills])
        self.leave()


def figures(found: "sdnb.labs.lenses.Found") -> list[Figure]:
    """Draw what a lens shows."""
    match found:
        case TextStages():
            return [plot_stages(found), plot_norms(found)]
        case Alike():
            title = tr("text.similarity", stage=stage_name(found.stage))
            return [plot_similarity(found.names, found.cosines, title=title)]
        case Nearest():
            return [plot_nearest(found.near, title=tr("vectors.nearest", word=found.word))]
        case Sum():
            return [_sum(found)]
        case WordMap():
            groups = {tr("text.own_words"): found.words}
            is_pca = bool(found.projected.shares)
            title = tr("text.map") if is_pca else tr("vectors.map")
            return [plot_projection(found.projected, groups, title=title)]
        case Weighed():
            said = tr("text.weighed_title", words=", ".join(found.words))
            return [plot_text_distances(found.distances, title=said)]
        case TextDistances():
            return [plot_text_distances(found, title=tr("text.empty_title"))]


def _sum(found: Sum) -> Figure:
    if found.expected:
        return plot_analogy(found.analogy, found.expected)
    return plot_nearest(found.analogy.ranked[:8], title=str(found.analogy))


def _field(name: str, options: Sequence[tuple[str, str]] | None) -> dict[str, object]:
    hint = tr(f"text.{name}_hint") if name in HINTS else None
    label = tr(f"text.field_{name}")
    return {"name": name, "label": label, "hint": hint, "options": options, **SHAPES[name]}


def _unknown(words: Sequence[str]) -> dict[str, object]:
    return {"marked": words, "about": tr("studio.unknown")}


def _lens(name: str, *, is_on: bool) -> dict[str, object]:
    return {"do": name, "label": tr(f"text.lens_{name}"), "pressed": "true" if is_on else "false"}
