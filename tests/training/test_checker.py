from dataclasses import replace
from random import Random

import numpy as np

from sdnb.training.checker import Reading, judge, read_picture
from sdnb.training.evaluate import all_right, score_pictures, unseen_scenes
from sdnb.training.world import draw, is_held_out, sample_pair, sample_scene, sample_single


def test_the_checker_reads_drawn_scenes_rightly_in_ninety_nine_of_a_hundred():
    # given
    random = Random(11)
    scenes = [sample_scene(random) for _ in range(100)]
    # when
    score = score_pictures([draw(scene).picture for scene in scenes], scenes)
    # then
    assert score.share(all_right) >= 0.99


def test_the_checker_forgives_a_tone_and_some_noise():
    # given
    random = Random(12)
    noise = np.random.default_rng(0)
    scenes = [sample_scene(random) for _ in range(40)]
    # when
    pictures = [
        np.clip(draw(scene).picture + noise.normal(5, 4, (128, 128, 3)), 0, 255).astype(np.uint8)
        for scene in scenes
    ]
    # then
    assert score_pictures(pictures, scenes).share(all_right) >= 0.95


def test_a_wrong_part_is_found_and_only_that_part():
    # given
    scene = sample_pair(Random(13))
    reading = read_picture(draw(scene).picture)
    first, second = reading.things
    swapped = Reading(
        reading.background,
        (replace(first, centre=second.centre), replace(second, centre=first.centre)),
    )
    # when
    right, mirrored = judge(reading, scene), judge(swapped, scene)
    recoloured = judge(Reading("sea", (replace(first, colour="none"), second)), scene)
    missing = judge(Reading(reading.background, (first,)), scene)
    # then
    assert right.is_right
    assert mirrored.kinds and mirrored.colours and not mirrored.relation
    assert recoloured.kinds and recoloured.relation and not recoloured.colours
    assert not missing.count and not missing.is_right


def test_an_empty_picture_shows_nothing():
    # given
    blank = np.full((128, 128, 3), 127, np.uint8)
    # when, then
    assert not judge(read_picture(blank), sample_single(Random(1))).is_right


def test_unseen_scenes_are_held_out_and_the_same_every_time():
    # given, when
    scenes = unseen_scenes(sample_single, 20, seed=4)
    # then
    assert all(map(is_held_out, scenes))
    assert scenes == unseen_scenes(sample_single, 20, seed=4)
