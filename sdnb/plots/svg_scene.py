"""Points in space as a still picture shows them: plotly's first camera, no perspective."""

from collections.abc import Sequence
from math import sqrt
from typing import Any

from sdnb.plots.svg_axes import Plotted
from sdnb.plots.svg_text import Number

EYE = (1.25, 1.25, 1.25)
"""Where plotly's camera stands unless somebody moves it; z is up."""

_DEEP = "scatter3d"
_HIDDEN = {"visible": False}


def flattened(values: dict[str, Any]) -> dict[str, Any]:
    """Return a figure with its points in space drawn in the plane, and the three axes as lines.

    Figures without such points are returned as they are.
    """
    deep = [trace for trace in values["data"] if trace.get("type") == _DEEP]
    if not deep:
        return values
    flat = [_seen(trace) if trace.get("type") == _DEEP else trace for trace in values["data"]]
    hidden = {"xaxis": _HIDDEN, "yaxis": {**_HIDDEN, "scaleanchor": "x"}}
    layout = {**values["layout"], **hidden}
    return {**values, "data": [*_axes(deep, layout.get("scene") or {}), *flat], "layout": layout}


def view(x: Number, y: Number, z: Number) -> tuple[float, float]:
    """Return where a point is seen from `EYE`: to the right, and up."""
    ex, ey, ez = EYE
    across = sqrt(ex**2 + ey**2)
    whole = sqrt(across**2 + ez**2)
    return (ex * y - ey * x) / across, (z * across - (ex * x + ey * y) * ez / across) / whole


def _seen(trace: Plotted) -> Plotted:
    xs, ys, zs = (trace.get(key) or () for key in "xyz")
    places = [view(*point) for point in zip(xs, ys, zs, strict=False)]
    plain = {key: value for key, value in trace.items() if key not in ("z", "scene")}
    return {**plain, "type": "scatter", "x": [x for x, _ in places], "y": [y for _, y in places]}


def _axes(traces: Sequence[Plotted], scene: Plotted) -> list[Plotted]:
    """Draw the edges of the box that meet in its lowest corner, with their names."""
    bounds = [
        (min(values, default=0.0), max(values, default=1.0))
        for key in "xyz"
        for values in [[value for trace in traces for value in trace.get(key) or ()]]
    ]
    corner = [low for low, _ in bounds]
    found: list[Plotted] = []
    for i, key in enumerate("xyz"):
        end = [*corner[:i], bounds[i][1], *corner[i + 1 :]]
        places = [view(*point) for point in (corner, end)]
        title = ((scene.get(f"{key}axis") or {}).get("title") or {}).get("text") or key
        name = title.partition(" (")[0]  # there is no room for more
        found.append(
            {
                "type": "scatter",
                "x": [x for x, _ in places],
                "y": [y for _, y in places],
                "mode": "lines+text",
                "line": {"color": "#7a7a7a", "width": 1},
                "text": ["", name],
                "textposition": "middle center",
                "showlegend": False,
            }
        )
    return found
