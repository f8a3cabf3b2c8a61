import pytest
import torch

from sdnb.training.emphasis import (
    EMPHASIS,
    FACTOR,
    cover_numbered,
    cover_thing,
    cover_things,
    weigh_places,
)
from sdnb.training.world import Scene, Thing


def thing(centre, extent=40.0):
    return Thing(kind="cat", colour="red", size="small", centre=centre, extent=extent)


def test_a_thing_is_covered_where_it_stands():
    # given
    x, y = 36.0, 92.0
    # when
    inside = cover_thing(thing((x, y)))
    # then
    assert inside.shape == (16, 16)
    assert inside[int(y) // FACTOR, int(x) // FACTOR] == 1
    assert inside[int(x) // FACTOR, int(y) // FACTOR] == 0
    rows, columns = torch.meshgrid(*[torch.arange(16) * FACTOR + FACTOR / 2] * 2, indexing="ij")
    assert (inside * columns).sum() / inside.sum() == pytest.approx(x, abs=0.5)
    assert (inside * rows).sum() / inside.sum() == pytest.approx(y, abs=0.5)


def test_a_larger_thing_covers_more():
    # given, when
    small, large = (cover_thing(thing((64.0, 64.0), extent)) for extent in (36.0, 66.0))
    # then
    assert torch.all(large >= small) and large.sum() > 2 * small.sum()


def test_weights_have_mean_one_and_are_highest_on_each_thing():
    # given
    scene = Scene("sea", (thing((30.0, 64.0)), thing((98.0, 64.0))), "left of")
    # when
    weight = weigh_places(cover_things(scene)[None])
    # then
    assert weight.mean() == pytest.approx(1)
    assert weight[0, 0, 8, 3] == weight[0, 0, 8, 12] == weight.max()
    assert weight.max() == pytest.approx((1 + EMPHASIS) * weight.min().item())


def test_a_scene_of_one_thing_has_no_second_disc():
    # given
    scene = Scene("sea", (thing((64.0, 64.0)),))
    # when
    covers = cover_things(scene)
    # then
    assert torch.equal(covers[0], cover_thing(scene.things[0])) and not covers[1].any()


def test_numbered_scenes_have_their_discs_in_order():
    # given, when
    few, more = cover_numbered(3), cover_numbered(5)
    # then
    assert more.shape == (5, 2, 16, 16)
    assert torch.equal(few, more[:3])
