"""Ways between states: ends, lengths, evenness."""

import pytest
import torch

from sdnb.diffusion.interpolation import grid, lerp, slerp, way
from sdnb.errors import InvalidField


@pytest.fixture
def ends():
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(1, 4, 16, 16, generator=generator) for _ in range(2)]


@pytest.mark.parametrize("between", [lerp, slerp])
def test_both_ends_are_on_the_way(ends, between):
    points = way(*ends, 5, between)
    assert points.shape == (5, 4, 16, 16)
    assert torch.allclose(points[[0, -1]], torch.cat(ends), atol=1e-5)


def test_the_arc_keeps_the_length_that_the_line_loses(ends):
    # given
    unit = [end / end.norm() for end in ends]
    # when
    line, arc = (way(*unit, 5, between).flatten(1).norm(dim=1) for between in (lerp, slerp))
    # then
    assert torch.allclose(arc, torch.ones(5), atol=1e-5)
    assert float(line[2]) == pytest.approx(0.5**0.5, abs=0.05)


def test_the_arc_is_walked_evenly(ends):
    steps = way(*ends, 6, slerp).flatten(1)
    angles = torch.cosine_similarity(steps[:-1], steps[1:]).acos()
    assert torch.allclose(angles, angles[0].expand(5), rtol=1e-3)


@pytest.mark.parametrize("other", [2.0, -1.0, 0.0])
def test_where_there_is_no_arc_the_line_is_taken(ends, other):
    x, _ = ends
    assert torch.allclose(slerp(x, other * x, 0.25), lerp(x, other * x, 0.25), atol=1e-4)


def test_no_rounding_makes_an_arc_between_opposite_ways():
    x = torch.randn(50, 4, 16, 16, generator=torch.Generator().manual_seed(1))
    assert torch.allclose(slerp(x, -x, 0.25), lerp(x, -x, 0.25), atol=1e-3)


def test_each_row_has_an_arc_of_its_own(ends):
    both = slerp(torch.cat(ends), torch.cat(ends[::-1]), 0.3)
    assert torch.allclose(both[:1], slerp(*ends, 0.3), atol=1e-5)
    assert torch.allclose(both[1:], slerp(*ends, 0.7), atol=1e-5)


def test_a_grid_has_its_corners_in_its_corners():
    # given
    corners = torch.arange(4.0)[:, None, None, None] * torch.ones(4, 1, 2, 3)
    # when
    found = grid(corners, 3, 5)
    # then
    assert found.shape == (15, 1, 2, 3)
    assert found[:, 0, 0, 0].view(3, 5)[[0, 0, 2, 2], [0, 4, 0, 4]].tolist() == [0, 1, 2, 3]
    assert found[7, 0, 0, 0] == 1.5


def test_a_way_of_one_place_or_between_two_sizes_is_refused(ends):
    with pytest.raises(InvalidField, match="2 places"):
        way(*ends, 1)
    with pytest.raises(InvalidField, match="one size"):
        way(ends[0], ends[1][..., :8], 3)
