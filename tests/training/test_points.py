import torch

import sdnb
from sdnb.comparison.plane import noise_errors
from sdnb.diffusion.analytic import two_moons
from sdnb.training.computing import seeded
from sdnb.training.loop import TrainPlan, TrainState, by_steps, train
from sdnb.training.points import PointNetwork, point_loss

LEVELS = [0.7, 1.0, 2.0]


def test_a_network_comes_close_to_the_best_denoiser_and_is_never_better():
    # given
    moons = two_moons()
    with seeded(0):
        state = TrainState.begin(PointNetwork())
    plan = TrainPlan(clock=by_steps(250), peak_lr=5e-3, warmup=20)
    unseen = moons.draw(4000, seed=1)
    untrained = noise_errors(state.model.denoise, unseen, LEVELS)

    # when
    for _ in train(state, point_loss(state.model, moons.draw(2000)), plan):
        pass
    learned = noise_errors(state.average.denoise, unseen, LEVELS)

    # then
    best = noise_errors(moons, unseen, LEVELS)
    assert bool((learned > 0.99 * best).all())
    assert bool((learned - best < 0.3 * (untrained - best)).all())


def test_a_step_draws_the_same_whenever_it_is_asked():
    # given
    network, data = PointNetwork(), two_moons().draw(100)
    loss_of = point_loss(network, data)

    # when
    (first,), (again,), (later,) = loss_of(3, 0.0), loss_of(3, 0.9), loss_of(4, 0.0)

    # then
    assert torch.equal(first(), again())
    assert not torch.equal(first(), later())


def test_a_network_is_a_denoiser_at_every_level():
    # given
    network, x = PointNetwork(), two_moons().start(4, 10.0)

    # when
    end = sdnb.sample(network.denoise, x, [10.0, 1.0, 0.0], "heun")

    # then
    assert end.dtype == x.dtype and end.shape == x.shape
    assert bool(end.isfinite().all())
    assert torch.equal(network.denoise(x, 0.0), x)
