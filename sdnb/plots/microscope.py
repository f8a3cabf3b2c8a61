"""How wrong a network is, by how noisy a picture it was shown."""

from collections.abc import Mapping, Sequence

from jaxtyping import Float
from torch import Tensor

from sdnb.errors import InvalidField
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
    figure = Figure()
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
            hovertemplate="<b>%{fullData.name}</b>, t %{x:.0f}: error %{y:.3g}<extra></extra>",
        )
    figure.add_hline(y=1, line={"color": INK, "width": 1, "dash": "dot"})
    figure.update_xaxes(title_text="t (training steps)")
    figure.update_yaxes(title_text="mean squared error (noise = 1)", type="log", dtick=1)
    first, last = timesteps[0], timesteps[-1]
    ends = [
        f"{name}: {float(curve[0]):.2g} at t {first:.0f}, {float(curve[-1]):.2g} at t {last:.0f}"
        for name, curve in errors.items()
    ]
    page(
        figure,
        title="Error of the predicted noise",
        alt=f"Error of the predicted noise over {len(timesteps)} timesteps. {'; '.join(ends)}",
        height=380,
    )
    return figure


def _check(timesteps: Sequence[float], errors: Mapping[str, Float[Tensor, " _"]]) -> None:
    counts = {name: len(curve) for name, curve in errors.items()}
    if not counts or not timesteps or set(counts.values()) != {len(timesteps)}:
        raise InvalidField(
            "each curve has an error for each timestep.",
            given=f"{len(timesteps)} timesteps, {counts or 'no curve'}",
            allowed="one curve or more, each as long as the timesteps",
            fix='plot_error_curve(timesteps, {"tiny": errors}), of error_curve',
        )
