"""The view of a run's attention. What it shows: `sdnb.labs.attention`."""

from typing import TYPE_CHECKING

from PIL.Image import Image, Resampling, blend

from sdnb.errors import SdnbError
from sdnb.i18n import tr
from sdnb.panels.maps import grids_shown, last_tiles
from sdnb.panels.panel import Panel
from sdnb.panels.pictures import data_url, jpeg
from sdnb.panels.report import REQUEST, Defaults, Field, Report, kept_picture, kept_words
from sdnb.plots.attention import VEIL, colour_stops, pale
from sdnb.request import GenerationRequest

if TYPE_CHECKING:
    import sdnb.labs.attention
    import sdnb.labs.grids

ORDER = ("prompt", "words", "together", *REQUEST[1:])


class AttentionPanel(Panel):
    """Where words look, on a page."""

    name = "attention"

    def __init__(
        self, lab: "sdnb.labs.attention.Attention", defaults: Defaults = GenerationRequest
    ) -> None:
        super().__init__()
        self.lab = lab
        self._is_together = True
        fields = {
            "words": Field(value=self._words, type=self._choose, shape={"kind": "several"}),
            "together": Field(
                value=lambda: self._is_together, type=self._lay_together, shape={"kind": "check"}
            ),
        }
        self.report = Report(self.surface, lab, self.name, fields, defaults)
        self.does = self.report.does
        lab.observe(lambda _: self._show_views(), "grids")
        lab.observe(lambda _: self.report.show_form(), ["words", "chosen"])
        lab.observe(lambda _: self.leave(), ["result", "grids"])
        self.say()

    def say(self) -> None:
        """Say all words, in the language that is set."""
        self.report.say(ORDER, {"seed": tr("board.seed")})
        self._show_views()

    def kept(self) -> str:
        """Return HTML of the picture under each word's map, all steps together."""
        result, grids = self.lab.result, self.lab.grids
        if result is None or grids is None:
            return kept_words(self.name, result)
        alt = tr("studio.alt", prompt=result.request.prompt)
        parts = [kept_picture(result.images[0], tr("latents.picture"), alt)]
        for row in grids.rows:
            (shares,) = last_tiles(grids, row, colour_stops())
            under = pale(result.images[0]).convert("RGB")
            over = blend(under, shares.resize(under.size, Resampling.BICUBIC), VEIL)
            label = f"{row.name} · {_note(row.figures[-1])}"
            parts.append(kept_picture(over, label, tr("attention.alt", word=row.name)))
        return "".join(parts) + kept_words(self.name, result)

    def kept_text(self) -> str:
        """Return HTML of its words alone."""
        return kept_words(self.name, self.lab.result)

    def failed(self, error: SdnbError) -> None:
        """Show what a message led to."""
        self.report.failed(error)

    def _words(self) -> list[tuple[str, bool]]:
        return [(word, word in self.lab.chosen) for word in self.lab.words]

    def _choose(self, typed: object) -> None:
        if isinstance(typed, list):
            self.lab.choose(*(word for word, is_chosen in typed if is_chosen))

    def _lay_together(self, typed: object) -> None:
        self._is_together = bool(typed)
        self._show_views()

    def _show_views(self) -> None:
        grids, result = self.lab.grids, self.lab.result
        if grids is None or result is None:
            self.surface.show(views=[])
            return
        ends = "0", tr("attention.high")
        view = {
            **grids_shown(grids, colour_stops(), ends, _row),
            "is_cards": True,
            "is_together": self._is_together,
            "under": _under(result.images[0]),
            "veil": VEIL,
        }
        self.surface.show(views=[view], data=b"".join(row.data for row in grids.rows))


def _row(row: "sdnb.labs.grids.Row") -> dict[str, object]:
    return {
        "label": row.name,
        "alts": [tr("attention.alt", word=row.name)],
        "notes": [_note(figures) for figures in row.figures],
    }


def _note(figures: tuple[float, ...] | None) -> str:
    if figures is None:
        return tr("latents.not_asked")
    return tr("attention.at_most", share=f"{100 * figures[0]:.1f}")


def _under(picture: Image) -> str:
    return data_url(jpeg(pale(picture), widest=256))
