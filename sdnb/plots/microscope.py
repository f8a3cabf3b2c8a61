"""How wrong a network is, by how noisy a picture it was shown."""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor

from sdnb.plots.figure import Figure
from sdnb.plots.theme import INK, PALETTE, page, rounded


def plot_error_curve(timesteps: Sequence[float], errors: Float[Tensor, " N"]) -> Figure:
    """Draw the error of the predicted noise over the timestep, as `sdnb.error_curve` gives it.

    The dotted line at 1 is the error of a network that says nothing: noise has unit variance.
    """
    figure = Figure()
    figure.add_scatter(
        x=rounded(timesteps),
        y=rounded(errors.tolist(), 4),
        mode="lines+markers",
        line={"color": PALETTE[0], "width": 2},
        marker={"color": PALETTE[0], "size": 8},
        hovertemplate="t %{x:.0f}: error %{y:.3g}<extra></extra>",
    )
    figure.add_hline(y=1, line={"color": INK, "width": 1, "dash": "dot"})
    figure.update_xaxes(title_text="t (training steps)")
    figure.update_yaxes(title_text="mean squared error (noise = 1)", type="log", dtick=1)
    page(
        figure,
        title="Error of the predicted noise",
        alt=f"Error of the predicted noise over {len(timesteps)} timesteps, "
        f"from {float(errors[0]):.2g} at t {timesteps[0]:.0f} "
        f"to {float(errors[-1]):.2g} at t {timesteps[-1]:.0f}",
        height=380,
    )
    return figure
