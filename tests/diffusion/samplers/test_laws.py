"""Laws that every registered sampler obeys; a new one is tested by existing."""

import math
from functools import partial

import pytest
import torch

from sdnb.diffusion.noise import brownian_noise, step_noise
from sdnb.diffusion.noise_schedules import scaled_linear
from sdnb.diffusion.samplers.ancestral import ancestral_split
from sdnb.diffusion.samplers.contract import Step
from sdnb.diffusion.samplers.loop import answer_of, sample, walk
from sdnb.diffusion.samplers.multistep import exponential_weights
from sdnb.diffusion.samplers.sa_solver import simple_weights
from sdnb.diffusion.sigma_schedules import sigmas
from sdnb.errors import InvalidField, ModelError, UnknownName
from sdnb.registry import SAMPLERS, SCHEDULES
from tests.reference import INDEX, array, problem

NAMES = SAMPLERS.names()
MEAN, VARIANCE = 0.3, 0.8


def gaussian(x, sigma):
    """The best denoiser of Gaussian data, in closed form; the same without a prompt."""
    denoised = MEAN + VARIANCE / (VARIANCE + sigma**2) * (x - MEAN)
    return denoised, denoised


def error_after(name, steps, **options):
    """Distance to the exact solution of the probability-flow ODE, noise switched off."""
    levels = SCHEDULES["karras"](steps + 1, scaled_linear())[:-1].tolist()
    if "eta" in SAMPLERS.options(name):
        options["eta"] = 0.0
    x = torch.full((1, 1), 1.7 * levels[0], dtype=torch.float64)
    shrink = math.sqrt((VARIANCE + levels[-1] ** 2) / (VARIANCE + levels[0] ** 2))
    exact = MEAN + (x - MEAN) * shrink
    return float((sample(gaussian, x, levels, name, **options) - exact).abs())


LATE = ("lms", "deis", "ipndm_v", "er_sde")
"""Samplers whose first step or whose sums, of order 1, are so good that this shows late."""


def mixture_error(name, steps, **options):
    """Distance to the reference's own exact solution at the last level over 0."""
    mixture, ends = problem("A"), INDEX["meta"]
    high, low = (ends[end] ** (1 / 7) for end in ("sigma_max", "sigma_min"))
    levels = torch.linspace(high, low, steps + 1, dtype=torch.float64) ** 7

    def denoiser(x, sigma):
        return (mixture(x, sigma)[0],) * 2

    end = sample(denoiser, mixture.start(ends["sigma_max"]), levels, name, **options)
    return float((end - array("A/exact_sigmamin")).norm())


def measured_order(name, **options):
    if "eta" in SAMPLERS.options(name):
        options["eta"] = 0.0
    if name in LATE:
        coarse, fine = (error_after(name, steps, **options) for steps in (900, 1800))
    else:
        coarse, fine = (mixture_error(name, steps, **options) for steps in (120, 240))
    return math.log2(coarse / fine)


def follows_the_ode(name):
    """Whether its noise can be switched off, and its number of steps chosen."""
    entry = SAMPLERS[name]
    return entry.order is not None and (not entry.stochastic or "eta" in SAMPLERS.options(name))


@pytest.mark.parametrize("name", [name for name in NAMES if follows_the_ode(name)])
def test_the_measured_order_is_the_declared_one(name):
    assert measured_order(name) == pytest.approx(SAMPLERS[name].order, abs=0.3)


def test_cfg_pp_of_second_order_is_an_option_away():
    order = measured_order("dpmpp_2s_ancestral_cfg_pp", uncond="start")
    assert order == pytest.approx(2, abs=0.1)


@pytest.mark.parametrize("name", ["sa_solver", "sa_solver_pece"])
def test_simple_weights_of_order_2_keep_the_order(name):
    options = {"predictor_order": 2, "corrector_order": 2, "simple_order_2": True}
    assert measured_order(name, **options) == pytest.approx(2, abs=0.2)


@pytest.mark.parametrize("tau", [0.0, 0.7])
def test_simple_weights_differ_from_the_integrals_by_a_term_in_h_cubed(tau):
    # given
    def away(h):
        simple, exact = (
            weights([1.0, 1.0 - h], 1.0, 1.0 + h, tau)
            for weights in (simple_weights, exponential_weights)
        )
        assert sum(simple) == pytest.approx(sum(exact))
        return abs(simple[0] - exact[0]) * h  # the slope is a difference over h

    # when / then
    assert away(0.02) / away(0.01) == pytest.approx(8, rel=0.05)


