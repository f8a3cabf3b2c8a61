"""Workflows of core nodes become requests; whatever else there is stands in the report."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

import sdnb
from sdnb.choice import Choice
from sdnb.errors import InvalidField
from sdnb.lora import Lora
from sdnb.picture import FromImage, FromNoise, Inpaint
from sdnb.records.comfyui import read_workflow
from sdnb.records.recalled import Recalled
from sdnb.request import GenerationRequest
from tests.records import workflows
from tests.records.workflows import Nodes, node, text_to_image


def read(nodes: Nodes, folder: Path | None = None) -> Recalled:
    return read_workflow(json.dumps(nodes), "a.json", folder)


def why(recalled: Recalled) -> dict[str, str]:
    return {line.what: line.why for line in recalled.differences}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Hold a picture, opaque but for its right half."""
    picture = Image.new("RGBA", (64, 48), "red")
    picture.putalpha(Image.fromarray(np.repeat(np.uint8([[255, 0]]), 32, 1).repeat(48, 0)))
    picture.save(tmp_path / "in.png")
    return tmp_path


def test_the_first_workflow_of_everybody_is_mapped_whole() -> None:
    recalled = read(text_to_image())
    assert recalled.differences == ()
    assert recalled.request == GenerationRequest(
        prompt="a (red:1.2) fish",
        negative_prompt="a dog",
        seed=77,
        steps=25,
        cfg_scale=6.5,
        width=512,
        height=768,
        sampler=Choice("dpmpp_2m"),
        schedule=Choice("karras"),
        checkpoint="tiny",
    )


def test_the_chunk_of_a_picture_is_read_and_runs(pipe, tmp_path: Path) -> None:
    # given
    nodes = text_to_image(steps=2)
    nodes["5"]["inputs"] |= {"width": 32, "height": 32}
    chunks = PngInfo()
    chunks.add_text("prompt", json.dumps(nodes))
    chunks.add_text("workflow", "{}")
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png", pnginfo=chunks)
    # when
    recalled = sdnb.read(tmp_path / "a.png")
    result = pipe.run(recalled.request)
    # then
    assert recalled.source == "ComfyUI"
    assert result.images[0].size == (32, 32)
    assert result.seeds == (77,)


def test_a_webp_of_comfyui_says_it_in_its_exif_data(tmp_path: Path) -> None:
    # given
    exif = Image.Exif()
    exif[0x0110] = f"prompt:{json.dumps(text_to_image())}"
    exif[0x010F] = 'workflow:{"nodes": []}'
    Image.new("RGB", (8, 8)).save(tmp_path / "a.webp", exif=exif)
    # then
    recalled = sdnb.read(tmp_path / "a.webp")
    assert recalled.source == "ComfyUI"
    assert recalled.request == read(text_to_image()).request


def test_a_picture_with_the_editors_workflow_alone_says_what_to_export(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010F] = 'workflow:{"nodes": []}'
    Image.new("RGB", (8, 8)).save(tmp_path / "a.webp", exif=exif)
    with pytest.raises(InvalidField, match="editor"):
        sdnb.read(tmp_path / "a.webp")


def test_an_ip_adapter_is_read_with_its_picture(folder: Path) -> None:
    # given
    nodes = workflows.adapted()
    # when
    found, without = read(nodes, folder), read(nodes)
    # then
    assert [str(adapter) for adapter in found.request.ip_adapters] == ["face:0.6:0.25-1"]
    assert "all layers" in why(found)["node 72 (IPAdapterAdvanced) weight_type"]
    assert "of the steps" in why(found)["node 72 (IPAdapterAdvanced) start_at, end_at"]
    assert "its picture" in why(without)["node 72 (IPAdapterAdvanced)"]


def test_an_ip_adapter_chosen_by_a_preset_is_named(folder: Path) -> None:
    # given
    nodes = workflows.adapted()
    nodes["70"] = node("IPAdapterUnifiedLoader", model=["4", 0], preset="PLUS (high strength)")
    nodes["72"]["inputs"] |= {"model": ["70", 0], "ipadapter": ["70", 1]}
    # when
    recalled = read(nodes, folder)
    # then
    assert recalled.request.ip_adapters == ()
    assert recalled.request.checkpoint == "tiny"
    assert "the name of its file" in why(recalled)["node 72 (IPAdapterAdvanced)"]


def test_loras_and_the_layer_of_the_text_encoder_are_read_in_order() -> None:
    recalled = read(workflows.with_loras())
    assert recalled.request.loras == (Lora("ink", 0.8, 0.5), Lora("b", 1.0, 0.0))
    assert recalled.request.clip_skip == 1
    assert "node 11 (LoraLoaderModelOnly)" in why(recalled)  # no such file here


def test_a_picture_is_opened_in_the_users_folder_only(folder: Path) -> None:
    # given
    nodes = workflows.image_to_image()
    nodes["20"]["inputs"]["image"] = "../../in.png"
    # when
    without, found = read(nodes), read(nodes, folder)
    # then
    assert without.request.start == FromNoise()
    assert "sdnb.read(path, folder=...)" in why(without)["node 20 (LoadImage)"]
    assert isinstance(found.request.start, FromImage)
    assert (found.request.width, found.request.height) == (64, 48)
    assert found.request.denoise == 0.6


def test_what_is_transparent_is_repainted(folder: Path) -> None:
    start = read(workflows.image_to_image(masked=True), folder).request.start
    assert isinstance(start, Inpaint)
    mask = np.asarray(start.mask.open())
    assert (mask[:, :32] == 0).all()
    assert (mask[:, 32:] == 255).all()


