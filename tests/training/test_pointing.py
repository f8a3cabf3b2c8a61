import torch

from sdnb.pipeline import load
from sdnb.training.checker import Seen
from sdnb.training.pointing import is_hit, summed_attention


def test_attention_is_watched_without_a_trace_and_sums_to_one_over_the_text(made):
    # given
    pipe = load(str(made[1]))
    plain = pipe.run("a red circle", seed=1, steps=2)
    # when
    with summed_attention(pipe.components.unet) as maps:
        watched = pipe.run("a red circle", seed=1, steps=2)
    seen = len(maps)
    after = pipe.run("a red circle", seed=1, steps=2)
    # then
    assert seen > 0 and len(maps) == seen
    assert torch.equal(plain.latents, watched.latents)
    assert torch.equal(plain.latents, after.latents)
    assert torch.allclose(maps[0].sum(0), torch.ones(16, 16), atol=1e-4)


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
