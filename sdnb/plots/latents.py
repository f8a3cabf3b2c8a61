"""Latents on their way: the film of a run, its channels, their distribution, their path."""

from collections.abc import Sequence
from math import exp, pi, sqrt
from typing import TYPE_CHECKING

from jaxtyping import Float
from plotly.subplots import make_subplots
from torch import Tensor

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
    sheet.write(figure, [f"step {frame.step}<br>σ {frame.sigma:.3g}" for frame in frames])
    pictures = [sheet.picture(index, frame.image) for index, frame in enumerate(frames)]
    figure.update_layout(images=pictures)
    first, last = frames[0], frames[-1]
    sheet.page(
        figure,
        title="The model's estimate of the clean picture, step by step",
        alt=f"{len(frames)} pictures of a run, from step {first.step} at sigma {first.sigma:.3g} "
        f"to step {last.step} at sigma {last.sigma:.3g}",
    )
    return figure


def plot_channels(latents: Float[Tensor, "C h w"], *, title: str = "Latents") -> Figure:
    """Draw each channel of an image's latents as a picture, on one scale around 0.

    Under each: mean and standard deviation.
    """
    channels, height, width = latents.shape
    sheet = Sheet.of(channels, ratio=height / width, lines=2)
    limit = float(f"{float(latents.abs().max()):.2g}") or 1.0
    figure = Figure()
    for index, channel in enumerate(latents):
        xs, ys = sheet.cells(index, width, height)
        figure.add_heatmap(
            x=xs,
            y=ys,
            z=[rounded(row, 3) for row in channel.tolist()],
            zmin=-limit,
            zmax=limit,
            colorscale=DIVERGING,
            showscale=index == 0,
            colorbar={"title": {"text": "value"}, "thickness": 12},
            hovertemplate=f"channel {index}: %{{z:.3g}}<extra></extra>",
        )
    captions = [
        f"channel {index}<br>{spread_text(float(channel.mean()), float(channel.std()))}"
        for index, channel in enumerate(latents)
    ]
    sheet.write(figure, captions)
    sheet.page(figure, title=title, alt=f"{title}: {channels} channels as pictures")
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
    figure.update_yaxes(title_text="density (share per deviation)", row=1, col=1)
    levels = ", ".join(f"{each.sigma:.3g}" for each in histograms)
    page(
        figure,
        title="Latents, scaled to what the network is shown, beside the unit Gaussian",
        alt=f"Histograms of scaled latents at sigma {levels}, each with the unit Gaussian",
        height=320,
    )
    figure.update_layout(bargap=0)
    return figure


def _add_histogram(figure: Figure, each: "sdnb.comparison.latents.Histogram", column: int) -> None:
    centres = rounded(each.centres)
    figure.add_bar(
        x=centres,
        y=rounded(each.density, 3),
        name="latents",
        marker_color=PALETTE[5],
        hovertemplate="%{x:.2f}: %{y:.3f}<extra></extra>",
        showlegend=column == 1,
        row=1,
        col=column,
    )
    figure.add_scatter(
        x=centres,
        y=rounded([exp(-(x**2) / 2) / sqrt(2 * pi) for x in centres], 3),
        name="unit Gaussian",
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
            hovertemplate="<b>%{fullData.name}</b>, step %{customdata[0]}, "
            "σ %{customdata[1]}<extra></extra>",
            showlegend=True,
        )
    first, second = (f"{100 * share:.0f} % of the variance" for share in projection.shares)
    figure.update_xaxes(title_text=f"first axis ({first})")
    figure.update_yaxes(title_text=f"second axis ({second})", scaleanchor="x")
    page(
        figure,
        title="Paths of the latents on two axes, from noise (ring) to picture (star)",
        alt=f"Paths of the latents on two axes: {', '.join(names)}",
        height=480,
    )
    return figure
