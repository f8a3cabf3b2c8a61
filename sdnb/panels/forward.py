"""The view of a picture under noise. What it shows: `sdnb.labs.forward`."""

from typing import TYPE_CHECKING

from PIL.Image import Image

from sdnb.errors import SdnbError
from sdnb.i18n import tr
from sdnb.labs.forward import MOST
from sdnb.panels.maps import grids_shown
from sdnb.panels.panel import Panel
from sdnb.panels.pictures import data_url, image_html, jpeg, row
from sdnb.panels.report import REQUEST, Defaults, Field, Report, kept_picture, kept_words
from sdnb.plots.latents import DIVERGING
from sdnb.plots.theme import PALETTE
from sdnb.request import GenerationRequest
from sdnb.result import spread_text

if TYPE_CHECKING:
    import sdnb.labs.forward
    import sdnb.labs.grids
    import sdnb.labs.noise_level

ORDER = ("image", "prompt", "count", "noise_seed", *REQUEST[1:])

STRIP = ("strip", "strip_help", "strip_page", "frame")

WIDEST = 192
"""Pixels of a picture's longer side, at most."""

KEPT = 6
"""Levels that stay in a saved notebook, at most."""

SUMS = ((("picture", "added", "noisy"), "+="), (("noisy", "seen", "estimate"), "−="))


