"""Points in space, seen from plotly's first camera."""

import pytest

from sdnb.plots.svg_scene import flattened, view


def test_up_is_up_and_what_points_at_the_camera_is_a_point():
    assert view(0, 0, 1)[0] == 0 and view(0, 0, 1)[1] > 0
    assert view(2, 2, 2) == pytest.approx((0, 0))
    assert view(0, 1, 0)[0] == -view(1, 0, 0)[0] > 0


def test_figures_in_the_plane_stay_as_they_are():
    values = {"data": [{"type": "bar", "x": [1], "y": [2]}], "layout": {}}
    assert flattened(values) is values


def test_points_keep_what_else_they_are():
    # given
    points = {"type": "scatter3d", "x": [0, 1], "y": [0, 0], "z": [0, 1], "text": ["a", "b"]}
    scene = {"zaxis": {"title": {"text": "height (m)"}}}
    # when
    flat = flattened({"data": [points], "layout": {"scene": scene}})
    # then
    *axes, drawn = flat["data"]
    assert drawn["text"] == ["a", "b"] and "z" not in drawn
    assert [axis["text"][1] for axis in axes] == ["x", "y", "height"]
    assert flat["layout"]["xaxis"] == {"visible": False}
