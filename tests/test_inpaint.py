"""Inpainting: what the mask keeps is kept, what it frees is drawn as without a mask."""

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from sdnb.errors import InvalidField, ModelError
from sdnb.events import DenoiseEvent, Hooks, ModelEvent
from sdnb.inpaint import latent_mask
from sdnb.models.vae import decode_latents, to_pil
from sdnb.picture import FromImage, FromNoise, Inpaint, Picture, masked
from sdnb.registry import SAMPLERS
from sdnb.request import GenerationRequest
from sdnb.start import Opening

SIZE = (64, 64)
PROMPT = "a blue house at night"


def mask_of(*, white: tuple[int, int, int, int] | None, size: tuple[int, int] = SIZE) -> Picture:
    mask = Image.new("L", size, "black")
    if white is not None:
        ImageDraw.Draw(mask).rectangle(white, fill="white")
    return Picture.of(mask)


BLACK = mask_of(white=None)
WHITE = mask_of(white=(0, 0, 63, 63))
RIGHT = mask_of(white=(32, 0, 63, 63))


@pytest.fixture(scope="module")
def picture(pipe):
    return Picture.of(pipe.run("a yellow star", seed=3, steps=6, width=64, height=64).images[0])


def request_of(start, **fields):
    size = {"width": 64, "height": 64}
    return GenerationRequest(prompt=PROMPT, seed=5, steps=4, start=start, **size, **fields)


def pixels(image):
    return np.asarray(image.convert("RGB"))


@pytest.mark.parametrize("sampler", SAMPLERS.names())
def test_what_the_mask_keeps_ends_as_the_picture_s_latents(pipe, picture, sampler):
    # given
    request = request_of(Inpaint(picture, RIGHT), sampler=sampler)
    opening = Opening(pipe.components, request, (5,))

    # when
    result = pipe.run(request)

    # then
    off = (result.latents - opening.clean).abs()[..., :4]
    left = 1.01 * result.trace.sigmas[-1] * opening.eps.abs()  # some end a little above 0
    assert bool((off <= left[..., :4] + 1e-5).all())
    assert not torch.allclose(result.latents[..., 4:], opening.clean[..., 4:], atol=0.1)


@pytest.mark.parametrize("sampler", ["euler", "dpmpp_2m", "euler_ancestral", "euler_cfg_pp"])
@pytest.mark.parametrize("denoise", [1.0, 0.6])
def test_an_all_white_mask_is_no_mask(pipe, picture, sampler, denoise):
    # when
    fields = {"sampler": sampler, "denoise": denoise}
    repainted = pipe.run(request_of(Inpaint(picture, WHITE), **fields))
    redrawn = pipe.run(request_of(FromImage(picture), **fields))

    # then
    assert torch.equal(repainted.latents, redrawn.latents)
    assert pixels(repainted.images[0]).tolist() == pixels(redrawn.images[0]).tolist()


@pytest.mark.parametrize("denoise", [1.0, 0.4])
def test_an_all_black_mask_gives_the_picture_itself_and_says_so(pipe, picture, denoise):
    # when
    result = pipe.run(request_of(Inpaint(picture, BLACK), denoise=denoise))

    # then
    assert pixels(result.images[0]).tolist() == pixels(picture.open()).tolist()
    assert any("mask" in notice for notice in result.notices)
    assert not pipe.run(request_of(Inpaint(picture, RIGHT))).notices


def test_kept_pixels_are_the_picture_s_own_also_in_previews_and_interrupted_runs(pipe, picture):
    # given
    run = pipe.start(request_of(Inpaint(picture, RIGHT)))
    run.step()

    # when
    preview = run.preview()[0]
    run.cancel()
    interrupted = run.finish().images[0]
    finished = pipe.run(request_of(Inpaint(picture, RIGHT))).images[0]

    # then
    original = pixels(picture.open())
    for image in (preview, interrupted, finished):
        assert pixels(image)[:, :32].tolist() == original[:, :32].tolist()
        assert pixels(image)[:, 32:].tolist() != original[:, 32:].tolist()


def test_less_denoising_stays_nearer_to_what_was_there(pipe, picture):
    # when
    near, far = (
        pipe.run(request_of(Inpaint(picture, RIGHT), denoise=share)) for share in (0.1, 1.0)
    )

    # then
    clean = Opening(pipe.components, near.request, (5,)).clean
    assert float((near.latents - clean).norm()) < 0.5 * float((far.latents - clean).norm())


def test_hooks_see_what_the_network_sees_and_cannot_undo_what_is_kept(pipe, picture):
    # given
    asked = []

    def erase(event: DenoiseEvent):
        return torch.zeros_like(event.denoised)

    hooks = Hooks(on_model=(asked.append,), on_denoise=(erase,))
    run = pipe.start(request_of(Inpaint(picture, RIGHT), sampler="euler"), hooks=hooks)

    # when
    events = list(run)

    # then
    opening = Opening(pipe.components, run.request, (5,))
    for event in asked:
        known = opening.clean + event.sigma * opening.eps
        assert torch.allclose(event.x[..., :4], known[..., :4], atol=1e-5)
    answers = [event for event in events if isinstance(event, DenoiseEvent)]
    for event in answers:
        assert torch.equal(event.denoised[..., :4], opening.clean[..., :4])
        assert torch.equal(event.denoised[..., 4:], torch.zeros_like(event.denoised[..., 4:]))
    assert [type(event) for event in asked] == [ModelEvent] * len(answers)
    assert run.request.hooks == run.finish().request.hooks
    assert len(run.request.hooks) == 2  # the user's: what keeps the region follows from the start


