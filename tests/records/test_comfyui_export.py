"""Requests become workflows of documented nodes, and come back from them."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

import sdnb
from sdnb.choice import Choice
from sdnb.control import Control
from sdnb.hook_use import HookUse
from sdnb.ip_adapter import IPAdapter
from sdnb.lora import Lora
from sdnb.picture import FromImage, FromNoise, Inpaint, Picture
from sdnb.records.comfyui import read_workflow
from sdnb.records.comfyui_export import Exported, write_workflow
from sdnb.records.comfyui_nodes import SAMPLER_NODES, SAMPLERS_THERE, SCHEDULES_THERE
from sdnb.registry import SAMPLERS, SCHEDULES
from sdnb.request import GenerationRequest
from tests.records.documented_nodes import check
from tests.records.workflows import text_to_image

RED, BLUE, GREY = (Picture.of(Image.new("RGB", (64, 48), each)) for each in ("red", "blue", "grey"))
SCALES = ["1.5x denoise=0.5 steps=7 upscale=latent", "2x denoise=0.3 upscale=lanczos"]
SCALES += ["1.25x denoise=0.5 upscale=latent_nearest", "1.5x denoise=1 upscale=latent_bicubic"]
WEIGHTS = st.floats(-100, 100)
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "prompt": st.sampled_from(["a (red:1.2) fish", "a BREAK b BREAK c", "", 'two\n"lines" <b>']),
    "negative_prompt": st.sampled_from(["", "snow", "x BREAK y"]),
    "seed": st.integers(0, 2**64 - 1),
    "batch_size": st.integers(1, 64),
    "width": st.integers(2, 1024).map(lambda side: side * 8),
    "height": st.integers(2, 1024).map(lambda side: side * 8),
    "steps": st.integers(1, 1000),
    "cfg_scale": st.floats(0, 100),
    "sampler": st.sampled_from(sorted(SAMPLERS_THERE)).map(Choice)
    | st.floats(1.01, 100).map(lambda eta: Choice("dpmpp_2m_sde", (("eta", eta),))),
    "schedule": st.sampled_from(sorted(SCHEDULES_THERE)).map(Choice),
    "denoise": st.floats(0.01, 1),
    "start": st.sampled_from([FromNoise(), FromImage(RED), Inpaint(RED, GREY)]),
    "hires": st.none() | st.sampled_from(SCALES),
    "loras": st.lists(st.builds(Lora, st.just("ink"), WEIGHTS, WEIGHTS), max_size=2).map(tuple),
    "controls": st.lists(
        st.builds(
            lambda weight, end: Control(picture=BLUE, reference="depth", weight=weight, end=end),
            st.floats(0, 10),
            st.floats(0.1, 1),
        ),
        max_size=2,
    ).map(tuple),
    "clip_skip": st.integers(0, 23),
}
REQUESTS = st.fixed_dictionaries(FIELDS).map(
    lambda fields: GenerationRequest(checkpoint="tiny", **fields)
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Hold all pictures of the requests above, as ComfyUI's input folder would."""
    start, control = Inpaint(RED, GREY), Control(picture=BLUE, reference="depth")
    write_workflow(GenerationRequest(start=start, controls=(control,))).save(tmp_path / "a.json")
    return tmp_path


def read(exported: Exported, folder: Path | None = None) -> GenerationRequest:
    return read_workflow(exported.text, "a.json", folder).request


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(request_=REQUESTS)
def test_a_request_comes_back_from_documented_nodes(
    folder: Path, request_: GenerationRequest
) -> None:
    # when
    exported = write_workflow(request_)
    # then
    check(exported.nodes)
    assert read(exported, folder) == request_


@pytest.mark.parametrize(
    ("sampler", "schedule"),
    [
        ("euler_ancestral eta=0.5 s_noise=0.9", "karras"),
        ("dpmpp_2s_ancestral eta=0.5", "normal"),
        ("dpmpp_sde eta=0.5 r=0.4", "simple"),
        ("dpmpp_2m_sde eta=0.5 solver_type=heun", "karras rho=5.0"),
        ("dpmpp_3m_sde s_noise=0.9", "exponential"),
        ("lms order=2", "polyexponential"),
        ("dpm_adaptive order=2 rtol=0.01", "karras"),
        ("euler", "polyexponential rho=2.0"),
        ("heun", "beta alpha=0.5 beta=0.7"),
        ("heun", "align_your_steps table=sdxl"),
        ("heun", "align_your_steps"),
    ],
)
@pytest.mark.parametrize("strength", [None, 0.6])
def test_options_stand_on_nodes_of_their_own(
    sampler: str, schedule: str, strength: float | None
) -> None:
    # given
    wanted = GenerationRequest(
        prompt="a", seed=7, width=64, height=64, checkpoint="tiny", steps=20, strength=strength
    ).changed(sampler=sampler, schedule=schedule)
    # when
    exported = write_workflow(wanted)
    # then
    check(exported.nodes)
    assert read(exported) == wanted
    kinds = [node["class_type"] for node in exported.nodes.values()]
    assert "SamplerCustom" in kinds
    assert ("SplitSigmas" in kinds) == (strength is not None)


