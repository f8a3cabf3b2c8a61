from random import Random

from sdnb.training.dataset import SINGLE_SHARE, numbered_scene, scene_odds


def test_scenes_of_one_thing_are_drawn_more_often_and_every_scene_now_and_then():
    # given
    count, random = 40, Random(0)
    # when
    drawn = random.choices(range(count), cum_weights=scene_odds(count), k=20_000)
    singles = [number for number in range(count) if len(numbered_scene(number).things) == 1]
    per_single = sum(map(drawn.count, singles)) / len(singles)
    per_pair = (len(drawn) - sum(map(drawn.count, singles))) / (count - len(singles))
    # then
    assert set(drawn) == set(range(count))
    assert abs(per_pair / per_single - (1 - SINGLE_SHARE) / SINGLE_SHARE) < 0.03
