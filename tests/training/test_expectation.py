from dataclasses import replace
from random import Random

import pytest

from sdnb.training.captions import write_caption, write_prompt
from sdnb.training.checker import Reading, judge, read_picture
from sdnb.training.expectation import Expectation, Named, read_caption
from sdnb.training.world import draw, sample_pair, sample_scene


def test_reading_a_prompt_back_gives_what_it_was_written_from():
    # given
    random = Random(5)
    for scene in [sample_scene(random) for _ in range(500)]:
        # when
        read = read_caption(write_prompt(scene, random))
        # then
        assert read == Expectation(
            things=tuple(Named(thing.kind, thing.colour) for thing in scene.things),
            relation=scene.relation,
            background=scene.background,
        )


def test_what_a_caption_leaves_out_is_left_open():
    # given
    random = Random(6)
    for scene in [sample_scene(random) for _ in range(500)]:
        # when
        read = read_caption(write_caption(scene, random))
        # then
        assert read.background in (None, scene.background)
        assert read.relation in (None, scene.relation)
        for named, thing in zip(read.things, scene.things, strict=True):
            assert named.kind == thing.kind
            assert named.colour in (None, thing.colour)


@pytest.mark.parametrize(
    "prompt",
    [
        "",
        "a dragon on a meadow",
        "a red circle (very small)",
        "on a meadow",
        "a red",
        "a cat on the left",
        "a cat above",
        "a cat and a tree and a house",
        "a cat in the snow at night",
        "red blue circle",
        "a cat a tree",
    ],
)
def test_what_the_world_cannot_tell_is_not_judged(prompt):
    assert read_caption(prompt) is None


def test_capitals_and_a_full_stop_change_nothing():
    assert read_caption("A red Cat, on a meadow.") == read_caption("a red cat on a meadow")


def test_drawn_scenes_meet_their_own_prompts_and_seldom_those_of_others():
    # given
    random = Random(7)
    scenes = [sample_scene(random) for _ in range(60)]
    readings = [read_picture(draw(scene).picture) for scene in scenes]
    asked = [read_caption(write_prompt(scene, random)) for scene in scenes]
    # when
    own = [each.is_met_by(reading) for each, reading in zip(asked, readings, strict=True)]
    others = [each.is_met_by(reading) for each, reading in zip(asked, readings[1:], strict=False)]
    # then
    assert sum(own) >= 59
    assert sum(others) <= 1


def test_a_full_prompt_is_judged_as_the_evaluation_judges_its_scene():
    # given
    random = Random(8)
    scenes = [sample_pair(random) for _ in range(30)]
    readings = [read_picture(draw(scene).picture) for scene in scenes]
    for scene in scenes[:10]:
        asked = read_caption(write_prompt(scene, random))
        for reading in readings:
            # when
            verdict = judge(reading, scene)
            # then
            assert asked.is_met_by(reading) == (verdict.is_right and verdict.background)


def test_each_part_that_is_wrong_is_found():
    # given
    scene = sample_pair(Random(9))
    reading = read_picture(draw(scene).picture)
    asked = read_caption(write_prompt(scene, Random(9)))
    first, second = reading.things
    kind = "cat" if first.kind != "cat" else "fish"
    colour = "red" if first.colour != "red" else "blue"
    # when
    wrong = [
        Reading("sea" if reading.background != "sea" else "snow", reading.things),
        Reading(reading.background, (first,)),
        Reading(reading.background, (first, second, second)),
        Reading(reading.background, (replace(first, kind=kind), second)),
        Reading(reading.background, (replace(first, colour=colour), second)),
        Reading(
            reading.background,
            (replace(first, centre=second.centre), replace(second, centre=first.centre)),
        ),
    ]
    # then
    assert asked.is_met_by(reading)
    assert not any(asked.is_met_by(each) for each in wrong)
