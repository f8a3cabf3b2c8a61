"""IP-Adapters draw after a picture as they do in diffusers' pipelines, and leave no trace."""

import json
from dataclasses import replace
from shutil import copy, copytree

import pytest
import torch
from diffusers import StableDiffusionPipeline, StableDiffusionXLPipeline
from safetensors.torch import load_file, save_file
from transformers import CLIPImageProcessorPil, CLIPVisionModelWithProjection

import sdnb
from sdnb.errors import InvalidField, LoadError
from sdnb.ip_adapter import IPAdapter
from sdnb.models.hashing import hash_checkpoint
from sdnb.registry import SCHEDULES
from sdnb.request import GenerationRequest
from tests.models.controlnets import picture, random_controlnet, save_diffusers
from tests.models.families.checkpoints import BUILDS, make
from tests.models.image_encoders import HIDDEN, PROJECTED, SIDE, image_encoder, published

PROMPT, NEGATIVE, STEPS = "an astronaut riding a horse", "blurry", 4
KINDS = {"sd1": StableDiffusionPipeline, "sdxl": StableDiffusionXLPipeline}
ENCODER = "image_encoder/model.safetensors"


def tensors_of(unet, kind, seed=0):
    """Make an IP-Adapter with random weights in the layout that they are published in."""
    random = torch.Generator().manual_seed(seed)

    def some(*shape):
        return torch.randn(*shape, generator=random) / shape[-1] ** 0.5

    width = unet.config.cross_attention_dim
    if kind == "plain":
        project = {"proj.weight": some(4 * width, PROJECTED), "proj.bias": some(4 * width)}
        project |= {"norm.weight": torch.ones(width), "norm.bias": some(width)}
    else:
        project = {"latents": some(1, 3, 64), "norm_out.weight": torch.ones(width)}
        project |= {"norm_out.bias": some(width), "proj_in.weight": some(64, HIDDEN)}
        project |= {"proj_in.bias": some(64), "proj_out.weight": some(width, 64)}
        project |= {"proj_out.bias": some(width)}
        for layer in range(4):
            first, second = f"layers.{layer}.0", f"layers.{layer}.1"
            for norm in ("norm1", "norm2"):
                project |= {f"{first}.{norm}.weight": torch.ones(64)}
                project |= {f"{first}.{norm}.bias": some(64)}
            project |= {f"{first}.to_q.weight": some(64, 64)}
            project |= {f"{first}.to_kv.weight": some(128, 64)}
            project |= {f"{first}.to_out.weight": some(64, 64)}
            project |= {f"{second}.0.weight": torch.ones(64), f"{second}.0.bias": some(64)}
            project |= {f"{second}.1.weight": some(256, 64)}
            project |= {f"{second}.3.weight": some(64, 256)}
    layers = {}
    for number, name in enumerate(unet.attn_processors):
        if "attn2" in name:
            inner = unet.get_submodule(name.removesuffix(".processor")).to_k.out_features
            for role in ("to_k_ip", "to_v_ip"):
                layers[f"{number}.{role}.weight"] = some(inner, width)
    named = {"image_proj": project, "ip_adapter": layers}
    return {f"{part}.{key}": each for part, all in named.items() for key, each in all.items()}


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """Write models, IP-Adapters for them and their image encoder; the folder."""
    folder = tmp_path_factory.mktemp("ip")
    image_encoder().save_pretrained(folder / "image_encoder")
    for name in KINDS:
        made = make(BUILDS[name])
        made.save_pretrained(folder / name)
        for kind in ("plain", "plus"):
            save_file(tensors_of(made.unet, kind), folder / f"{name}-{kind}.safetensors")
    return folder


@pytest.fixture(scope="module")
def pipes(places):
    return {name: sdnb.load(str(places / name)) for name in KINDS}