def test_a_second_sampler_is_a_second_pass() -> None:
    # given
    nodes = workflows.second_pass()
    # then
    recalled = read(nodes)
    assert str(recalled.request.hires) == "1.5x denoise=0.5 steps=12 upscale=latent"
    assert (recalled.request.steps, recalled.request.denoise) == (25, 1.0)
    assert recalled.differences == ()
    nodes["31"]["inputs"]["cfg"] = 3
    assert "both passes" in why(read(nodes))["node 31 (KSampler)"]


def test_a_third_pass_and_a_stretched_second_one_are_said() -> None:
    # given
    nodes = workflows.second_pass()
    nodes["32"] = node("LatentUpscaleBy", upscale_method="bilinear", scale_by=2, samples=["31", 0])
    nodes["33"] = node("KSampler", **nodes["31"]["inputs"] | {"latent_image": ["32", 0]})
    nodes["8"]["inputs"]["samples"] = ["33", 0]
    # when
    thrice = read(nodes)
    size = {"width": 1024, "height": 512, "crop": "disabled"}
    nodes["30"] = node("LatentUpscale", upscale_method="bilinear", samples=["3", 0], **size)
    nodes["8"]["inputs"]["samples"] = ["31", 0]
    stretched = read(nodes)
    # then
    assert str(thrice.request.hires) == "1.5x denoise=0.5 steps=12 upscale=latent"
    assert "two passes" in why(thrice)["node 33 (KSampler)"]
    assert "1024x512" in why(stretched)["node 30 (LatentUpscale)"]


@pytest.mark.parametrize("steps", [0, -0.5])
def test_a_second_pass_of_no_steps_is_left_out(steps: float) -> None:
    nodes = workflows.second_pass()
    nodes["31"]["inputs"]["steps"] = steps
    recalled = read(nodes)
    assert recalled.request.hires is None
    assert why(recalled)["node 31 (KSampler)"]


def test_a_controlnet_is_read_with_its_picture(folder: Path) -> None:
    request = read(workflows.controlled(), folder).request
    assert [str(control) for control in request.controls] == ["depth:0.7"]
    assert (request.prompt, request.negative_prompt) == ("a (red:1.2) fish", "a dog")


def test_the_last_steps_of_a_schedule_are_a_strength() -> None:
    request = read(workflows.advanced()).request
    assert (request.steps, request.strength, request.seed) == (25, 0.6, 77)
    assert request.steps_made == (15,)


def test_parts_of_a_prompt_are_joined_or_said() -> None:
    # given
    other = node("CLIPTextEncode", text="a cat", clip=["4", 1])
    nodes = text_to_image(positive=["51", 0]) | {"50": other}
    # when
    nodes["51"] = concatenated("6", "50")
    joined = read(nodes)
    nodes["51"] = node("ConditioningCombine", conditioning_1=["6", 0], conditioning_2=["50", 0])
    combined = read(nodes)
    # then
    assert joined.request.prompt == "a (red:1.2) fish BREAK a cat"
    assert combined.request.prompt == "a (red:1.2) fish"
    assert "left out" in why(combined)["node 51 (ConditioningCombine)"]


def test_unknown_nodes_are_named_with_what_they_block() -> None:
    # given
    nodes = text_to_image(model=["60", 0], sampler_name="magic", scheduler="odd")
    nodes["60"] = node("FreeU_V9", model=["4", 0], b1=1.1)
    nodes["61"] = node("FaceDetailer", image=["8", 0])
    nodes["9"]["inputs"]["images"] = ["61", 0]
    # when
    said = why(read(nodes))
    # then
    assert "to the model" in said["node 60 (FreeU_V9)"]
    assert "to the picture" in said["node 61 (FaceDetailer)"]
    assert "unknown here" in said["node 3 (KSampler) sampler_name"]
    assert "unknown here" in said["node 3 (KSampler) scheduler"]


def test_where_nothing_is_known_the_node_in_the_way_is_named() -> None:
    nodes = {"1": node("SaveImage", images=["2", 0]), "2": node("Painter", text="x")}
    with pytest.raises(InvalidField, match=r"node 2 \(Painter\)"):
        read(nodes)


def concatenated(to: str, other: str) -> dict[str, object]:
    inputs = {"conditioning_to": [to, 0], "conditioning_from": [other, 0]}
    return node("ConditioningConcat", **inputs)


def changed(change: Callable[[Nodes], object]) -> str:
    nodes = text_to_image()
    change(nodes)
    return json.dumps(nodes)


@pytest.mark.parametrize(
    "text",
    [
        *("", "[]", "{}", "3", "null", "[" * 100_000, '{"a": 3}', '{"a": {"class_type": 3}}'),
        '{"nodes": [], "links": []}',
        '{"a": {"class_type": "SaveImage", "inputs": 3}}',
        changed(lambda nodes: nodes.pop("6")),
        changed(lambda nodes: nodes["8"]["inputs"].update(samples=["9", 0])),
        changed(lambda nodes: nodes["3"]["inputs"].update(latent_image=["3", 0])),
        changed(lambda nodes: nodes["3"]["inputs"].update(latent_image=["8", 0])),
        changed(lambda nodes: nodes.update({"6": node("Loop", conditioning=["6", 0])})),
        changed(lambda nodes: nodes.update({"6": concatenated("6", "6")})),
    ],
)
def test_no_workflow_a_circle_or_a_missing_node_is_an_error(text: str) -> None:
    with pytest.raises(InvalidField) as caught:
        read_workflow(text, "a.json", None)
    assert caught.value.allowed


def test_a_request_of_sdnb_can_be_a_file(tmp_path: Path) -> None:
    request = GenerationRequest(prompt="a", seed=3)
    (tmp_path / "a.json").write_text(json.dumps(request.to_json()))
    assert sdnb.read(tmp_path / "a.json").request == request
