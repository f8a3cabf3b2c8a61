"""The latents' view. What it shows: `sdnb.labs.latents`."""

from math import exp, pi, sqrt
from typing import TYPE_CHECKING

from sdnb.errors import SdnbError
from sdnb.i18n import tr
from sdnb.panels.maps import grids_shown, kept_row
from sdnb.panels.panel import Panel
from sdnb.panels.report import REQUEST, Defaults, Report, kept_picture, kept_words
from sdnb.plots.latents import DIVERGING
from sdnb.plots.theme import PALETTE
from sdnb.request import GenerationRequest
from sdnb.result import spread_text

if TYPE_CHECKING:
    import sdnb.labs.grids
    import sdnb.labs.latents


class LatentsPanel(Panel):
    """The latents of a run on a page."""

    name = "latents"

    def __init__(
        self, lab: "sdnb.labs.latents.Latents", defaults: Defaults = GenerationRequest
    ) -> None:
        super().__init__()
        self.lab = lab
        self.report = Report(self.surface, lab, self.name, {}, defaults)
        self.does = self.report.does
        lab.observe(lambda _: self._show_views(), "grids")
        lab.observe(lambda _: self.leave(), "result")
        self.say()

    def say(self) -> None:
        """Say all words, in the language that is set."""
        self.report.say(REQUEST, {"seed": tr("board.seed")})
        self._show_views()

    def kept(self) -> str:
        """Return HTML of the picture and of its latents at the end."""
        result, grids = self.lab.result, self.lab.grids
        if result is None or grids is None:
            return kept_words(self.name, None)
        alt = tr("studio.alt", prompt=result.request.prompt or tr("studio.no_prompt"))
        parts = [kept_picture(result.images[0], tr("latents.picture"), alt)]
        for row in grids.rows:
            said = f"{tr(f'latents.{row.name}')} · {_note(row, row.figures[-1])}"
            parts.append(kept_row(grids, row, said, DIVERGING))
        return "".join(parts) + kept_words(self.name, result)

    def kept_text(self) -> str:
        """Return HTML of its words alone."""
        return kept_words(self.name, self.lab.result)

    def failed(self, error: SdnbError) -> None:
        """Show what a message led to."""
        self.report.failed(error)

    def _show_views(self) -> None:
        grids = self.lab.grids
        if grids is not None:
            data = b"".join(row.data for row in grids.rows)
            self.surface.show(views=self._views(), data=data)

    def _views(self) -> list[dict[str, object]]:
        frame = {"kind": "frame", "name": "x0", "is_half": True, "label": tr("latents.decoded")}
        grids = grids_shown(
            self.lab.grids, DIVERGING, (tr("latents.low"), tr("latents.high")), _row
        )
        return [{**frame, "alt": tr("latents.decoded")}, self._histogram(), grids]

    def _histogram(self) -> dict[str, object]:
        histograms = self.lab.histograms
        centres = histograms[0].centres
        highest = max(max(each.density) for each in histograms)
        said = [
            tr("latents.spread", sigma=f"{each.sigma:.3g}", spread=spread_text(each.mean, each.std))
            for each in histograms
        ]
        density = [exp(-(x**2) / 2) / sqrt(2 * pi) for x in centres]
        return {
            "kind": "histogram",
            "name": "histogram",
            "is_half": True,
            "title": tr("latents.histogram"),
            "x": {"from": -4, "to": 4, "label": "x / √(1 + σ²)"},
            "y": {"from": 0, "to": 1.1 * min(highest, 1.2), "label": tr("latents.density")},
            "xs": list(centres),
            "gaussian": {"ys": density, "colour": PALETTE[1]},
            "bars": PALETTE[5],
            "steps": [
                {"ys": list(each.density), "said": words}
                for each, words in zip(histograms, said, strict=True)
            ],
        }


def _row(row: "sdnb.labs.grids.Row") -> dict[str, object]:
    """Say what a row of channels is."""
    label = tr(f"latents.{row.name}")
    return {
        "label": label,
        "alts": [tr("latents.channel", part=label, channel=i) for i in range(row.tiles)],
        "notes": [_note(row, figures) for figures in row.figures],
    }


def _note(row: "sdnb.labs.grids.Row", figures: tuple[float, ...] | None) -> str:
    if figures is None:
        return tr("latents.not_asked")
    mean, std = figures
    return tr("latents.note", spread=spread_text(mean, std), limit=f"{row.limit:g}")
