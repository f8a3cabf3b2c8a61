"""Latents on their way: the film of a run, its channels, their distribution, their path."""

from collections.abc import Sequence
from html import escape
from math import exp, pi, sqrt
from typing import TYPE_CHECKING

from jaxtyping import Float
from plotly.subplots import make_subplots
from torch import Tensor

from sdnb.i18n import tr
from sdnb.plots.figure import Figure
from sdnb.plots.sheet import Sheet
from sdnb.plots.theme import PALETTE, page, rounded, run_marks
from sdnb.result import spread_text

if TYPE_CHECKING:
    import sdnb.comparison.latents

DIVERGING = ((0.0, "rgb(0,114,178)"), (0.5, "rgb(247,247,247)"), (1.0, "rgb(213,94,0)"))
"""Colours of values on both sides of 0: blue below, orange above."""


def plot_film(frames: "Sequence[sdnb.comparison.latents.Frame]") -> Figure:
    """Draw pictures of a run side by side, each with its step and level."""
    width, height = frames[0].image.size
    sheet = Sheet.of(len(frames), ratio=height / width, lines=2)
    figure = Figure()
    captions = [
        tr("latents.frame", step=frame.step, sigma=f"{frame.sigma:.3g}") for frame in frames
    ]
    sheet.write(figure, captions)
    pictures = [sheet.picture(index, frame.image) for index, frame in enumerate(frames)]
    figure.update_layout(images=pictures)
    first, last = frames[0], frames[-1]
    sheet.page(
        figure,
        title=tr("latents.film"),
        alt=tr(
            "latents.film_alt",
            count=len(frames),
            first=first.step,
            begin=f"{first.sigma:.3g}",
            last=last.step,
            end=f"{last.sigma:.3g}",
        ),
    )
    return figure


def plot_channels(
    latents: Float[Tensor, "C h w"], *, title: str = "", names: Sequence[str] = ()
) -> Figure:
    """Draw each channel of an image's latents as a picture, on one scale around 0.

    Under each: its name, else its number; mean and standard deviation.
    """
    channels, height, width = latents.shape
    title = title or tr("latents.plot_title")
    names = names or [tr("latents.plot_channel", index=index) for index in range(channels)]
    sheet = Sheet.of(channels, ratio=height / width, lines=2)
    limit = float(f"{float(latents.abs().max()):.2g}") or 1.0
    figure = Figure()
    shown = [escape(name, quote=False) for name in names]
    for index, (name, channel) in enumerate(zip(shown, latents, strict=True)):
        xs, ys = sheet.cells(index, width, height)
        figure.add_heatmap(
            x=xs,
            y=ys,
            z=[rounded(row, 3) for row in channel.tolist()],
            zmin=-limit,
            zmax=limit,
            colorscale=DIVERGING,
            showscale=index == 0,
            colorbar={"title": {"text": tr("latents.value")}, "thickness": 12},
            hovertemplate="%{meta}: %{z:.3g}<extra></extra>",
            meta=name,
        )
    captions = [
        f"{name}<br>{spread_text(float(channel.mean()), float(channel.std()))}"
        for name, channel in zip(shown, latents, strict=True)
    ]
    sheet.write(figure, captions)
    sheet.page(figure, title=title, alt=tr("latents.channels_alt", title=title, count=channels))
    return figure


def plot_histograms(histograms: "Sequence[sdnb.comparison.latents.Histogram]") -> Figure:
    """Draw how latents are distributed at some levels, each beside the unit Gaussian."""
    titles = [f"σ {each.sigma:.3g}: {spread_text(each.mean, each.std)}" for each in histograms]
    figure = Figure(
        make_subplots(
            rows=1,
            cols=len(histograms),
            subplot_titles=titles,
            shared_yaxes=True,
            horizontal_spacing=0.03,
        )
    )
    for column, each in enumerate(histograms, 1):
        _add_histogram(figure, each, column)
    figure.update_annotations(font_size=12)
    figure.update_yaxes(title_text=tr("latents.plot_density"), row=1, col=1)
    levels = ", ".join(f"{each.sigma:.3g}" for each in histograms)
    page(
        figure,
        title=tr("latents.histograms"),
        alt=tr("latents.histograms_alt", levels=levels),
        height=320,
    )
    figure.update_layout(bargap=0)
    return figure


def _add_histogram(figure: Figure, each: "sdnb.comparison.latents.Histogram", column: int) -> None:
    centres = rounded(each.centres)
    figure.add_bar(
        x=centres,
        y=rounded(each.density, 3),
        name=tr("latents.values"),
        marker_color=PALETTE[5],
        hovertemplate="%{x:.2f}: %{y:.3f}<extra></extra>",
        showlegend=column == 1,
        row=1,
        col=column,
    )
    figure.add_scatter(
        x=centres,
        y=rounded([exp(-(x**2) / 2) / sqrt(2 * pi) for x in centres], 3),
        name=tr("latents.gaussian"),
        mode="lines",
        line={"color": PALETTE[1], "width": 2},
        hoverinfo="skip",
        showlegend=column == 1,
        row=1,
        col=column,
    )
    figure.update_xaxes(title_text="x / √(1 + σ²)", tickvals=[-4, -2, 0, 2, 4], row=1, col=column)


def plot_trajectories(projection: "sdnb.comparison.latents.Projection") -> Figure:
    """Draw runs as paths on two axes, laid over each other; a ring is a start, a star an end.

    A unit is as long on one axis as on the other: distances can be compared.
    """
    figure = Figure()
    names = [each.name for each in projection.trajectories]
    place = tr("latents.place", step="%{customdata[0]}", sigma="%{customdata[1]}")
    for path, mark in zip(projection.trajectories, run_marks(names), strict=True):
        xs, ys = zip(*path.points, strict=True)
        last = len(path.points) - 1
        figure.add_scatter(
            x=rounded(xs, 4),
            y=rounded(ys, 4),
            name=path.name,
            mode="lines+markers",
            line=mark.line,
            marker={
                "color": mark.colour,
                "symbol": ["circle-open", *[mark.symbol] * (last - 1), "star"],
                "size": [12, *[6] * (last - 1), 14],
                "line": {"width": 0},
                "opacity": 1,
            },
            customdata=[[step, float(f"{s:.4g}")] for step, s in enumerate(path.sigmas)],
            hovertemplate=f"<b>%{{fullData.name}}</b>, {place}<extra></extra>",
            showlegend=True,
        )
    first, second = (f"{100 * share:.0f}" for share in projection.shares)
    figure.update_xaxes(title_text=tr("latents.first_axis", share=first))
    figure.update_yaxes(title_text=tr("latents.second_axis", share=second), scaleanchor="x")
    page(
        figure,
        title=tr("latents.paths"),
        alt=tr("latents.paths_alt", names=", ".join(names)),
        height=480,
    )
    return figure