def test_levels_of_ones_own_are_written_out() -> None:
    wanted = GenerationRequest(seed=1, width=64, height=64, schedule="custom sigmas=14.6,5.0,0.0")
    exported = write_workflow(wanted)
    check(exported.nodes)
    assert read(exported).schedule == wanted.schedule


@pytest.mark.parametrize("steps", [1, 7, 20, 49, 1000])
@pytest.mark.parametrize("strength", [0.17, 0.5, 0.99, 1.0])
def test_the_last_steps_are_the_same_ones(steps: int, strength: float) -> None:
    if int(steps * strength) < 1:
        return
    wanted = GenerationRequest(seed=1, width=64, height=64, steps=steps, strength=strength)
    exported = write_workflow(wanted)
    check(exported.nodes)
    again = read(exported)
    assert (again.steps, again.steps_made) == (wanted.steps, wanted.steps_made)


@pytest.mark.parametrize("sampler", SAMPLERS.names())
@pytest.mark.parametrize("schedule", ["karras", "trailing"])
def test_every_sampler_is_written_or_said(sampler: str, schedule: str) -> None:
    # given
    wanted = GenerationRequest(seed=1, width=64, height=64, sampler=sampler, schedule=schedule)
    # when
    exported = write_workflow(wanted)
    # then
    check(exported.nodes)
    why = {line.what: line.why for line in exported.differences}
    assert (sampler in SAMPLERS_THERE) == (read(exported).sampler == wanted.sampler)
    assert sampler in SAMPLERS_THERE or "none of this name" in why["sampler"]
    assert schedule in SCHEDULES_THERE or "none of this name" in why["schedule"]


def test_the_names_in_the_tables_are_sdnbs_own() -> None:
    assert set(SAMPLERS_THERE) <= set(SAMPLERS.names())
    assert set(SCHEDULES_THERE) <= set(SCHEDULES.names())
    for name, node in SAMPLER_NODES.items():
        assert node.options.keys() <= SAMPLERS.options(name).keys()


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({"hooks": (HookUse("step", Choice("dim")),)}, "hook"),
        ({"ip_adapters": (IPAdapter(picture=RED, reference="face"),)}, "ip_adapter"),
        ({"embeddings": ("style.safetensors",)}, "embedding"),
        ({"syntax": "plain"}, "syntax"),
        ({"syntax": "a1111", "prompt": "a ((red)) fish"}, "prompt"),
        ({"prompt": "a [red:blue:0.5] fish"}, "prompt"),
        ({"prompt": "(a BREAK b:1.2)"}, "prompt"),
        ({"sampler": "ddim eta=0.5"}, "sampler"),
        ({"sampler": "dpm_2", "schedule": "karras rho=5"}, "schedule"),
        ({"cfg_scale": -2.0}, "cfg_scale"),
        ({"schedule": "beta alpha=0.5", "sampler": "euler", "denoise": 5e-324}, "denoise"),
        ({"schedule": "custom sigmas=9,5,1,0", "sampler": "euler", "strength": 0.5}, "strength"),
        ({"clip_skip": 40}, "clip_skip"),
        ({"seed": None}, "seed"),
        ({"width": None}, "size"),
        ({"checkpoint": None}, "checkpoint"),
        ({"checkpoint": "org/name"}, "checkpoint"),
        ({"batch_size": 2}, "batch_size"),
        ({"start": Inpaint(RED, GREY)}, "mask"),
        ({"loras": ("a:200",)}, "lora"),
        ({"controls": (Control(picture=RED, reference="d", weight=20),)}, "control"),
        ({"controls": (Control(picture=RED, reference="d", end=0.5),)}, "control"),
    ],
)
def test_what_cannot_be_said_stands_in_the_report(changed: dict[str, Any], what: str) -> None:
    # given
    plain = GenerationRequest(prompt="a", seed=1, width=64, height=48, checkpoint="a")
    assert write_workflow(plain).differences == ()
    # when
    exported = write_workflow(plain.changed(**changed))
    # then
    check(exported.nodes)
    assert [line.what for line in exported.differences] == [what]


def test_a_workflow_is_saved_with_its_pictures_and_read_again(tmp_path: Path) -> None:
    # given
    wanted = GenerationRequest(seed=1, width=64, height=48, start=FromImage(RED), denoise=0.5)
    # when
    paths = write_workflow(wanted).save(tmp_path / "flow" / "a.json")
    again = write_workflow(wanted).save(tmp_path / "flow" / "a.json")
    # then
    recalled = sdnb.read(paths[0], folder=tmp_path / "flow")
    assert recalled.request.start == wanted.start
    assert [path.name for path in again] == ["a-2.json", paths[1].name]
    assert write_workflow(recalled.request).nodes.keys() == recalled.workflow().nodes.keys()


def test_what_a_workflow_says_it_says_again() -> None:
    recalled = read_workflow(json.dumps(text_to_image()), "a.json", None)
    assert read(recalled.workflow()) == recalled.request


def test_the_report_shows_what_is_there_and_here() -> None:
    hook = HookUse("step", Choice("<b>"))
    bundle = write_workflow(GenerationRequest(hooks=(hook,)))._repr_mimebundle_()
    assert "cannot match" in bundle["text/plain"]
    assert "step:&lt;b&gt;" in bundle["text/html"]
