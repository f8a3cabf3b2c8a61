"""Checkpoints of every family draw what diffusers draws of them, from a folder and from a file."""

from functools import cache, partial

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL, StableDiffusionPipeline, StableDiffusionXLPipeline
from diffusers import UNet2DConditionModel as UNet
from PIL import Image

import sdnb
from sdnb.diffusion.noise import start_noise
from sdnb.models.families import FAMILIES, family_of_file
from sdnb.models.families.vocabulary import clip_tokenizer
from sdnb.models.original_configs import unet_config
from sdnb.models.original_names import unet_sources
from sdnb.models.text import encode_text, tokenize
from sdnb.registry import SCHEDULES
from tests.models.families.checkpoints import BUILDS, make, save_original

DRAWN = ["sd1", "sd2", "sdxl"]
PROMPT, NEGATIVE = "an astronaut riding a horse", "blurry"


@pytest.fixture(scope="module")
def theirs():
    return {name: make(BUILDS[name]) for name in BUILDS}


@pytest.fixture(scope="module")
def folders(theirs, tmp_path_factory):
    paths = {name: tmp_path_factory.mktemp("folder") for name in theirs}
    for name, path in paths.items():
        theirs[name].save_pretrained(path)
    return paths


@pytest.fixture(scope="module")
def files(theirs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    said = {"sd2": {"modelspec.prediction_type": "v"}}
    return {
        name: save_original(pipeline, BUILDS[name], folder / f"{name}.safetensors", said.get(name))
        for name, pipeline in theirs.items()
    }


@pytest.fixture(scope="module")
def loaded():
    """Load a path once; pipelines hold no state between runs."""
    return cache(lambda path: sdnb.load(str(path)))


@pytest.fixture
def leading():
    @sdnb.schedule("their_leading")
    def levels(steps, noise_schedule):
        chosen = noise_schedule.sigmas[[1 + 1000 // steps * i for i in reversed(range(steps))]]
        return torch.cat([chosen, chosen.new_zeros(1)])

    yield "their_leading"
    SCHEDULES.remove("their_leading")


def drawn(pipe, **changes):
    asked = {"seed": 5, "steps": 4, "width": 64, "height": 64, "cfg_scale": 3.0, **changes}
    return pipe.run(PROMPT, negative_prompt=NEGATIVE, sampler="ddim", **asked)


@pytest.mark.parametrize("name", DRAWN)
def test_a_picture_is_the_one_of_diffusers(name, theirs, folders, loaded, leading):
    # given
    ours = drawn(loaded(folders[name]), schedule=leading)
    start = ours.trace.x[0] / (1 + ours.trace.sigmas[0] ** 2) ** 0.5

    # when
    options = {"negative_prompt": NEGATIVE, "num_inference_steps": 4, "guidance_scale": 3.0}
    images = theirs[name](
        PROMPT, latents=start, output_type="np", height=64, width=64, **options
    ).images

    # then
    assert np.abs(np.round(images[0] * 255) - np.asarray(ours.images[0])).max() <= 1


@pytest.fixture
def repainting():
    """Give a picture and a mask whose edges fall between latents."""
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8))
    mask = Image.new("L", (64, 64))
    mask.paste(255, (13, 21, 45, 61))
    return picture, mask


def test_a_network_for_inpainting_repaints_as_in_diffusers(
    theirs, folders, loaded, repainting, leading
):
    # given: theirs begins from noise alone, ours with the picture under it
    picture, mask = repainting
    start = sdnb.Inpaint(sdnb.Picture.of(picture), sdnb.Picture.of(mask))
    pipe = loaded(folders["sd1 inpainting"])
    noise = start_noise((5,), (4, 8, 8))

    def bare(event):
        return noise * (1 + event.sigma_max**2) ** 0.5

    # when
    hooks = sdnb.Hooks(on_start=(bare,))
    ours = drawn(pipe, schedule=leading, start=start, hooks=hooks, cfg_scale=1.5)
    pipeline = theirs["sd1 inpainting"]
    pipeline.vae.encode = partial(mean_of, type(pipeline.vae).encode, pipeline.vae)
    latents = pipeline(
        PROMPT,
        negative_prompt=NEGATIVE,
        num_inference_steps=4,
        guidance_scale=1.5,
        image=picture,
        mask_image=mask,
        latents=noise,
        strength=1.0,
        output_type="latent",
        height=64,
        width=64,
    ).images

    # then
    assert (ours.latents - latents).norm() < 1e-4 * latents.norm()
    kept = np.asarray(mask) == 0
    assert np.array_equal(np.asarray(ours.images[0])[kept], np.asarray(picture)[kept])


def test_a_network_for_inpainting_draws_from_noise_too(folders, loaded):
    pipe = loaded(folders["sd1 inpainting"])
    two = pipe.run(PROMPT, seed=5, steps=2, width=64, height=64, batch_size=2)
    one = pipe.run(PROMPT, seed=6, steps=2, width=64, height=64)
    assert (two.latents[1] - one.latents[0]).norm() < 1e-4 * one.latents.norm()


def test_inpainting_runs_share_calls(folders, loaded, repainting):
    # given
    picture, mask = (sdnb.Picture.of(image) for image in repainting)
    pipe = loaded(folders["sd1 inpainting"])
    starts = [sdnb.Inpaint(picture, mask), sdnb.FromImage(picture)]
    fields = {"seed": 5, "steps": 2, "width": 64, "height": 64}

    # when
    together = sdnb.compare(pipe, PROMPT, start=starts, **fields)

    # then
    for result, start in zip(together.results, starts, strict=True):
        alone = pipe.run(PROMPT, start=start, **fields)
        assert (result.latents - alone.latents).norm() < 1e-4 * alone.latents.norm()


def mean_of(encode, vae, images):
    """Encode without chance."""
    answer = encode(vae, images)
    answer.latent_dist.std = torch.zeros_like(answer.latent_dist.std)
    return answer


@pytest.mark.parametrize("skip", [0, 1])
@pytest.mark.parametrize("name", [*DRAWN, "refiner"])
def test_a_text_becomes_the_vectors_of_diffusers(name, skip, theirs, folders, loaded):
    # given
    parts = loaded(folders[name]).components
    is_xl = name in ("sdxl", "refiner")

    # when
    ours = encode_text(parts, [PROMPT], clip_skip=skip)
    if is_xl:
        embeds, _, pooled, _ = theirs[name].encode_prompt(PROMPT, clip_skip=skip or None)
        assert torch.allclose(ours.pooled, pooled, atol=1e-5)
    elif skip == 0:  # theirs is broken with today's transformers
        embeds, _ = theirs[name].encode_prompt(PROMPT, "cpu", 1, False)
    else:
        return

    # then
    assert torch.allclose(ours.embeds, embeds, atol=1e-5)


@pytest.mark.parametrize("prompt", ["wow!!!", "!" * 80])
def test_a_letter_that_is_padding_elsewhere_is_a_letter_for_all_encoders(
    prompt, folders, files, loaded
):
    for paths in (folders, files):
        parts = loaded(paths["sdxl"]).components
        first, second = (tokenize(encoder, [prompt])[0] for encoder in parts.texts)
        said = [[token.id for token in row if token.piece] for row in (first, second)]
        assert said[0] == said[1]
        assert encode_text(parts, [prompt]).embeds.shape[1] == len(first)


@pytest.mark.parametrize("name", DRAWN)
def test_a_file_draws_what_its_folder_draws(name, folders, files, loaded):
    folder, file = loaded(folders[name]), loaded(files[name])
    assert file.components.family is folder.components.family
    assert file.components.prediction == folder.components.prediction
    ours, theirs = drawn(file).latents, drawn(folder).latents
    assert (ours - theirs).norm() < 1e-5 * theirs.norm()  # kernels round by where weights lie


@pytest.mark.parametrize("name", list(BUILDS))
def test_a_file_has_the_weights_of_its_folder(name, folders, files, loaded):
    folder, file = (loaded(path[name]).components for path in (folders, files))
    for ours, theirs in ((file.unet, folder.unet), (file.vae, folder.vae)):
        assert_same_weights(ours, theirs)
    for ours, theirs in zip(file.texts, folder.texts, strict=True):
        assert_same_weights(ours.network, theirs.network)


def assert_same_weights(first, second):
    first, second = first.state_dict(), second.state_dict()
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize(
    ("name", "kind"), [("sd1", StableDiffusionPipeline), ("sdxl", StableDiffusionXLPipeline)]
)
def test_the_files_here_are_what_diffusers_reads_as_single_files(
    name, kind, theirs, folders, files
):
    # otherwise these tests would be of a layout of our own
    unet = UNet.from_single_file(
        str(files[name]), config=str(folders[name]), subfolder="unet", local_files_only=True
    )
    vae = AutoencoderKL.from_single_file(
        str(files[name]), config=str(folders[name]), subfolder="vae", local_files_only=True
    )
    assert_same_weights(unet, theirs[name].unet)
    assert_same_weights(vae, theirs[name].vae)


PUBLISHED = {
    "SD1": {
        "block_out_channels": [320, 640, 1280, 1280],
        "cross_attention_dim": 768,
        "attention_head_dim": 8,
    },
    "SD2": {
        "block_out_channels": [320, 640, 1280, 1280],
        "cross_attention_dim": 1024,
        "attention_head_dim": [5, 10, 20, 20],
        "use_linear_projection": True,
    },
    "SDXL": {
        "block_out_channels": [320, 640, 1280],
        "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
        "up_block_types": ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"],
        "cross_attention_dim": 2048,
        "attention_head_dim": [5, 10, 20],
        "transformer_layers_per_block": [1, 2, 10],
        "use_linear_projection": True,
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": 256,
        "projection_class_embeddings_input_dim": 2816,
    },
    "SDXL refiner": {
        "block_out_channels": [384, 768, 1536, 1536],
        "down_block_types": ["DownBlock2D", *["CrossAttnDownBlock2D"] * 2, "DownBlock2D"],
        "up_block_types": ["UpBlock2D", *["CrossAttnUpBlock2D"] * 2, "UpBlock2D"],
        "cross_attention_dim": 1280,
        "attention_head_dim": [6, 12, 24, 24],
        "transformer_layers_per_block": 4,
        "use_linear_projection": True,
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": 256,
        "projection_class_embeddings_input_dim": 2560,
    },
}


@pytest.mark.parametrize("inputs", [4, 9])
@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_the_network_of_a_published_checkpoint_is_read_off_its_shapes(family, inputs):
    # given: the published configuration at its full size, without memory for weights
    with torch.device("meta"):
        network = UNet(**PUBLISHED[family.name], in_channels=inputs)
        find = unet_sources(network.state_dict(), 2)
        tensors = network.state_dict().items()
        shapes = {find(name).name: tuple(tensor.shape) for name, tensor in tensors}

        # when
        read = UNet.from_config(unet_config(shapes, family))

    # then
    assert {name: tensor.shape for name, tensor in read.state_dict().items()} == {
        name: tensor.shape for name, tensor in tensors
    }
    for module, other in zip(network.modules(), read.modules(), strict=True):
        assert getattr(module, "heads", None) == getattr(other, "heads", None)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_no_file_is_of_two_families(family, theirs, tmp_path):
    names = {"SD1": "sd1", "SD2": "sd2", "SDXL": "sdxl", "SDXL refiner": "refiner"}
    name = names[family.name]
    path = save_original(theirs[name], BUILDS[name], tmp_path / "a.safetensors")
    from sdnb.models.weights import open_weights

    with open_weights(path) as weights:
        assert family_of_file(weights.shapes) is family
        assert [each for each in FAMILIES if each.recognises(weights.shapes)] == [family]


def test_the_tokenizer_is_the_one_of_clip():
    # ids as they are published for CLIP
    tokenizer = clip_tokenizer()
    assert len(tokenizer) == 49408
    assert tokenizer("a photo of a cat")["input_ids"] == [49406, 320, 1125, 539, 320, 2368, 49407]
    assert tokenizer("!").input_ids[1:-1] == [256]
    assert tokenizer.pad_token_id == 49407
    assert tokenizer.model_max_length == 77
