"""The figure that every plot returns: plotly's, which draws itself offline everywhere.

JupyterLab takes plotly's own form and draws it with the renderer that comes with plotly. All
others - a saved notebook on a code host, HTML or PDF made of it - find a small SVG, in HTML with
its alternative text: an SVG alone loses its words there.
"""

import json
from base64 import b64encode
from html import escape
from typing import Any

import plotly.graph_objects as go

from sdnb.errors import InvalidField
from sdnb.i18n import tr
from sdnb.plots.static import to_svg

PLOTLY = "application/vnd.plotly.v1+json"
CONFIG = {"displaylogo": False}  # "responsive" lets the height collapse when the page changes


class Figure(go.Figure):  # type: ignore[misc]  # plotly has no types
    """A plotly figure that publishes its data and a picture, and asks no network.

    Everything that can be done with ``plotly.graph_objects.Figure`` can be done with it.
    """

    # IPython would ask these first: plotly's own follow a global setting, and load its script
    # from another machine.
    _ipython_display_ = None
    _repr_html_ = None

    @property
    def alt(self) -> str:
        """What the figure shows, in words."""
        meta, title = self.layout.meta or {}, self.layout.title.text
        return str(meta.get("alt") or title or tr("plots.nameless"))

    # IPython's display protocol: it passes what it wants included and excluded.
    def _repr_mimebundle_(self, *_wishes: Any, **_more: Any) -> dict[str, Any]:
        """Return plotly's form, a line of text, and an SVG where `to_svg` can draw one."""
        data = {**json.loads(self.to_json(validate=False)), "config": CONFIG}
        bundle = {PLOTLY: data, "text/plain": f"<Figure: {self.alt}>"}
        try:
            svg = to_svg(self)
        except InvalidField:  # a kind of trace that has no still picture, such as a surface
            return bundle
        source = f"data:image/svg+xml;base64,{b64encode(svg.encode()).decode()}"
        html = f'<img alt="{escape(self.alt)}" src="{source}" style="max-width:100%">'
        return {**bundle, "image/svg+xml": svg, "text/html": html}
