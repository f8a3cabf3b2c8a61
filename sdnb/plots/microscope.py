"""How wrong a network is, by how noisy a picture it was shown."""

from collections.abc import Mapping, Sequence

from jaxtyping import Float
from torch import Tensor

from sdnb.errors import InvalidField
from sdnb.i18n import tr
from sdnb.plots.figure import Figure
from sdnb.plots.theme import INK, page, place_mark, rounded


def plot_error_curve(
    timesteps: Sequence[float], errors: Mapping[str, Float[Tensor, " N"]]
) -> Figure:
    """Draw errors of the predicted noise over the timestep, as `error_curve` gives them.

    The dotted line at 1 is the error of a network that says nothing: noise has unit variance.

    Parameters
    ----------
    errors : Mapping of str to Tensor [N]
        A curve for each checkpoint, by its name, at the same N timesteps.

    Raises
    ------
    InvalidField
        Where there is no curve, or one that has not an error for each timestep.
    """
    _check(timesteps, errors)
    figure, point = Figure(), tr("microscope.point", t="%{x:.0f}", error="%{y:.3g}")
    for place, (name, curve) in enumerate(errors.items()):
        mark = place_mark(place)
        figure.add_scatter(
            x=rounded(timesteps),
            y=rounded(curve.tolist(), 4),
            name=name,
            mode="lines+markers",
            line=mark.line,
            marker=mark.marker,
            showlegend=True,
            hovertemplate=f"<b>%{{fullData.name}}</b>, {point}<extra></extra>",
        )
    figure.add_hline(y=1, line={"color": INK, "width": 1, "dash": "dot"})
    figure.update_xaxes(title_text=tr("plots.t"))
    figure.update_yaxes(title_text=tr("microscope.error"), type="log", dtick=1)
    alt = error_curve_alt(timesteps, errors)
    page(figure, title=tr("microscope.title"), alt=alt, height=380)
    return figure


def error_curve_alt(timesteps: Sequence[float], errors: Mapping[str, Float[Tensor, " N"]]) -> str:
    """Say in words what `plot_error_curve` draws."""
    ends = "; ".join(_ends(name, curve, timesteps) for name, curve in errors.items())
    return tr("microscope.alt", count=len(timesteps), ends=ends)


def _ends(name: str, curve: Float[Tensor, " N"], timesteps: Sequence[float]) -> str:
    """Say where a curve begins and ends."""
    return tr(
        "microscope.ends",
        name=name,
        first=f"{float(curve[0]):.2g}",
        begin=f"{timesteps[0]:.0f}",
        last=f"{float(curve[-1]):.2g}",
        end=f"{timesteps[-1]:.0f}",
    )


def _check(timesteps: Sequence[float], errors: Mapping[str, Float[Tensor, " _"]]) -> None:
    counts = {name: len(curve) for name, curve in errors.items()}
    if not counts or not timesteps or set(counts.values()) != {len(timesteps)}:
        raise InvalidField(
            "each curve has an error for each timestep.",
            given=f"{len(timesteps)} timesteps, {counts or 'no curve'}",
            allowed="one curve or more, each as long as the timesteps",
            fix='plot_error_curve(timesteps, {"tiny": errors}), of error_curve',
        )