def test_the_adaptive_sampler_errs_as_little_as_it_is_told():
    errors = [error_after("dpm_adaptive", 5, rtol=tol, atol=tol) for tol in (1e-2, 1e-4, 1e-6)]
    assert 0.1 > errors[0] > 10 * errors[1] > 100 * errors[2]


def told(name, answers, states):
    """All that a sampler proposes when it is told these answers, and sent these states."""
    x = torch.full((1, 2), 9.0, dtype=torch.float64)
    noise = lambda _sigma, _sigma_next: torch.zeros_like(x)  # noqa: E731
    proposals = SAMPLERS[name](x, sigmas("karras", 12).tolist(), noise, scaled_linear())
    answers, states, proposed, answers_a_step = iter(answers), iter(states), [], [0]
    said = next(proposals, None)
    while said is not None:
        if isinstance(said, Step):
            proposed.append(said.x_next)
            answers_a_step.append(0)
        else:
            answers_a_step[-1] += 1
        reply = next(states) if isinstance(said, Step) else answer_of(said, next(answers))
        try:
            said = proposals.send(reply)
        except StopIteration:
            said = None
    return proposed, answers_a_step


@pytest.mark.parametrize("name", [name for name in NAMES if not SAMPLERS[name].own_levels])
def test_an_answer_is_remembered_as_long_as_declared(name):
    # given
    draw = partial(torch.randn, 1, 2, dtype=torch.float64, generator=torch.Generator())
    answers, states = [(draw(), draw()) for _ in range(40)], [draw() for _ in range(12)]
    right, answers_a_step = told(name, answers, states)

    # when
    first = sum(answers_a_step[:4])
    for i in range(first, first + answers_a_step[4]):
        answers[i] = (draw(), draw())
    wrong, _ = told(name, answers, states)

    # then
    changed = [i for i in range(len(right)) if not torch.allclose(right[i], wrong[i])]
    assert changed == list(range(4, 5 + SAMPLERS[name].history))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_sampler_keeps_dtype_and_inputs(name, dtype):
    # given
    x = torch.randn(2, 3, dtype=dtype, generator=torch.Generator().manual_seed(1)) * 10
    before, levels = x.clone(), sigmas("karras", 5)

    # when
    end = sample(gaussian, x, levels, name)

    # then
    assert end.dtype == dtype
    assert torch.equal(x, before)
    assert levels[0] == sigmas("karras", 5)[0]


@pytest.mark.parametrize("name", NAMES)
def test_one_step_to_zero_gives_the_denoised_start(name):
    # given
    x = torch.tensor([[5.0]], dtype=torch.float64)

    # when
    end = sample(gaussian, x, [10.0, 0.0], name)

    # then
    assert torch.allclose(end, gaussian(x, 10.0)[0], atol=1e-3)  # uni_pc ends at sigma 0.001


def variance_error(name, steps, **options):
    """How far the spread of many endpoints is from the data's."""
    generator, levels = torch.Generator().manual_seed(1), sigmas("karras", steps).tolist()

    def draw(_sigma, _sigma_next):
        return torch.randn(1, 40_000, generator=generator, dtype=torch.float64)

    start = MEAN + draw(0.0, 0.0) * math.sqrt(VARIANCE + levels[0] ** 2)
    return abs(float(sample(gaussian, start, levels, name, draw, **options).var()) - VARIANCE)


def samples_the_data(name):
    """Whether its noise is the SDE's: distilled models want another, and order 0 none."""
    entry = SAMPLERS[name]
    return entry.stochastic and entry.family != "Consistency" and entry.order != 0


@pytest.mark.parametrize("name", [name for name in NAMES if samples_the_data(name)])
def test_the_spread_of_the_data_is_approached_with_more_steps(name):
    # when
    coarse, fine = variance_error(name, 80), variance_error(name, 160)

    # then
    assert coarse < 0.1
    assert fine < max(0.02, 0.7 * coarse)


@pytest.mark.parametrize("eta", [0.5, 1.0])
def test_third_order_with_noise_keeps_the_spread_of_the_data(eta):
    assert variance_error("dpmpp_3m", 80, eta=eta) < 0.02


@pytest.mark.parametrize("eta", [0.0, 0.3, 1.0, 5.0])
def test_an_ancestral_step_splits_the_variance_without_loss(eta):
    down, up = ancestral_split(3.0, 2.0, eta)
    assert down**2 + up**2 == pytest.approx(4.0)
    assert (up == 0) == (eta == 0)


