"""The view of schedules. What it does: `sdnb.labs.schedules`."""

from dataclasses import replace
from typing import TYPE_CHECKING

from PIL.Image import Image

from sdnb.comparison.schedules import describe_noise
from sdnb.errors import SdnbError
from sdnb.i18n import tr
from sdnb.labs.schedules import GAIN, choices
from sdnb.panels.panel import Message, Panel
from sdnb.panels.pictures import data_url, jpeg
from sdnb.panels.report import Defaults, Field, Report, kept_picture, kept_words
from sdnb.plots.schedules import plot_schedules
from sdnb.plots.theme import schedule_mark
from sdnb.request import GenerationRequest

if TYPE_CHECKING:
    import sdnb.labs.schedules

ORDER = (
    *("levels", "schedule", "chosen", "follows"),
    *("prompt", "negative_prompt", "steps", "cfg_scale", "seed", "sampler"),
)
WORDS = ("help", "level", "step", "sigma", "ratio", "size", "nats", "less", "alt")
INK = "currentColor"
"""The drawn levels; schedules have the colours of all plots."""


class SchedulesPanel(Panel):
    """Schedules on a page."""

    name = "schedules"

    def __init__(
        self, lab: "sdnb.labs.schedules.Schedules", defaults: Defaults = GenerationRequest
    ) -> None:
        super().__init__()
        self.lab = lab
        fields = {
            "levels": Field(
                value=lambda: lab.typed,
                type=lambda typed: lab.write(str(typed)),
                shape={"kind": "text", "rows": 2},
            ),
            "chosen": Field(
                value=lambda: [(name, name in lab.chosen) for name in choices()],
                type=self._choose,
                shape={"kind": "several"},
            ),
            "follows": Field(value=lambda: lab.follows, type=self._follow, shape={"kind": "check"}),
        }
        self.report = Report(self.surface, lab, self.name, fields, defaults)
        self.does = {
            **self.report.does,
            "levels": self._take,
            "reference": lambda *_: lab.copy_reference(),
        }
        lab.observe(lambda _: self._show_levels(), ["levels", "curves", "wrong", "typed"])
        lab.observe(lambda _: self._show_pair(), "pair")
        self.say()

    def say(self) -> None:
        """Say all words, in the language that is set."""
        names = {"seed": tr("board.seed"), "schedule": tr("schedules.reference")}
        label = tr("schedules.copy_reference")
        self.report.say(ORDER, names, [{"do": "reference", "label": label, "icon": "step_back"}])
        self._show_views()

    def kept(self) -> str:
        """Return HTML of both pictures, and of the levels that drew them."""
        pair = self.lab.pair
        if pair is None:
            return kept_words(self.name, None)
        pictures = [
            kept_picture(picture, f"{label} · {caption}", label)
            for picture, label, caption in self._pictures()
            if picture is not None
        ]
        return "".join(pictures) + self._plot() + kept_words(self.name, pair.drawn)

    def kept_text(self) -> str:
        """Return HTML of its words alone."""
        return kept_words(self.name, self.lab.result)

    def failed(self, error: SdnbError) -> None:
        """Show what a message led to."""
        self.report.failed(error)

    def _choose(self, typed: object) -> None:
        if isinstance(typed, list):
            self.lab.choose(*(name for name, is_chosen in typed if is_chosen))

    def _follow(self, typed: object) -> None:
        self.lab.follows = bool(typed)

    def _take(self, message: Message, _: object) -> None:
        levels = message["levels"]
        if isinstance(levels, list):
            self.lab.write(levels)

    def _show_levels(self) -> None:
        self.report.show_form()
        self._show_views()

    def _show_pair(self) -> None:
        self._show_views()
        self.leave()

    def _show_views(self) -> None:
        self.surface.show(views=self._views())

    def _views(self) -> list[dict[str, object]]:
        shown = [
            {
                "label": label,
                "caption": caption,
                "alt": label,
                "source": "" if picture is None else data_url(jpeg(picture, widest=384)),
            }
            for picture, label, caption in self._pictures()
        ]
        pictures = {"kind": "pictures", "name": "pair", "empty": tr("schedules.empty")}
        return [self._levels(), {**pictures, "pictures": shown}]

    def _levels(self) -> dict[str, object]:
        lab = self.lab
        return {
            "kind": "levels",
            "name": "levels",
            "levels": list(lab.levels[:-1]),
            "bounds": list(lab.bounds),
            "drawn": {"label": tr("schedules.drawn"), "colour": INK, "dash": "solid"},
            "curves": [
                {
                    "label": f"{curve.name} ({tr('schedules.is_reference')})" * (not index)
                    or curve.name,
                    "sigmas": list(curve.sigmas),
                    "colour": schedule_mark(curve.name).colour,
                    "dash": schedule_mark(curve.name).dash,
                }
                for index, curve in enumerate(lab.curves)
            ],
            "words": {name: tr(f"schedules.{name}") for name in WORDS},
        }

    def _pictures(self) -> list[tuple[Image | None, str, str]]:
        """Return what was sampled: picture, name, and what there is to say."""
        pair = self.lab.pair
        names = (tr("schedules.drawn"), tr("schedules.reference"), tr("schedules.difference"))
        if pair is None:
            return [(None, name, "") for name in names]
        figures = [
            tr("schedules.made", seed=each.seeds[0], evaluations=each.evaluations)
            for each in (pair.drawn, pair.reference)
        ]
        apart = tr("schedules.apart", rmse=f"{pair.rmse:.1f}", gain=GAIN)
        pictures = (pair.drawn.images[0], pair.reference.images[0], pair.difference)
        figures[1] = f"{pair.reference.request.schedule} · {figures[1]}"
        return list(zip(pictures, names, (*figures, apart), strict=True))

    def _plot(self) -> str:
        """Return HTML of the levels as a picture."""
        drawn = replace(self.lab.drawn, name=tr("schedules.drawn"))
        figure = plot_schedules((drawn, *self.lab.curves), describe_noise(self.lab.clock))
        return f"<div>{figure._repr_mimebundle_()['text/html']}</div>"
