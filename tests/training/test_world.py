from random import Random

import numpy as np
import pytest

from sdnb.training.silhouettes import SILHOUETTES
from sdnb.training.world import (
    BACKGROUNDS,
    COLOURS,
    RELATIONS,
    Scene,
    Thing,
    draw,
    is_held_out,
    paint_background,
    sample_pair,
    sample_scene,
    sample_single,
)


def test_the_same_seed_draws_the_same_pictures():
    # given
    first, second = Random(5), Random(5)
    # when
    pairs = [(sample_scene(first), sample_scene(second)) for _ in range(5)]
    # then
    for a, b in pairs:
        assert a == b
        assert np.array_equal(draw(a).picture, draw(b).picture)


def test_the_picture_differs_from_its_background_where_the_masks_are_and_nowhere_else():
    # given
    random = Random(1)
    for scene in [sample_scene(random) for _ in range(100)]:
        # when
        drawing = draw(scene)
        difference = np.abs(drawing.picture - paint_background(scene.background)).max(-1)
        seen = drawing.masks.any(0)
        fills = [(drawing.picture == COLOURS[thing.colour]).all(-1) for thing in scene.things]
        filled = np.any(fills, axis=0)  # an outline may be of its background's colour
        # then
        assert (difference[filled] > 12).all() and filled.sum() > 0.4 * seen.sum()
        assert not filled[~seen].any()
        assert (difference[~seen] < 12).mean() > 0.97


@pytest.mark.parametrize("kind", SILHOUETTES)
def test_a_thing_fills_its_extent_and_stays_inside_its_box(kind):
    # given
    thing = Thing(kind=kind, colour="red", size="large", centre=(64.0, 64.0), extent=66.0)
    # when
    drawing = draw(Scene("sea", (thing,)))
    left, top, right, bottom = drawing.boxes[0]
    # then
    assert 0.2 * 66**2 < drawing.masks[0].sum() < 70**2
    assert max(right - left, bottom - top) == pytest.approx(66, abs=8)
    assert not drawing.masks[0][:top].any() and not drawing.masks[0][:, right:].any()


def test_two_things_never_overlap_and_stand_as_their_relation_says():
    # given
    random = Random(2)
    for scene in [sample_pair(random) for _ in range(60)]:
        # when
        masks = draw(scene).masks
        centres = [np.argwhere(mask).mean(0)[::-1] for mask in masks]
        x, y = (centres[0] - centres[1]) * np.array(RELATIONS[scene.relation])
        # then
        assert not (masks[0] & masks[1]).any()
        assert x + y > 35


def test_a_nearer_thing_hides_a_farther_one():
    # given
    far = Thing(kind="circle", colour="red", size="large", centre=(64.0, 50.0), extent=50.0)
    near = Thing(kind="square", colour="blue", size="large", centre=(64.0, 80.0), extent=50.0)
    # when
    drawing = draw(Scene("room", (near, far)))
    # then
    assert drawing.order == (1, 0)
    assert tuple(drawing.picture[70, 64]) == COLOURS["blue"]
    assert drawing.masks[0][70, 64] and not drawing.masks[1][70, 64]


def test_colours_are_far_from_each_other_and_from_every_background():
    # given
    palette = np.array(list(COLOURS.values()), float)
    tones = [np.unique(paint_background(name)[:, 0], axis=0) for name in BACKGROUNDS]
    # when
    between = np.linalg.norm(palette[:, None] - palette[None], axis=-1)
    to_tones = np.linalg.norm(palette[:, None] - np.concatenate(tones)[None], axis=-1)
    # then
    assert between[~np.eye(len(palette), dtype=bool)].min() > 60
    assert to_tones.min() > 30


def test_one_combination_in_ten_is_held_out_however_it_is_told():
    # given
    random = Random(3)
    pairs, singles = (
        [sample(random) for _ in range(2000)] for sample in (sample_pair, sample_single)
    )
    opposite = {"left of": "right of", "right of": "left of", "above": "below", "below": "above"}
    # when
    mirrored = [Scene(s.background, s.things[::-1], opposite[s.relation]) for s in pairs]
    # then
    assert [is_held_out(s) for s in pairs] == [is_held_out(s) for s in mirrored]
    assert np.mean([is_held_out(s) for s in pairs]) == pytest.approx(0.1, abs=0.03)
    assert np.mean([is_held_out(s) for s in singles]) == pytest.approx(0.1, abs=0.04)