@pytest.mark.parametrize("name", NAMES)
def test_a_step_is_shown_with_the_answer_at_its_own_start(name):
    # given
    x, levels = torch.full((1, 2), 9.0, dtype=torch.float64), sigmas("karras", 3).tolist()
    noise = lambda _sigma, _sigma_next: torch.zeros_like(x)  # noqa: E731
    proposals = SAMPLERS[name](x, levels, noise, scaled_linear())

    # when
    said = next(proposals)
    while not isinstance(said, Step):
        said = proposals.send(answer_of(said, gaussian(said.x, said.sigma)))

    # then
    assert torch.allclose(said.denoised, gaussian(x, levels[0])[0])


def test_ddim_joins_euler_and_euler_ancestral():
    x, levels = torch.full((1, 2), 9.0, dtype=torch.float64), sigmas("karras", 7)
    for eta, twin in ((0.0, "euler"), (1.0, "euler_ancestral")):
        end = sample(gaussian, x, levels, "ddim", eta=eta)
        assert torch.allclose(end, sample(gaussian, x, levels, twin), rtol=1e-12)


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_deis_in_rescaled_time_is_lms(order):
    x, levels = torch.full((1, 2), 9.0, dtype=torch.float64), sigmas("karras", 9)
    end = sample(wavy, x, levels, "deis", max_order=order, deis_mode="rhoab")
    assert torch.equal(end, sample(wavy, x, levels, "lms", order=order))


def test_an_unknown_option_names_the_known_ones():
    with pytest.raises(UnknownName, match="eta"):
        SAMPLERS.bind("euler_ancestral", {"etta": 1.0})
    with pytest.raises(InvalidField, match="number"):
        SAMPLERS.bind("euler_ancestral", {"eta": "much"})


def test_a_cfg_pp_sampler_says_that_it_needs_both_answers():
    with pytest.raises(InvalidField, match="without a prompt"):
        sample(lambda x, _sigma: x, torch.ones(1, 2), [2.0, 0.0], "euler_cfg_pp")


@pytest.mark.parametrize(
    "choice",
    [
        ("lms", {"order": 7}),
        ("ipndm", {"max_order": 0}),
        ("uni_pc", {"order": 4}),
        ("sa_solver", {"corrector_order": 5}),
        ("er_sde", {"max_stage": 4}),
        ("dpm_adaptive", {"order": 1}),
        ("dpm_adaptive", {"h_init": 0.0}),
        ("dpm_adaptive", {"rtol": -1.0}),
        ("dpm_adaptive", {"accept_safety": 3.0}),
        ("dpmpp_2m_sde", {"solver_type": "euler"}),
        ("dpmpp_2s_ancestral_cfg_pp", {"uncond": "end"}),
        ("deis", {"deis_mode": "rhork"}),
        ("er_sde", {"noise_scale": "cube"}),
        ("tcd", {"eta": 1.5}),
        ("euler_ancestral", {"eta": -1.0}),
        ("dpmpp_3m_sde", {"eta": math.nan}),
        ("ddim", {"s_noise": -0.1}),
        ("euler", {"s_churn": -1.0}),
        ("seeds_2", {"r": 1.0}),
        ("seeds_3", {"r_1": 0.7}),
        ("dpmpp_sde", {"r": 0.0}),
    ],
)
def test_an_option_out_of_range_is_refused(choice):
    name, options = choice
    with pytest.raises(InvalidField, match="allowed"):
        sample(gaussian, torch.ones(1, 2), [2.0, 1.0, 0.0], name, **options)


OTHER = {
    "eta": 0.5,
    "s_noise": 0.8,
    "s_churn": 3.0,
    "s_tmin": 1.0,
    "s_tmax": 5.0,
    "order": 2,
    "max_order": 2,
    "max_stage": 2,
    "predictor_order": 2,
    "corrector_order": 2,
    "tau_start": 0.3,
    "tau_end": 0.5,
    "ge_gamma": 1.5,
    "r": 0.4,
    "r_1": 0.25,
    "r_2": 0.75,
    "solver_type": "heun",
    "deis_mode": "rhoab",
    "noise_scale": "square",
    "simple_order_2": True,
    "uncond": "start",
    "rtol": 0.01,
    "atol": 5.0,
    "h_init": 0.1,
    "pcoeff": 0.2,
    "icoeff": 0.8,
    "dcoeff": 0.1,
    "accept_safety": 0.99,
}
"""A value for each option that is not its default."""


