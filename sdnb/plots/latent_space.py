"""The latent space as pictures: a round trip through the VAE, its cost, ways and lengths.

Latents of a run on its way are drawn in `sdnb.plots.latents`.
"""

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING

from sdnb.i18n import tr
from sdnb.plots.figure import Figure
from sdnb.plots.latents import DIVERGING
from sdnb.plots.sheet import Sheet
from sdnb.plots.theme import INK, page, place_mark, rounded
from sdnb.result import spread_text

if TYPE_CHECKING:
    import sdnb.comparison.latent_space

_FINEST = 96
"""Cells along a side of an error map: more are not seen."""


def plot_round_trip(trip: "sdnb.comparison.latent_space.RoundTrip") -> Figure:
    """Draw a picture, the channels of its latents, the picture decoded, and the error.

    Channels share one scale around 0. The error, 0 … 1, is scaled to its own maximum, which
    stands under it.
    """
    latents = trip.latents[0]
    count, width = latents.shape[0] + 3, trip.picture.width
    sheet = Sheet.of(count, ratio=trip.picture.height / width, lines=2)
    figure = Figure()
    limit = float(f"{float(latents.abs().max()):.2g}") or 1.0
    names = [tr("latents.plot_channel", index=index) for index in range(len(latents))]
    for index, (name, channel) in enumerate(zip(names, latents, strict=True), 1):
        xs, ys = sheet.cells(index, channel.shape[1], channel.shape[0])
        figure.add_heatmap(
            x=xs,
            y=ys,
            z=[rounded(row, 3) for row in channel.tolist()],
            zmin=-limit,
            zmax=limit,
            colorscale=DIVERGING,
            showscale=index == 1,
            colorbar={"title": {"text": tr("latents.value")}, "thickness": 12},
            hovertemplate=f"{name}: %{{z:.3g}}<extra></extra>",
        )
    peak = _add_error(figure, sheet, count - 1, trip)
    spreads = [spread_text(float(each.mean()), float(each.std())) for each in latents]
    captions = [
        tr("latent_space.picture", width=width, height=trip.picture.height),
        *[f"{name}<br>{spread}" for name, spread in zip(names, spreads, strict=True)],
        tr("latent_space.decoded", psnr=f"{trip.psnr:.1f}"),
        tr("latent_space.error", peak=f"{peak:.2f}"),
    ]
    sheet.write(figure, captions)
    pictures = [sheet.picture(0, trip.picture), sheet.picture(count - 2, trip.decoded)]
    figure.update_layout(images=pictures)
    sheet.page(
        figure,
        title=tr("latent_space.round_trip", ratio=f"{trip.compression.ratio:g}"),
        alt=_told(trip),
    )
    return figure


def plot_sizes(
    costs: "Sequence[sdnb.comparison.latent_space.SizeCost]", latent: int, size: int
) -> Figure:
    """Draw the time of one question to the network over the side of what it is shown.

    Parameters
    ----------
    latent, size : int
        The sides of the latents and of the picture: the two sizes that matter.
    """
    mark, figure = place_mark(0), Figure()
    asked = tr("latent_space.asked", side="%{x}", seconds="%{y:.3g}")
    figure.add_scatter(
        x=[cost.side for cost in costs],
        y=rounded([cost.seconds for cost in costs], 3),
        mode="lines+markers",
        line=mark.line,
        marker=mark.marker,
        hovertemplate=f"{asked}<extra></extra>",
        showlegend=False,
    )
    for side, name in ((latent, tr("latents.values")), (size, tr("latent_space.pixels"))):
        figure.add_vline(x=side, line={"color": INK, "width": 1, "dash": "dot"})
        figure.add_annotation(
            x=side, y=1, xref="x", yref="paper", xanchor="left", text=name, showarrow=False
        )
    sides = [cost.side for cost in costs]
    figure.update_xaxes(
        title_text=tr("latent_space.side"),
        tickvals=sorted({*sides, latent, size}),
        range=[0, size * 1.1],
    )
    figure.update_yaxes(title_text=tr("latent_space.seconds"), rangemode="tozero")
    told = ", ".join(f"{cost.side}: {cost.seconds:.3g} s" for cost in costs)
    page(
        figure,
        title=tr("latent_space.sizes"),
        alt=tr("latent_space.sizes_alt", told=told),
        height=340,
    )
    return figure


def plot_lengths(ways: Mapping[str, Sequence[float]]) -> Figure:
    """Draw how long the points of ways are, from one end to the other; 1 is unit noise.

    Parameters
    ----------
    ways : Mapping of str to sequence of float
        Root mean squares by the way's name, evenly spaced.
    """
    figure = Figure()
    point = tr("latent_space.length", share="%{x:.2f}", length="%{y:.3f}")
    for place, (name, values) in enumerate(ways.items()):
        mark = place_mark(place)
        figure.add_scatter(
            x=rounded([i / (len(values) - 1) for i in range(len(values))], 3),
            y=rounded(values, 4),
            name=escape(name, quote=False),
            mode="lines+markers",
            line=mark.line,
            marker=mark.marker,
            hovertemplate=f"<b>%{{fullData.name}}</b>, {point}<extra></extra>",
            showlegend=True,
        )
    figure.update_xaxes(title_text=tr("latent_space.share"))
    figure.update_yaxes(title_text=tr("latent_space.rms"), rangemode="tozero")
    told = "; ".join(
        tr("latent_space.at_least", name=name, length=f"{min(values):.2f}")
        for name, values in ways.items()
    )
    page(
        figure,
        title=tr("latent_space.lengths"),
        alt=tr("latent_space.lengths_alt", told=told),
        height=340,
    )
    return figure


def _told(trip: "sdnb.comparison.latent_space.RoundTrip") -> str:
    counted = trip.compression
    return tr(
        "latent_space.round_trip_alt",
        pixels="×".join(map(str, counted.pixels)),
        many=counted.values[0],
        latents="×".join(map(str, counted.latents)),
        few=counted.values[1],
        ratio=f"{counted.ratio:g}",
        psnr=f"{trip.psnr:.1f}",
    )


def _add_error(
    figure: Figure, sheet: Sheet, index: int, trip: "sdnb.comparison.latent_space.RoundTrip"
) -> float:
    """Draw the error of each place, of large pictures the mean of several; return the largest."""
    every = max(1, -(-max(trip.error.shape) // _FINEST))
    height, width = (max(every, side // every * every) for side in trip.error.shape)
    blocks = trip.error[:height, :width].unflatten(1, (-1, every)).unflatten(0, (-1, every))
    error = blocks.mean(dim=(1, 3))
    peak = float(error.max())
    missed = tr("latent_space.missed", error="%{z:.3f}")
    xs, ys = sheet.cells(index, error.shape[1], error.shape[0])
    figure.add_heatmap(
        x=xs,
        y=ys,
        z=[rounded(row, 2) for row in error.tolist()],
        zmin=0.0,
        zmax=peak or 1.0,
        colorscale="Viridis",
        showscale=False,
        hovertemplate=f"{missed}<extra></extra>",
    )
    return peak
