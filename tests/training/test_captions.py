from itertools import pairwise
from random import Random

from sdnb.training.captions import PLACES, RELATION_WORDS, words, write_caption, write_prompt
from sdnb.training.world import sample_scene


def test_captions_use_only_the_listed_words():
    # given
    random, known = Random(0), set(words())
    # when
    captions = [write_caption(sample_scene(random), random) for _ in range(500)]
    # then
    assert {word for c in captions for word in c.replace(",", "").split()} <= known


def test_captions_of_one_scene_vary_and_leave_parts_out():
    # given
    random = Random(1)
    scene = next(s for s in iter(lambda: sample_scene(random), None) if s.relation)
    # when
    captions = {write_caption(scene, random) for _ in range(100)}
    # then
    assert len(captions) > 80
    assert any(scene.things[0].size not in c for c in captions)
    assert all(thing.kind in c for c in captions for thing in scene.things)


def test_a_prompt_states_kinds_colours_relation_and_place():
    # given
    random = Random(2)
    for scene in [sample_scene(random) for _ in range(200)]:
        # when
        prompt = write_prompt(scene, random)
        # then
        assert any(place in prompt for place in PLACES[scene.background])
        for thing in scene.things:
            assert f"{thing.colour} {thing.kind}" in prompt
        if scene.relation:
            assert any(phrase in prompt for phrase in RELATION_WORDS[scene.relation])


def test_an_article_fits_the_word_behind_it():
    # given
    random = Random(3)
    # when
    captions = [write_caption(sample_scene(random), random).split() for _ in range(500)]
    # then
    for caption in captions:
        for article, word in pairwise(caption):
            if article in ("a", "an"):
                assert (article == "an") == (word[0] in "aeiou")