@pytest.mark.parametrize("name", NAMES)
def test_every_option_changes_the_result(name):
    # given
    options, generator = SAMPLERS.options(name), torch.Generator()
    x = torch.tensor([[9.0, -20.0]], dtype=torch.float64)
    levels = sigmas("karras", 12)
    on = {"s_churn": 2.0} if "s_churn" in options else {}
    if name in ("ddim", "dpm_fast", "dpm_adaptive", "dpmpp_3m"):
        on = {"eta": 0.3}

    def draw(_sigma, _sigma_next):
        return torch.randn(1, 2, generator=generator, dtype=torch.float64)

    def end(**changed):
        generator.manual_seed(1)
        return sample(wavy, x, levels, name, draw, **{**on, **changed})

    # when / then
    usual = end()
    for option in options:
        changed = end(**{option: OTHER[option]})
        assert changed.isfinite().all()
        if (name, option) not in {("dpm_adaptive", "accept_safety")}:
            assert not torch.allclose(changed, usual, rtol=1e-9), option


def wavy(x, sigma):
    """A denoiser with curvature and guidance, so that no two methods agree by chance."""
    denoised = x / (1 + sigma**2) + 0.3 * torch.sin(x / (1 + sigma))
    return denoised, 0.9 * denoised


@pytest.mark.parametrize(
    ("name", "stretches"),
    [
        ("euler_ancestral", [(4.0, 1.0)]),
        ("dpmpp_2m_sde", [(4.0, 1.0)]),
        ("dpmpp_3m", [(4.0, 2.0), (2.0, 1.0)]),
        ("dpmpp_3m_sde", [(4.0, 1.0)]),
        ("er_sde", [(4.0, 1.0)]),
        ("sa_solver", [(4.0, 1.0)]),
        ("dpmpp_sde", [(4.0, 2.0), (4.0, 1.0)]),
        ("seeds_2", [(4.0, 2.0), (2.0, 1.0)]),
        ("seeds_3", [(4.0, 4 ** (2 / 3)), (4 ** (2 / 3), 4 ** (1 / 3)), (4 ** (1 / 3), 1.0)]),
    ],
)
def test_noise_is_drawn_over_the_stretches_of_the_path_that_a_step_uses(name, stretches):
    # given
    drawn = []

    def draw(sigma, sigma_next):
        drawn.append((sigma, sigma_next))
        return torch.zeros(1, 2)

    # when
    options = {"eta": 1.0} if name == "dpmpp_3m" else {}
    sample(gaussian, torch.ones(1, 2), [4.0, 1.0, 0.0], name, draw, **options)

    # then
    assert [pytest.approx(ends) for ends in stretches] == drawn


def test_an_sde_sampler_is_given_a_brownian_path_and_another_fresh_draws():
    # given
    x, levels = torch.full((1, 2), 9.0), sigmas("karras", 7).tolist()
    path, fresh = brownian_noise((0,), x), step_noise((0,), x)

    # when / then
    for name, noise in (("dpmpp_2m_sde", path), ("euler_ancestral", fresh)):
        end = sample(gaussian, x, levels, name)
        assert torch.equal(end, sample(gaussian, x, levels, name, noise))


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_an_adaptive_run_ends_where_the_model_fails(bad):
    with pytest.raises(ModelError, match="sigma"):
        sample(lambda x, _sigma: x * bad, torch.ones(1, 2), [4.0, 1.0, 0.0], "dpm_adaptive")


def test_an_adaptive_run_ends_where_no_step_is_short_enough():
    generator = torch.Generator()

    def restless(x, _sigma):
        return torch.randn(x.shape, generator=generator)

    with pytest.raises(InvalidField, match="short enough"):
        sample(restless, torch.ones(1, 2), [4.0, 1.0, 0.0], "dpm_adaptive", rtol=0.0, atol=0.0)


@pytest.mark.parametrize(
    "levels", [[], [1.0], [2.0, 2.0], [1.0, 2.0], [2.0, 0.0, 0.0], [2.0, -1.0]]
)
def test_levels_that_do_not_fall_are_refused(levels):
    with pytest.raises(InvalidField, match="fall"):
        sample(gaussian, torch.ones(1, 2), levels)