@pytest.fixture
def leading():
    @sdnb.schedule("their_leading")
    def levels(steps, noise_schedule):
        chosen = noise_schedule.sigmas[[1 + 1000 // steps * i for i in reversed(range(steps))]]
        return torch.cat([chosen, chosen.new_zeros(1)])

    yield "their_leading"
    SCHEDULES.remove("their_leading")


def adapter(places, name="sd1-plain", number=0, **fields):
    reference = str(places / f"{name}.safetensors")
    return IPAdapter(picture=picture(number), reference=reference, **{"weight": 0.7, **fields})


def drawn(pipe, *adapters, **changes):
    asked = {"seed": 5, "steps": STEPS, "width": 64, "height": 64, "cfg_scale": 3.0, **changes}
    return pipe.run(PROMPT, negative_prompt=NEGATIVE, ip_adapters=adapters, **asked)


@pytest.mark.parametrize(
    ("name", "kinds"),
    [("sd1", ["plain"]), ("sd1", ["plus"]), ("sd1", ["plain", "plus"]), ("sdxl", ["plain"])],
)
def test_a_picture_is_drawn_after_as_in_diffusers(places, pipes, leading, name, kinds):
    # given
    weights = [0.7, 0.4][: len(kinds)]
    adapters = [
        adapter(places, f"{name}-{kind}", number, weight=weight)
        for number, (kind, weight) in enumerate(zip(kinds, weights, strict=True))
    ]
    ours = drawn(pipes[name], *adapters, sampler="ddim", schedule=leading)
    bare = drawn(pipes[name], sampler="ddim", schedule=leading)

    # when
    theirs = make(BUILDS[name])
    theirs.register_modules(
        image_encoder=image_encoder(),
        feature_extractor=CLIPImageProcessorPil(size=SIDE, crop_size=SIDE),
    )
    files = [f"{name}-{kind}.safetensors" for kind in kinds]
    theirs.load_ip_adapter(str(places), subfolder="", weight_name=files, local_files_only=True)
    theirs.set_ip_adapter_scale(weights)
    latents = theirs(
        PROMPT,
        negative_prompt=NEGATIVE,
        ip_adapter_image=[each.picture.open() for each in adapters],
        latents=ours.trace.x[0] / (1 + ours.trace.sigmas[0] ** 2) ** 0.5,
        num_inference_steps=STEPS,
        guidance_scale=3.0,
        output_type="latent",
        height=64,
        width=64,
    ).images

    # then
    assert (ours.latents - latents).norm() < 1e-4 * latents.norm()
    assert (ours.latents - bare.latents).norm() > 1e-2 * latents.norm()


def test_the_network_is_as_it_was(places, pipes):
    # given
    unet = pipes["sd1"].components.unet
    before, processors = drawn(pipes["sd1"]).latents, dict(unet.attn_processors)
    names = [name for name, _ in unet.named_parameters()]

    # when
    run = pipes["sd1"].start(PROMPT, ip_adapters=adapter(places), steps=2, width=64, height=64)
    for _event in run:
        assert all(unet.attn_processors[name] is each for name, each in processors.items())

    # then
    assert [name for name, _ in unet.named_parameters()] == names
    assert torch.equal(drawn(pipes["sd1"]).latents, before)


def test_an_interrupt_in_the_network_leaves_no_trace(places, pipes):
    # given
    unet = pipes["sd1"].components.unet
    processors = dict(unet.attn_processors)

    def interrupt(_event):
        raise KeyboardInterrupt

    # when
    with pytest.raises(KeyboardInterrupt):
        drawn(pipes["sd1"], adapter(places), hooks=sdnb.Hooks.at("module.mid_block", interrupt))

    # then
    assert all(unet.attn_processors[name] is each for name, each in processors.items())


def test_without_weight_or_a_whole_step_it_is_no_adapter_at_all(places, pipes):
    bare = drawn(pipes["sd1"]).latents
    for fields in ({"weight": 0.0}, {"end": 0.2}):
        assert torch.equal(drawn(pipes["sd1"], adapter(places, **fields)).latents, bare)


def test_runs_after_other_pictures_draw_as_they_would_alone(places, pipes):
    # given
    pipe = pipes["sd1"]
    ways = [(), (adapter(places),), (adapter(places, number=1),), (adapter(places, begin=0.5),)]

    # when
    together = sdnb.compare(pipe, PROMPT, ip_adapters=ways, seed=5, steps=2, width=64, height=64)

    # then
    for result, way in zip(together.results, ways, strict=True):
        alone = pipe.run(PROMPT, ip_adapters=way, seed=5, steps=2, width=64, height=64)
        assert (result.latents - alone.latents).norm() < 1e-4 * alone.latents.norm()


def test_it_goes_with_controls_attention_and_hooks_inside(places, pipes, tmp_path):
    # given
    pipe = pipes["sd1"]
    depth = save_diffusers(random_controlnet(pipe.components.unet), tmp_path / "d.safetensors")
    control = sdnb.control.Control(picture=picture(2), reference=depth, weight=0.5)
    seen = []

    # when
    plain = drawn(pipe, adapter(places), controls=control)
    hooks = sdnb.Hooks.at("module.mid_block", lambda event: seen.append(event.path))
    watched = drawn(pipe, adapter(places), controls=control, attention=True, hooks=hooks)

    # then
    torch.testing.assert_close(watched.latents, plain.latents, atol=1e-4, rtol=0)
    assert watched.attention is not None
    assert len(seen) == STEPS
    assert (plain.latents - drawn(pipe, controls=control).latents).norm() > 1e-2


def test_the_request_keeps_the_picture_and_the_hash(places, pipes):
    # given
    result = drawn(pipes["sd1"], adapter(places))

    # when
    stored = json.loads(json.dumps(result.request.to_json()))
    again = GenerationRequest.from_json(stored)

    # then
    assert again == result.request
    assert len(again.ip_adapters[0].sha256) == 64
    assert again.ip_adapters[0].image_encoder == hash_checkpoint(places / ENCODER)
    assert torch.equal(pipes["sd1"].run(again).latents, result.latents)
    with pytest.raises(LoadError, match="another file"):
        drawn(pipes["sd1"], replace(again.ip_adapters[0], sha256="ab" * 32))
    with pytest.raises(LoadError, match="image encoder is another"):
        drawn(pipes["sd1"], replace(again.ip_adapters[0], image_encoder="ab" * 32))


def test_an_image_encoder_may_lie_in_several_files(places, pipes, tmp_path):
    # given
    folder = tmp_path / "image_encoder"
    image_encoder().save_pretrained(folder, max_shard_size="100KB")
    assert len(list(folder.glob("*.safetensors"))) > 1
    copy(places / "sd1-plain.safetensors", tmp_path)

    # when
    parted = drawn(pipes["sd1"], adapter(tmp_path), steps=1)
    whole = drawn(pipes["sd1"], adapter(places), steps=1)

    # then: other weights are another encoder, by its hash
    assert torch.equal(parted.latents, whole.latents)
    first = sorted(folder.glob("*.safetensors"))[0]
    save_file({key: each + 1 for key, each in load_file(first).items()}, first)
    with pytest.raises(LoadError, match="image encoder is another"):
        pipes["sd1"].run(parted.request)


def test_an_image_encoder_that_is_a_pickle_is_refused_as_one(places, pipes, tmp_path):
    # given
    own = tmp_path / "models" / "own"
    (own / "image_encoder").mkdir(parents=True)
    (own / "image_encoder" / "pytorch_model.bin").write_bytes(b"any code")
    copy(places / "sd1-plain.safetensors", own)

    # when, then
    with pytest.raises(LoadError, match="is a pickle") as refusal:
        drawn(pipes["sd1"], adapter(own))
    assert "pytorch_model.bin" in str(refusal.value)


@pytest.mark.parametrize("is_near", [True, False])
def test_image_encoders_are_found_where_comfyui_has_them(
    places, pipes, tmp_path, monkeypatch, is_near
):
    # given: the same encoder in its own folder, and as one file beside one that does not fit
    own, models = tmp_path / "own", tmp_path / "models"
    published("ViT-L").save_pretrained(own / "image_encoder")
    for folder in (models / "clip_vision" / "SD1.5", models / "ipadapter", tmp_path / "a" / "b"):
        folder.mkdir(parents=True)
    (models / "clip_vision" / "A.safetensors").write_text("no weights")
    image_encoder(projection_dim=8).save_pretrained(models / "clip_vision" / "other")
    copy(own / "image_encoder" / "model.safetensors", models / "clip_vision" / "SD1.5")
    away = models / "ipadapter" if is_near else tmp_path / "a" / "b"
    for folder in (own, away):
        copy(places / "sd1-plain.safetensors", folder)
    if not is_near:
        monkeypatch.setenv("SDNB_MODELS", str(models))

    # when
    beside, far = (drawn(pipes["sd1"], adapter(folder), steps=1) for folder in (own, away))

    # then
    assert torch.equal(beside.latents, far.latents)
    assert beside.request.ip_adapters[0].image_encoder == far.request.ip_adapters[0].image_encoder


def test_another_image_encoder_sees_another_picture(places, pipes, tmp_path):
    # given: one file at two places, each beside an encoder of its own
    for number in range(2):
        beside = tmp_path / str(number)
        copytree(places / "image_encoder", beside / "image_encoder")
        copy(places / "sd1-plain.safetensors", beside)
    others = CLIPVisionModelWithProjection(image_encoder().config).eval()

    # when
    drawings = [drawn(pipes["sd1"], adapter(tmp_path / "0"), steps=1).latents]
    others.save_pretrained(tmp_path / "1" / "image_encoder")
    drawings.append(drawn(pipes["sd1"], adapter(tmp_path / "1"), steps=1).latents)
    others.save_pretrained(tmp_path / "0" / "image_encoder")
    drawings.append(drawn(pipes["sd1"], adapter(tmp_path / "0"), steps=1).latents)

    # then
    assert not torch.allclose(drawings[0], drawings[1], atol=1e-3)
    assert torch.equal(drawings[1], drawings[2])


def test_it_is_written_as_a_control_is(tmp_path):
    picture().open().save(tmp_path / "photo.png")
    read = IPAdapter.parse(f"{tmp_path}/photo.png:plus:0.6:0-0.5")
    assert (read.reference, read.weight, read.end) == ("plus", 0.6, 0.5)
    with pytest.raises(InvalidField, match="ip_adapters"):
        GenerationRequest(ip_adapters=3)


def test_the_embedded_model_has_none(pipe, places):
    with pytest.raises(LoadError, match="embedded model"):
        drawn(pipe, adapter(places))


def refused(pipe, path, words):
    with pytest.raises(LoadError, match=words) as caught:
        drawn(pipe, IPAdapter(picture=picture(), reference=str(path)))
    assert str(path) in str(caught.value)
    assert caught.value.fix


def test_what_is_no_adapter_for_this_model_is_refused(places, pipes, tmp_path):
    # given
    pipe = pipes["sd1"]
    tensors = tensors_of(pipe.components.unet, "plain", seed=9)
    alone = tmp_path / "far" / "away"
    alone.mkdir(parents=True)
    save_file(tensors, alone / "blind.safetensors")
    faces = {**tensors, "image_proj.proj.0.weight": torch.zeros(8, 4)}
    del faces["image_proj.proj.weight"]
    save_file(faces, tmp_path / "faces.safetensors")
    save_file({"x": torch.zeros(2)}, tmp_path / "other.safetensors")
    (tmp_path / "text.safetensors").write_text("a photo")
    (tmp_path / "pickle.bin").write_bytes(b"pickle")
    before = drawn(pipe).latents

    # when, then
    refused(pipe, alone / "blind.safetensors", "image encoder")
    refused(pipe, tmp_path / "faces.safetensors", "faces")
    refused(pipe, tmp_path / "other.safetensors", "no IP-Adapter")
    refused(pipe, tmp_path / "text.safetensors", "no weights")
    refused(pipe, tmp_path / "pickle.bin", "pickle")
    refused(pipe, tmp_path / "missing.safetensors", "no IP-Adapter of this name")
    refused(pipe, places / "sdxl-plain.safetensors", "another family")
    assert torch.equal(drawn(pipe).latents, before)


def test_offloaded_it_comes_with_the_network_and_its_image_encoder_leaves(places, pipes):
    # given
    loaded = sdnb.load(str(places / "sd1"), offload=True)
    parts, seen = loaded.components, []

    def is_there(network):
        weights = list(network.parameters())
        return {parts.offload.address(each) != each.data_ptr() for each in weights}

    def look(event):
        (encoder,) = parts.ip_adapters._encoders._kept.values()
        worn = parts.ip_adapters.networks(run.request.ip_adapters)
        seen.append((is_there(encoder.network), *map(is_there, worn)))

    # when
    asked = {"seed": 5, "steps": 2, "width": 64, "height": 64, "ip_adapters": (adapter(places),)}
    run = loaded.start(PROMPT, hooks=sdnb.Hooks(on_denoise=(look,)), **asked)
    images = run.finish().images

    # then
    assert len(seen) == 2
    assert all(encoder == {False} and set.union(*worn) == {True} for encoder, *worn in seen)
    assert images == pipes["sd1"].run(PROMPT, **asked).images
