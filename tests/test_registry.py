"""Names and what they stand for."""

import pytest

import sdnb
from sdnb.diffusion.samplers.contract import Evaluate, Step
from sdnb.errors import InvalidField, UnknownName
from sdnb.registry import SAMPLERS, SCHEDULES, Registry


def test_every_built_in_name_leads_to_its_entry():
    for registry in (SAMPLERS, SCHEDULES):
        for name in registry.names():
            assert callable(registry[name])


def test_an_unknown_name_is_told_the_nearest():
    with pytest.raises(UnknownName) as caught:
        SAMPLERS.check("eulr")
    assert "euler" in caught.value.fix
    assert "dpmpp_2m" in caught.value.allowed


def test_a_sampler_of_ones_own_can_be_used_at_once(pipe):
    # given
    @sdnb.sampler("half_way", order=1)
    def half_way(x, sigmas, _noise):
        for index, sigma in enumerate(sigmas[:-1]):
            denoised = yield Evaluate(x, sigma)
            x = yield Step(denoised, (x + denoised) / 2, sigmas[index + 1])

    # when
    try:
        result = pipe.run("a cat", sampler="half_way", steps=3, seed=1)
    finally:
        SAMPLERS.remove("half_way")

    # then
    assert result.evaluations == 3


def test_a_built_in_name_cannot_be_taken():
    registry = Registry("sampler", {"euler": "somewhere:euler"})
    with pytest.raises(InvalidField, match="ships with sdnb"):
        registry.add("euler", object(), source="__main__:euler")


def test_a_name_must_be_writable_in_a_flag():
    with pytest.raises(InvalidField, match="my_own"):
        Registry("sampler", {}).add("my own", object(), source="__main__:f")


def test_an_option_is_of_its_defaults_kind():
    # given
    def entry(*, strength=1.0, count=2, flip=False, mode="soft", parts=None):
        return strength, count, flip, mode, parts

    registry = Registry("hook", {})
    registry.add("entry", entry, source="__main__:entry")

    # when / then
    for key, wrong in [
        ("strength", "much"),
        ("count", True),
        ("count", 0.5),
        ("flip", 1),
        ("mode", 5),
    ]:
        with pytest.raises(InvalidField, match=f"option {key} of entry is") as caught:
            registry.bind("entry", {key: wrong})
        assert caught.value.fix.startswith(f"entry {key}=")
    whole = registry.bind("entry", {"strength": 3, "count": 4.0, "parts": (1, 2)})()
    assert whole == (3.0, 4, False, "soft", (1, 2))
    assert [type(value) for value in whole[:2]] == [float, int]