@pytest.mark.parametrize("name", NAMES)
def test_an_answer_of_another_dtype_or_shape(name):
    x, levels = torch.ones(2, 3), sigmas("karras", 4)

    def double(x, sigma):
        return tuple(part.double() for part in gaussian(x, sigma))

    assert sample(double, x, levels, name).dtype == torch.float32
    with pytest.raises(InvalidField, match="shape"):
        sample(lambda x, _sigma: x[:1], x, levels, name)


@pytest.mark.parametrize("name", NAMES)
def test_more_noise_than_there_is_and_levels_close_to_0_are_survived(name):
    options = {"eta": 1.2} if "eta" in SAMPLERS.options(name) and name != "tcd" else {}
    x = torch.full((1, 2), 9.0, dtype=torch.float64)
    assert sample(gaussian, x, sigmas("karras", 8), name, **options).isfinite().all()
    assert sample(gaussian, x, [14.6, 5.0, 1.0, 0.0005, 0.0], name).isfinite().all()


def test_tcd_joins_euler_and_lcm():
    # given
    x, levels = torch.full((1, 2), 9.0, dtype=torch.float64), [100.0, 20.0, 5.0, 1.0, 0.0]
    straight = sample(gaussian, x, levels, "euler")
    back = sample(gaussian, x, levels, "lcm")

    # when / then
    assert torch.allclose(sample(gaussian, x, levels, "tcd", eta=0.0), straight, rtol=1e-12)
    assert torch.allclose(sample(gaussian, x, levels, "tcd", eta=1.0), back, rtol=1e-12)


def test_churn_raises_the_level_that_is_asked_about():
    # given
    asked = []

    def denoiser(x, sigma):
        asked.append(sigma)
        return gaussian(x, sigma)

    # when
    sample(denoiser, torch.ones(1, 2), [4.0, 2.0, 1.0, 0.0], "euler", s_churn=0.6, s_tmax=3.0)

    # then
    assert asked == pytest.approx([4.0, 2.4, 1.2])


def test_er_sde_of_one_stage_joins_euler_and_ddpm():
    # given
    x, levels = torch.full((1, 2), 9.0, dtype=torch.float64), sigmas("karras", 7)
    one_stage = {"max_stage": 1, "noise_scale": "square"}

    # when / then
    for eta, twin in ((0.0, "euler"), (1.0, "ddpm")):
        end = sample(wavy, x, levels, "er_sde", eta=eta, **one_stage)
        assert torch.allclose(end, sample(wavy, x, levels, twin), rtol=1e-12)


@pytest.mark.parametrize("noise_scale", ["exponential", "reciprocal", "logarithmic", "square"])
def test_er_sde_keeps_the_spread_of_the_data_with_every_noise_scale(noise_scale):
    assert variance_error("er_sde", 160, noise_scale=noise_scale) < 0.03


def test_ddpm_is_euler_ancestral():
    x, levels = torch.full((1, 2), 9.0, dtype=torch.float64), sigmas("karras", 7)
    end = sample(gaussian, x, levels, "ddpm")
    assert torch.allclose(end, sample(gaussian, x, levels, "euler_ancestral"), rtol=1e-12)


def test_every_sampler_names_its_family_and_its_paper():
    assert all(SAMPLERS[name].family != "your own" for name in NAMES)
    assert {name for name in NAMES if not SAMPLERS[name].paper} == {"lms", "heunpp2"}


def test_the_names_for_a_gpu_are_the_same_samplers():
    assert SAMPLERS["dpmpp_2m_sde_gpu"] is SAMPLERS["dpmpp_2m_sde"]
    assert "dpmpp_2m_sde_gpu" not in NAMES


def test_the_table_of_names_matches_what_the_modules_register():
    for name in NAMES:
        assert SAMPLERS[name].name == name


@pytest.mark.parametrize("name", ["euler", "heun", "dpm_adaptive"])
def test_a_walk_shows_each_step_and_ends_where_a_sample_does(name):
    # given
    x, levels = torch.ones(2, 1, dtype=torch.float64), [5.0, 2.0, 0.5]

    # when
    steps = list(walk(gaussian, x, levels, name))

    # then
    assert torch.equal(steps[-1].x_next, sample(gaussian, x, levels, name))
    assert steps[-1].sigma_next == pytest.approx(0.5)


def test_a_walk_checks_its_levels_before_its_first_step():
    with pytest.raises(InvalidField, match="fall"):
        walk(gaussian, torch.ones(1, 1), [1.0, 2.0])