class ForwardPanel(Panel):
    """A picture under noise, on a page."""

    name = "forward"

    def __init__(
        self, lab: "sdnb.labs.forward.Forward", defaults: Defaults = GenerationRequest
    ) -> None:
        super().__init__()
        self.lab = lab
        whole = {"kind": "number", "step": 1}
        fields = {
            "count": Field(
                value=lambda: lab.count,
                type=lambda typed: lab.set_trait("count", str(typed)),
                shape={**whole, "span": 4, "min": 2, "max": MOST},
            ),
            "noise_seed": Field(
                value=lambda: lab.noise_seed,
                type=lambda typed: lab.set_trait("noise_seed", str(typed)),
                shape={**whole, "span": 8, "min": 0},
                hint="forward.noise_seed_hint",
            ),
        }
        self.report = Report(self.surface, lab, self.name, fields, defaults)
        self.does = self.report.does
        lab.observe(lambda _: self._show_views(), "levels")
        lab.observe(lambda _: self.leave(), ["levels", "result"])
        self.say()

    def say(self) -> None:
        """Say all words, in the language that is set."""
        names = {"image": tr("forward.image"), "seed": tr("forward.seed")}
        strip = {each: tr(f"forward.{each}") for each in STRIP}
        self.report.say(ORDER, names, words=strip)
        self._show_views()

    def kept(self) -> str:
        """Return HTML of the picture, and of rows of it: noised, and without the noise again."""
        levels = self.lab.levels
        if not levels:
            return kept_words(self.name, None)
        reach = f"t {levels[0].seen.t:.0f} … {levels[-1].seen.t:.0f}"
        parts = [kept_picture(self.lab.picture, tr("forward.original"), tr("forward.original"))]
        for name in ("noised", "once", "steps"):
            frames = [each for each in self._frames(name) if each is not None]
            if frames:
                said = f"{tr(f'forward.{name}')}, {reach}"
                style = "width:100%;max-width:576px;border-radius:4px"
                parts.append(f"<div>{said}<br>{image_html(row(frames, KEPT), said, style)}</div>")
        return "".join(parts) + self.kept_text()

    def kept_text(self) -> str:
        """Return HTML of its words alone."""
        return kept_words(self.name, self.lab.result)

    def failed(self, error: SdnbError) -> None:
        """Show what a message led to."""
        self.report.failed(error)

    def _frames(self, name: str) -> list[Image | None]:
        levels = self.lab.levels
        if name == "steps":
            return [None if each.run is None else each.run.images[0] for each in levels]
        return [each.seen.decoded["x" if name == "noised" else "x0"] for each in levels]

    def _show_views(self) -> None:
        grids = self.lab.grids
        if grids is None:
            return
        ends = tr("latents.low"), tr("latents.high")
        maps = grids_shown(grids, DIVERGING, ends, self._row)
        self.surface.show(
            views=[self._facts(), self._pictures(), self._curve(), self._sums(), maps],
            data=b"".join(each.data for each in grids.rows),
        )

    def _facts(self) -> dict[str, object]:
        named = ("t", "sigma", "snr", "alpha", "correlation", "mse")
        return {
            "kind": "facts",
            "name": "facts",
            "labels": [tr(f"forward.{name}") for name in named],
            "steps": [[*map(_number, _figures(each))] for each in self.lab.levels],
        }

    def _pictures(self) -> dict[str, object]:
        pictures = [_picture("original", [self.lab.picture], [""])]
        captions = {
            "noised": [tr("forward.scaled")] * len(self.lab.levels),
            "once": [tr("forward.off", rms=_number(each.missed)) for each in self.lab.levels],
            "steps": [_made(each) for each in self.lab.levels],
        }
        pictures += [_picture(name, self._frames(name), said) for name, said in captions.items()]
        view = {"kind": "pictures", "name": "pictures", "empty": tr("forward.not_made")}
        return {**view, "pictures": pictures}

    def _curve(self) -> dict[str, object]:
        levels = self.lab.levels
        xs = [each.seen.t for each in levels]
        curves = {
            "correlation": ([each.correlation for each in levels], PALETTE[0], "solid"),
            "error": ([each.seen.error for each in levels], PALETTE[1], "dash"),
        }
        heights = [y for ys, *_ in curves.values() for y in ys]
        return {
            "kind": "curve",
            "name": "curve",
            "title": tr("forward.curve"),
            "x": {"from": 0, "to": xs[-1], "label": tr("forward.t")},
            "y": {"from": min(0, *heights), "to": 1.05 * max(1, *heights), "label": ""},
            "lines": [
                {"label": tr(f"forward.{name}"), "xs": xs, "ys": ys, "colour": colour, "dash": dash}
                for name, (ys, colour, dash) in curves.items()
            ],
            "said": [
                tr(
                    "forward.said",
                    t=f"{each.seen.t:.0f}",
                    correlation=_number(each.correlation),
                    error=_number(each.seen.error),
                )
                for each in levels
            ],
        }

    def _sums(self) -> dict[str, object]:
        return {
            "kind": "sums",
            "name": "sums",
            "title": tr("forward.numbers"),
            "caption": tr("forward.numbers_of"),
            "colours": [list(stop) for stop in DIVERGING],
            "sums": [
                {
                    "terms": [
                        {"name": each, "label": tr(f"forward.term_{each}")} for each in terms
                    ],
                    "signs": signs,
                }
                for terms, signs in SUMS
            ],
            "steps": [each.numbers for each in self.lab.levels],
        }

    def _row(self, row: "sdnb.labs.grids.Row") -> dict[str, object]:
        label = tr(f"forward.row_{row.name}")
        notes = [
            tr("latents.note", spread=spread_text(*figures), limit=f"{row.limit:g}")
            for figures in row.figures
            if figures is not None
        ]
        alts = [tr("latents.channel", part=label, channel=i) for i in range(row.tiles)]
        return {"label": label, "alts": alts, "notes": notes}


def _picture(name: str, frames: "list[Image | None]", captions: list[str]) -> dict[str, object]:
    """Return a picture, for each step where there are several; None: not made."""
    label = tr(f"forward.{name}")
    steps = [
        {
            "source": "" if frame is None else data_url(jpeg(frame, widest=WIDEST)),
            "alt": f"{label} {caption}".strip(),
            "caption": caption,
        }
        for frame, caption in zip(frames, captions, strict=True)
    ]
    return {"label": label, **steps[0], "steps": steps if len(steps) > 1 else []}


def _figures(level: "sdnb.labs.noise_level.Level") -> tuple[float, ...]:
    seen = level.seen
    return (seen.t, seen.sigma, level.snr, level.alpha_cumprod, level.correlation, seen.error)


def _made(level: "sdnb.labs.noise_level.Level") -> str:
    return "" if level.run is None else tr("forward.made", steps=level.run.trace.steps)


def _number(value: float) -> str:
    """Write a number in three figures, or whole where it has more."""
    text = f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return text.replace("-", "−")
