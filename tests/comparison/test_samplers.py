import pytest

from sdnb.comparison.samplers import describe_samplers, evaluations_a_step, measure_costs
from sdnb.errors import InvalidField
from sdnb.pipeline import Pipeline
from sdnb.registry import SAMPLERS
from sdnb.request import GenerationRequest

SMALL = GenerationRequest(prompt="a red circle", cfg_scale=1, width=32, height=32, steps=3)


@pytest.mark.parametrize(
    ("name", "evaluations"), [("ddim", 1), ("plms", 1), ("euler", 1), ("heun", 2), ("dpm_2", 2)]
)
def test_evaluations_are_counted(name: str, evaluations: int) -> None:
    assert evaluations_a_step(name) == evaluations


def test_every_sampler_is_described() -> None:
    # when
    facts = describe_samplers()
    # then
    assert tuple(each.name for each in facts) == SAMPLERS.names()
    for each in facts:
        assert (each.evaluations is None) == SAMPLERS[each.name].adaptive
        assert each.evaluations is None or each.evaluations >= 1


def test_an_alias_stands_for_its_sampler() -> None:
    (facts,) = describe_samplers(["dpmpp_2m_sde_gpu", "dpmpp_2m_sde"])
    assert facts.name == "dpmpp_2m_sde"


def test_a_scheduler_of_diffusers_is_described_and_measured(pipe: Pipeline) -> None:
    # given
    name = "diffusers:DDIMScheduler"
    # when
    (facts,) = describe_samplers([name])
    (cost,) = measure_costs(pipe, SMALL, [name], repeats=1)
    # then
    assert (facts.name, facts.evaluations) == (name, 1)
    assert cost.evaluations == 3


def test_ddim_is_the_unit_of_cost(pipe: Pipeline) -> None:
    # when
    costs = {cost.sampler: cost for cost in measure_costs(pipe, SMALL, ["heun", "ddim"], repeats=2)}
    # then
    assert (costs["ddim"].time_ratio, costs["ddim"].evaluations_ratio) == (1, 1)
    assert costs["ddim"].evaluations == 3
    assert costs["heun"].evaluations == 5
    assert costs["heun"].evaluations_ratio == pytest.approx(5 / 3)
    assert costs["heun"].time_ratio > 1


def test_no_round_at_all_is_refused(pipe: Pipeline) -> None:
    with pytest.raises(InvalidField, match="at least once"):
        measure_costs(pipe, SMALL, ["ddim"], repeats=0)
