import pytest

from sdnb.comparison.convergence import (
    fitted_order,
    measure_convergence,
    measure_model_convergence,
    quiet_options,
)
from sdnb.errors import InvalidField, UnknownName
from sdnb.pipeline import Pipeline
from sdnb.registry import SAMPLERS
from sdnb.request import GenerationRequest

SMALL = GenerationRequest(prompt="a red circle", seed=3, cfg_scale=1, width=32, height=32)


@pytest.mark.parametrize("order", [1, 2, 3.5])
def test_a_power_law_s_order_is_found(order: float) -> None:
    steps = (5, 10, 20, 40)
    assert fitted_order(steps, [7 * count**-order for count in steps]) == pytest.approx(order)


def test_points_near_the_floor_do_not_count() -> None:
    # given
    steps, errors = (5, 10, 20, 40, 80), (1e-1, 1e-2, 1e-3, 1e-4, 1e-4)
    # when / then
    assert fitted_order(steps, errors, floor=0.9e-4) == pytest.approx(3.3219, abs=1e-3)
    assert fitted_order(steps, errors, floor=1e-2) is None


@pytest.mark.parametrize(("name", "order"), [("euler", 1), ("heun", 2), ("plms", 2)])
def test_the_fitted_order_is_the_method_s(name: str, order: int) -> None:
    (curve,) = measure_convergence([name], (20, 40, 80)).curves
    assert curve.fitted == pytest.approx(order, abs=0.15)
    assert curve.order == order


def test_every_sampler_is_measured_or_left_out_with_a_reason() -> None:
    # when
    study = measure_convergence(steps=(4, 8))
    # then
    reasons = dict(study.left_out)
    assert {curve.sampler for curve in study.curves} | set(reasons) == set(SAMPLERS.names())
    assert all(reasons.values())
    for curve in study.curves:
        assert len(curve.steps) == len(curve.evaluations) == len(curve.errors)
        assert "eta" in SAMPLERS.options(curve.sampler) or not SAMPLERS[curve.sampler].stochastic


def test_a_scheduler_of_diffusers_with_its_own_ends_is_left_out() -> None:
    study = measure_convergence(["diffusers:DDIMScheduler", "ddim"], (2, 4))
    assert [curve.sampler for curve in study.curves] == ["ddim"]
    assert "levels of its own" in dict(study.left_out)["diffusers:DDIMScheduler"]


def test_an_adaptive_sampler_has_one_point() -> None:
    (curve,) = measure_convergence(["dpm_adaptive"], (5, 10)).curves
    assert len(curve.errors) == 1
    assert curve.fitted is None


def test_noise_is_off_where_an_order_is_measured() -> None:
    assert quiet_options("euler_ancestral")["eta"] == 0
    assert "rho" not in quiet_options("heun")


def test_a_heun_step_costs_two_evaluations() -> None:
    (curve,) = measure_convergence(["heun"], (4, 8)).curves
    assert curve.evaluations == (8, 16)


@pytest.mark.parametrize("steps", [(), (0, 5), (10, 5), (5, 5)])
def test_steps_that_do_not_rise_are_refused(steps: tuple[int, ...]) -> None:
    with pytest.raises(InvalidField, match="rising"):
        measure_convergence(["euler"], steps)


def test_an_unknown_sampler_names_the_nearest() -> None:
    with pytest.raises(UnknownName, match="did you mean euler"):
        measure_convergence(["euller"])


def test_the_model_s_own_solution_has_no_error(pipe: Pipeline) -> None:
    # when
    study = measure_model_convergence(pipe, SMALL, ["heun", "euler"], (2, 5), reference=10)
    # then
    heun, euler = study.curves
    assert heun.errors[1] == 0
    assert euler.errors[0] > euler.errors[1] > 0
    assert study.floor > 0


def test_cfg_pp_is_left_out_where_guidance_gives_it_another_path(pipe: Pipeline) -> None:
    names = [name for name in SAMPLERS.names() if SAMPLERS[name].asks_both]
    study = measure_model_convergence(
        pipe, SMALL.changed(cfg_scale=4), [*names, "euler"], (2,), reference=4
    )
    assert [curve.sampler for curve in study.curves] == ["euler"]
    assert [name for name, _ in study.left_out] == names