@pytest.mark.parametrize(
    "sampler", ["euler", "heun", "dpmpp_2m", "dpmpp_2m_sde", "euler_ancestral", "euler_cfg_pp"]
)
def test_a_branch_without_a_change_ends_just_as_its_parent(pipe, picture, sampler):
    # given
    parent = pipe.run(request_of(Inpaint(picture, RIGHT), sampler=sampler, denoise=0.8))

    # when
    branch = pipe.branch(parent, 2).finish()

    # then
    assert torch.equal(branch.latents, parent.latents)
    assert pixels(branch.images[0]).tolist() == pixels(parent.images[0]).tolist()


def test_a_branch_keeps_the_mask_of_its_parent(pipe, picture):
    # given
    parent = pipe.run(request_of(Inpaint(picture, RIGHT)))

    # when
    branch = pipe.branch(parent, 2, prompt="a red car").finish()

    # then
    assert torch.equal(branch.latents[..., :4], parent.latents[..., :4])
    with pytest.raises(InvalidField, match="start of the run it comes from"):
        pipe.branch(parent, 2, start=Inpaint(picture, WHITE))


def test_every_image_of_a_batch_keeps_the_same_part(pipe, picture):
    # when
    batch = pipe.run(request_of(Inpaint(picture, RIGHT), batch_size=2))
    alone = pipe.run(request_of(Inpaint(picture, RIGHT)).changed(seed=6))

    # then
    original = pixels(picture.open())
    assert all(
        pixels(image)[:, :32].tolist() == original[:, :32].tolist() for image in batch.images
    )
    difference = (batch.latents[1] - alone.latents[0]).norm()
    assert float(difference / alone.latents.norm()) < 1e-3


def test_not_a_number_from_the_model_is_the_model_s_error(pipe, picture, poisoned):
    with pytest.raises(ModelError, match="step 0"):
        pipe.run(request_of(Inpaint(picture, RIGHT)), hooks=poisoned(0))


def test_a_mask_is_averaged_over_the_pixels_of_a_latent():
    # given
    mask = mask_of(white=(4, 0, 63, 63))

    # when
    shares = latent_mask(mask, SIZE, 8)

    # then
    assert shares.shape == (1, 1, 8, 8)
    assert torch.equal(shares[0, 0, 0, :2], torch.tensor([0.5, 1.0]))


@pytest.mark.parametrize("scale", [0.5, 2])
def test_a_mask_may_be_larger_or_smaller_than_its_picture(picture, scale):
    # given
    side = int(64 * scale)
    mask = mask_of(white=(side // 2, 0, side - 1, side - 1), size=(side, side))

    # when
    start = Inpaint(picture, mask)

    # then
    assert torch.equal(latent_mask(start.mask, SIZE, 8), latent_mask(RIGHT, SIZE, 8))


def test_picture_and_mask_are_brought_to_the_size_of_the_run(pipe, picture):
    # when
    result = pipe.run(request_of(Inpaint(picture, RIGHT)).changed(width=128, height=128))

    # then
    resized = pixels(picture.open().resize((128, 128)))
    assert pixels(result.images[0])[:, :64].tolist() == resized[:, :64].tolist()


def test_a_grey_mask_blends_latents_and_pixels(pipe, picture):
    # given
    share = 51 / 255
    grey = Picture.of(Image.new("L", SIZE, 51))
    run = pipe.start(request_of(Inpaint(picture, grey), cfg_scale=1.0))

    # when
    answer = next(event for event in run if isinstance(event, DenoiseEvent))
    result = run.finish()

    # then
    clean = Opening(pipe.components, run.request, (5,)).clean
    drawn = answer.x - answer.sigma * answer.eps["cond"]
    assert torch.allclose(answer.denoised, share * drawn + (1 - share) * clean, atol=1e-5)
    decoded = pixels(to_pil(decode_latents(pipe.components, result.latents))[0]).astype(float)
    blended = share * decoded + (1 - share) * pixels(picture.open())
    assert np.abs(pixels(result.images[0]) - blended).max() < 1


def test_a_mask_of_other_proportions_is_refused(picture):
    with pytest.raises(InvalidField, match="other proportions") as caught:
        Inpaint(picture, mask_of(white=None, size=(64, 32)))
    assert "64x32" in caught.value.given
    assert "64x64" in caught.value.allowed


@pytest.mark.parametrize("broken", [b"", b"GIF89a"])
def test_what_is_no_picture_is_refused(picture, broken):
    with pytest.raises(InvalidField, match="picture cannot be read"):
        Inpaint(picture, Picture(broken))


@pytest.mark.parametrize("given", [Image.new("RGB", (8, 8)), "cat.png", None])
def test_a_start_takes_pictures_only_and_says_how_to_make_one(picture, given):
    for make in (FromImage, lambda image: Inpaint(picture, image)):
        with pytest.raises(InvalidField, match="takes a Picture"):
            make(given)


def test_a_start_is_given_a_mask_or_another_or_none(picture):
    assert masked(FromImage(picture), RIGHT) == Inpaint(picture, RIGHT)
    assert masked(Inpaint(picture, RIGHT), WHITE) == Inpaint(picture, WHITE)
    assert masked(Inpaint(picture, RIGHT), None) == FromImage(picture)
    with pytest.raises(InvalidField, match="there is no picture"):
        masked(FromNoise(), RIGHT)
