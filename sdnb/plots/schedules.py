"""Which noise levels a schedule visits, and what the model's levels do to a picture."""

from collections.abc import Sequence
from itertools import pairwise
from math import log
from typing import TYPE_CHECKING, Any

from plotly.subplots import make_subplots

from sdnb.i18n import tr
from sdnb.plots.figure import Figure
from sdnb.plots.sheet import data_url
from sdnb.plots.theme import INK, PALETTE, SHADE, page, rounded, schedule_mark

if TYPE_CHECKING:
    import sdnb.comparison.schedules

_LEVEL = "σ %{customdata[0]:.4g} · t %{customdata[1]:.4g} · SNR %{customdata[2]:.3g}<extra></extra>"
_HEIGHTS = (0.3, 0.3, 0.22, 0.18)
_TITLES = ("plot_level", "timestep", "snr", "stride", "left", "snr_by_timestep", "shown")
"""Of the panels, from left to right and down, without their ``schedules.``."""

_LONGEST = 250
"""Points of a line over training's timesteps: more are not seen."""


def plot_schedules(
    curves: "Sequence[sdnb.comparison.schedules.ScheduleCurve]",
    noise: "sdnb.comparison.schedules.NoiseCurve",
) -> Figure:
    """Draw sigma schedules: level, timestep, log-SNR and step size, and the noise schedule below.

    Where the noise schedule comes with pictures, they stand at their timesteps. Grey: what the
    model was trained on.
    """
    rows = 4 if noise.pictures else 3
    shown = _TITLES if noise.pictures else _TITLES[:-1]
    figure = Figure(
        make_subplots(
            rows=rows,
            cols=2,
            specs=[[{}, {}]] * 3 + [[{"colspan": 2}, None]] * (rows - 3),
            row_heights=list(_HEIGHTS[:rows]),
            subplot_titles=[tr(f"schedules.{name}") for name in shown],
            vertical_spacing=0.085,
            horizontal_spacing=0.11,
        )
    )
    for curve in curves:
        _add_curve(figure, curve)
    _name_axes(figure)
    _mark_range(figure, noise)
    _add_noise(figure, noise)
    if noise.pictures:
        _add_pictures(figure, noise)
    names = ", ".join(curve.name for curve in curves)
    page(
        figure,
        title=tr("schedules.plot_title"),
        alt=tr("schedules.plot_alt", names=names),
        height=300 * rows - 60,
    )
    return figure


def _add_curve(figure: Figure, curve: "sdnb.comparison.schedules.ScheduleCurve") -> None:
    levels = curve.sigmas[:-1]  # the last is 0, which has no logarithm
    steps = list(range(len(curve.sigmas)))
    about = [
        [float(f"{part:.4g}") for part in (sigma, t, sigma**-2)]
        for sigma, t in zip(levels, curve.timesteps, strict=False)
    ]
    mark, place = schedule_mark(curve.name), tr("schedules.place", step="%{x}")
    values = {
        (1, 1): rounded(levels),
        (1, 2): rounded(curve.timesteps[:-1]),
        (2, 1): rounded([-2 * log(sigma) for sigma in levels]),
        (2, 2): rounded([high - low for high, low in pairwise(curve.sigmas)]),
    }
    for (row, col), y in values.items():
        figure.add_scatter(
            x=steps[: len(y)],
            y=y,
            name=curve.name,
            mode="lines+markers",
            line=mark.line,
            marker={**mark.marker, "size": 5},
            customdata=about,
            hovertemplate=f"<b>%{{fullData.name}}</b>, {place}<br>{_LEVEL}",
            legendgroup=curve.name,
            showlegend=(row, col) == (1, 1),
            row=row,
            col=col,
        )


def _name_axes(figure: Figure) -> None:
    for row in (1, 2):
        for col in (1, 2):
            figure.update_xaxes(title_text=tr("schedules.steps"), row=row, col=col)
    logarithmic: dict[str, object] = {"type": "log", "dtick": 1}
    named: dict[tuple[int, int], tuple[str, dict[str, object]]] = {
        (1, 1): ("schedules.plot_sigma", logarithmic),
        (1, 2): ("plots.t", {}),
        (2, 1): ("schedules.ln_snr", {}),
        (2, 2): ("schedules.sigma_stride", logarithmic),
        (3, 1): ("schedules.alpha", {}),
        (3, 2): ("schedules.snr_ratio", logarithmic),
    }
    for (row, col), (key, options) in named.items():
        figure.update_yaxes(title_text=tr(key), row=row, col=col, **options)
    for col in (1, 2):
        figure.update_xaxes(title_text=tr("plots.t"), row=3, col=col)


def _mark_range(figure: Figure, noise: "sdnb.comparison.schedules.NoiseCurve") -> None:
    low, high = noise.sigmas[0], noise.sigmas[-1]
    ranges = {
        (1, 1): (low, high),
        (1, 2): (0, len(noise.sigmas) - 1),
        (2, 1): (-2 * log(high), -2 * log(low)),
    }
    for (row, col), (y0, y1) in ranges.items():
        figure.add_hrect(
            y0=y0,
            y1=y1,
            fillcolor=SHADE,
            line={"width": 1, "dash": "dot", "color": INK},
            layer="below",
            row=row,
            col=col,
        )


def _add_noise(figure: Figure, noise: "sdnb.comparison.schedules.NoiseCurve") -> None:
    every = max(1, len(noise.sigmas) // _LONGEST)
    shown = sorted({*range(0, len(noise.sigmas), every), len(noise.sigmas) - 1})
    values = {1: noise.alphas_cumprod, 2: [sigma**-2 for sigma in noise.sigmas]}
    about = [
        [float(f"{part:.4g}") for part in (noise.sigmas[t], t, noise.sigmas[t] ** -2)]
        for t in shown
    ]
    for col, column in values.items():
        figure.add_scatter(
            x=shown,
            y=rounded([column[t] for t in shown]),
            mode="lines",
            line={"color": PALETTE[0], "width": 2},
            customdata=about,
            hovertemplate=_LEVEL,
            showlegend=False,
            row=3,
            col=col,
        )


def _add_pictures(figure: Figure, noise: "sdnb.comparison.schedules.NoiseCurve") -> None:
    total, count = len(noise.sigmas), len(noise.pictures)
    figure.add_scatter(  # for the hover: a picture has none
        x=[each.t for each in noise.pictures],
        y=[0.5] * count,
        mode="markers",
        marker={"size": 40, "color": "rgba(0,0,0,0)"},
        customdata=[[each.sigma, each.t, each.sigma**-2] for each in noise.pictures],
        hovertemplate=_LEVEL,
        showlegend=False,
        row=4,
        col=1,
    )
    labels = [f"{each.t}<br>σ {each.sigma:.2f}" for each in noise.pictures]
    figure.update_xaxes(
        title_text=tr("schedules.t_and_sigma"),
        range=[0, total],
        tickvals=[each.t for each in noise.pictures],
        ticktext=labels,
        row=4,
        col=1,
    )
    figure.update_yaxes(range=[0, 1], visible=False, fixedrange=True, row=4, col=1)
    figure.update_layout(images=[_image(each, total / count) for each in noise.pictures])


def _image(noised: "sdnb.comparison.schedules.Noised", width: float) -> dict[str, Any]:
    return {
        "source": data_url(noised.image, 128),
        "xref": "x7",
        "yref": "y7",
        "x": noised.t,
        "y": 0.5,
        "sizex": 0.97 * width,
        "sizey": 1,
        "xanchor": "center",
        "yanchor": "middle",
    }
