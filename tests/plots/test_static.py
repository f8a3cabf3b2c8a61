import xml.etree.ElementTree as ElementTree
from base64 import b64decode
from collections.abc import Callable
from io import BytesIO
from math import log10

import numpy as np
import plotly.graph_objects as go
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from sdnb.errors import InvalidField
from sdnb.plots.figure import Figure
from sdnb.plots.static import to_svg
from tests.plots.conftest import SVG

Drawn = Callable[[Figure], ElementTree.Element]


def said(svg: ElementTree.Element) -> list[str]:
    return ["".join(element.itertext()) for element in svg.iter(f"{SVG}text")]


def points(svg: ElementTree.Element) -> list[list[float]]:
    """The places of the first line's points."""
    line = next(svg.iter(f"{SVG}polyline"))
    return [[float(part) for part in pair.split(",")] for pair in line.get("points", "").split()]


@settings(max_examples=40, deadline=None)
@given(st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Z")), min_size=1))
def test_any_text_is_drawn_as_text(text: str) -> None:
    # given
    figure = Figure(go.Scatter(x=[1, 2], y=[3, 4], name=text, mode="lines", showlegend=True))
    figure.update_layout(title_text=text, xaxis_title_text=text)
    figure.add_annotation(text=text, x=1, y=3, showarrow=False)
    # when / then
    ElementTree.fromstring(to_svg(figure))


def test_a_script_in_a_name_stays_a_name(drawn: Drawn) -> None:
    figure = Figure(go.Scatter(x=[1], y=[1], name="<script>alert(1)</script>", showlegend=True))
    svg = drawn(figure)
    assert not list(svg.iter(f"{SVG}script"))
    assert "<script>alert(1)</script>" in said(svg)


def test_an_attribute_cannot_be_escaped_from() -> None:
    figure = Figure(go.Scatter(x=[1, 2], y=[1, 2], mode="lines"))
    values = figure.to_plotly_json()
    values["data"][0]["line"] = {"color": 'red" onload="alert(1)'}
    figure.to_plotly_json = lambda: values
    line = next(ElementTree.fromstring(to_svg(figure)).iter(f"{SVG}polyline"))
    assert line.get("onload") is None


def test_sub_and_superscripts_and_lines_are_kept(drawn: Drawn) -> None:
    figure = Figure(layout_title_text="10<sup>−3</sup> of x<sub>0</sub><br><b>bold</b>")
    (title,) = drawn(figure).iter(f"{SVG}text")
    assert "".join(title.itertext()) == "10−3 of x0bold"
    assert any(part.get("font-weight") == "bold" for part in title.iter(f"{SVG}tspan"))


def test_a_log_axis_spaces_decades_evenly(drawn: Drawn) -> None:
    figure = Figure(go.Scatter(x=[1, 2, 3, 4], y=[1, 10, 100, 1000], mode="lines"))
    figure.update_yaxes(type="log")
    heights = [y for _, y in points(drawn(figure))]
    assert np.diff(heights) == pytest.approx([heights[1] - heights[0]] * 3, abs=0.2)
    assert heights == sorted(heights, reverse=True)


def test_what_a_log_axis_cannot_show_is_a_gap(drawn: Drawn) -> None:
    figure = Figure(go.Scatter(x=[1, 2, 3, 4, 5], y=[1, 10, 0, 5, None], mode="lines"))
    figure.update_yaxes(type="log")
    lines = [line.get("points", "") for line in drawn(figure).iter(f"{SVG}polyline")]
    assert [len(line.split()) for line in lines] == [2, 1]


def test_a_given_range_is_taken(drawn: Drawn) -> None:
    # given
    figure = Figure(go.Scatter(x=[0, 10], y=[1, 100], mode="lines"))
    figure.update_layout(width=400, height=300, margin={"l": 100, "r": 100, "t": 50, "b": 50})
    figure.update_yaxes(type="log", range=[0, log10(100)])
    figure.update_xaxes(range=[0, 10])
    # when / then
    assert points(drawn(figure)) == [[100, 250], [300, 50]]


def test_small_and_large_numbers_are_written_as_powers(drawn: Drawn) -> None:
    figure = Figure(go.Scatter(x=[1, 2], y=[1e-8, 1e8], mode="lines"))
    figure.update_yaxes(type="log")
    assert any(text.startswith("10−") for text in said(drawn(figure)))


def test_arrays_are_drawn_as_lists_are(drawn: Drawn) -> None:
    as_list = Figure(go.Scatter(x=[0, 1, 2], y=[0.0, 4.0, 1.0], mode="lines"))
    as_array = Figure(go.Scatter(x=np.arange(3), y=np.array([0.0, 4.0, 1.0]), mode="lines"))
    assert points(drawn(as_list)) == points(drawn(as_array))


def test_bars_begin_at_zero_and_are_as_long_as_their_values(drawn: Drawn) -> None:
    figure = Figure(go.Bar(x=["a", "b"], y=[2, 4]))
    inner = next(element for element in drawn(figure).iter(f"{SVG}svg") if element.get("x"))
    short, tall = (float(bar.get("height", 0)) for bar in inner.iter(f"{SVG}rect"))
    assert tall == pytest.approx(2 * short, rel=1e-3)


def test_stacked_bars_stand_on_each_other(drawn: Drawn) -> None:
    figure = Figure([go.Bar(x=["a"], y=[1]), go.Bar(x=["a"], y=[2])], layout_barmode="stack")
    bars = [bar for part in drawn(figure).findall(f"{SVG}svg") for bar in part.iter(f"{SVG}rect")]
    low, high = ([float(bar.get(key, 0)) for key in ("y", "height")] for bar in bars)
    assert high[0] + high[1] == pytest.approx(low[0], abs=0.02)


def test_a_heatmap_has_a_cell_for_each_value(drawn: Drawn) -> None:
    figure = Figure(go.Heatmap(z=[[1, 2, 3], [4, None, 6]], showscale=False))
    inner = drawn(figure).findall(f"{SVG}svg")[0]
    assert len(list(inner.iter(f"{SVG}rect"))) == 5


def test_a_colour_scale_runs_from_end_to_end(drawn: Drawn) -> None:
    figure = Figure(go.Heatmap(z=[[0.0, 1.0]], colorscale=[[0, "rgb(0,0,0)"], [1, "rgb(255,0,0)"]]))
    inner = drawn(figure).findall(f"{SVG}svg")[0]
    assert [cell.get("fill") for cell in inner.iter(f"{SVG}rect")] == ["#000000", "#ff0000"]


def test_a_colour_bar_says_what_its_colours_are(drawn: Drawn) -> None:
    # given
    bar = {"title": {"text": "value"}}
    figure = Figure(go.Heatmap(z=[[-2.0, 3.0]], colorbar=bar, zmin=-2.0, zmax=3.0))
    # when
    svg = drawn(figure)
    # then
    (title,) = (found for found in svg.iter(f"{SVG}text") if found.text == "value")
    tops = [float(part.get("y", 0)) for part in svg.iter(f"{SVG}rect") if part.get("width") == "12"]
    assert 0 < float(title.get("y", 0)) < min(tops)


def test_many_cells_are_one_picture_that_lies_as_plotly_draws_it(drawn: Drawn) -> None:
    # given
    z: list[list[float | None]] = [[0.0] * 6 for _ in range(5)]
    z[0][0], z[4][5] = 1.0, None
    black_to_red = [[0, "rgb(0,0,0)"], [1, "rgb(255,0,0)"]]
    figure = Figure(go.Heatmap(z=z, colorscale=black_to_red, opacity=0.5, showscale=False))
    # when
    (picture,) = drawn(figure).iter(f"{SVG}image")
    # then
    with Image.open(BytesIO(b64decode(picture.get("href", "").partition(",")[2]))) as image:
        assert image.size == (6, 5)
        assert image.getpixel((0, 4)) == (255, 0, 0, 255)  # y runs upwards
        assert image.getpixel((5, 0))[3] == 0
        assert image.getpixel((3, 3)) == (0, 0, 0, 255)
    assert "opacity:0.5" in picture.get("style", "")


@pytest.mark.parametrize("size", [(900, 300), (300, 900)])
def test_anchored_axes_have_units_of_one_length(drawn: Drawn, size: tuple[int, int]) -> None:
    # given
    figure = Figure(go.Scatter(x=[0, 3, 3], y=[0, 0, 3], mode="lines"))
    figure.update_layout(width=size[0], height=size[1])
    figure.update_xaxes(range=[0, 4])
    figure.update_yaxes(range=[0, 5], scaleanchor="x", constrain="domain")
    # when
    (start, right, up) = points(drawn(figure))
    # then
    assert right[0] - start[0] == pytest.approx(right[1] - up[1], abs=0.2)


def test_an_image_s_pixels_are_kept(drawn: Drawn) -> None:
    # given
    figure = Figure(go.Image(z=[[[255, 0, 0], [0, 255, 0]]]))
    # when
    (picture,) = drawn(figure).iter(f"{SVG}image")
    # then
    source = picture.get("href", "").partition(",")[2]
    with Image.open(BytesIO(b64decode(source))) as image:
        assert [image.getpixel((x, 0)) for x in (0, 1)] == [(255, 0, 0), (0, 255, 0)]


def test_no_picture_is_fetched_from_elsewhere(drawn: Drawn) -> None:
    figure = Figure(go.Scatter(x=[0, 1], y=[0, 1]))
    figure.add_layout_image(source="https://example.org/a.png", x=0, y=1, sizex=1, sizey=1)
    assert "example.org" not in to_svg(figure)


def test_a_table_shows_its_rows_and_says_what_it_leaves_out(drawn: Drawn) -> None:
    cells = {"values": [list(range(50)), ["<b>x</b> & y"] * 50]}
    figure = Figure(go.Table(header={"values": ["n", "what"]}, cells=cells), layout_height=300)
    texts = said(drawn(figure))
    assert texts[:3] == ["n", "0", "1"]
    assert "x & y" in texts
    assert any("rows more" in text for text in texts)


def test_texts_have_the_colour_and_the_size_that_they_are_given(drawn: Drawn) -> None:
    font = {"color": "#ffffff", "size": 9}
    figure = Figure(go.Scatter(x=[1], y=[1], mode="text", text=["word"], textfont=font))
    (text,) = [each for each in drawn(figure).iter(f"{SVG}text") if each.text == "word"]
    assert (text.get("fill"), text.get("font-size")) == ("#ffffff", "9")


def test_a_legend_group_is_named_once(drawn: Drawn) -> None:
    traces = [go.Scatter(x=[0], y=[0], name="one", legendgroup="g") for _ in range(2)]
    traces.append(go.Scatter(x=[0], y=[1], name="two"))
    texts = said(drawn(Figure(traces)))
    assert [texts.count(name) for name in ("one", "two")] == [1, 1]


@pytest.mark.parametrize("trace", [go.Surface(z=[[1, 2], [3, 4]]), go.Pie(values=[1])])
def test_another_kind_of_trace_has_no_picture(trace: object) -> None:
    with pytest.raises(InvalidField, match="no still picture"):
        to_svg(Figure(trace))


def test_it_says_in_words_what_it_shows(drawn: Drawn) -> None:
    figure = Figure(layout_meta={"alt": 'a "line"'})
    assert drawn(figure).get("aria-label") == 'a "line"'
    assert drawn(figure).get("role") == "img"


def test_the_first_of_lying_bars_is_the_lowest_as_plotly_draws_it(drawn: Drawn) -> None:
    traces = [go.Bar(y=["a", "b"], x=[1, 2], orientation="h") for _ in range(2)]
    inner = drawn(Figure(traces)).findall(f"{SVG}svg")
    heights = [float(bar.get("y", 0)) for part in inner for bar in part.iter(f"{SVG}rect")]
    assert heights[0] > heights[2] > heights[1] > heights[3]
