import torch

from sdnb.training.checker import Seen
from sdnb.training.pointing import is_hit


def test_a_peak_hits_inside_the_box_and_misses_far_from_it():
    # given
    thing = Seen(kind="circle", colour="red", centre=(32.0, 64.0), box=(16, 48, 48, 80))
    inside, outside = torch.zeros(16, 16), torch.zeros(16, 16)
    # when
    inside[8, 4] = 1
    outside[8, 12] = 1
    # then
    assert is_hit(inside, thing)
    assert not is_hit(outside, thing)
