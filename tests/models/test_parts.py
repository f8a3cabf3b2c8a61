"""What does not fit into memory goes through the VAE in parts, and looks as if it had fitted."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw
from torch.nn.functional import avg_pool2d, conv2d, interpolate

from sdnb.errors import ModelError
from sdnb.models.parts import TILES, in_parts, in_tiles
from sdnb.models.vae import decode_latents, encode_images, from_pil

SIDES = st.integers(1, 60)


def noise(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def enlarge(latents):
    """Decode by a kernel that sees two latents to each side."""
    kernel = noise(3, latents.shape[1], 5, 5) / 10
    return interpolate(conv2d(latents, kernel, padding=2), scale_factor=8.0)


def reduce(pixels):
    return avg_pool2d(pixels, 8)


def fitting(convert, most):
    """Let a network run out of memory above so many values; gives the sizes that it was asked."""
    asked = []

    def limited(values):
        asked.append(tuple(values.shape))
        if values.numel() > most:
            raise torch.OutOfMemoryError
        return convert(values)

    return limited, asked


@settings(max_examples=40, deadline=None)
@given(height=SIDES, width=SIDES, side=st.sampled_from([32, 48]))
def test_tiles_of_a_network_that_sees_little_are_the_whole(height, width, side):
    # given
    latents = noise(2, 4, height, width)

    # when
    tiled = in_tiles(enlarge, latents, side, 1, 8)

    # then
    assert torch.allclose(tiled, enlarge(latents), atol=1e-5)


@settings(max_examples=40, deadline=None)
@given(height=SIDES, width=SIDES)
def test_pixels_are_read_in_tiles_as_well(height, width):
    # given
    pixels = noise(1, 3, height * 8, width * 8)

    # when
    tiled = in_tiles(reduce, pixels, 16, 8, 1)

    # then
    assert torch.allclose(tiled, reduce(pixels), atol=1e-5)


def test_seams_are_no_steps_however_much_tiles_differ():
    # given
    shades = iter(torch.rand(1000, generator=torch.Generator().manual_seed(0)))

    def shade(latents):
        return torch.full((1, 1, latents.shape[2] * 8, latents.shape[3] * 8), next(shades).item())

    # when
    tiled = in_tiles(shade, noise(1, 4, 100, 70), 32, 1, 8)

    # then
    ramp = 32 // 8 * 8
    assert max(tiled.diff(dim=axis).abs().max() for axis in (2, 3)) <= 2 / ramp
    assert tiled.std() > 0.1


@pytest.mark.parametrize("most", [4 * 64 * 64, 4 * 32 * 32])
def test_one_that_does_not_fit_goes_in_the_largest_tiles_that_do(most):
    # given
    latents = noise(2, 4, 80, 72)
    limited, asked = fitting(enlarge, most)

    # when
    made = list(in_parts(limited, latents, at_once=2, read=1, write=8))

    # then
    assert torch.allclose(torch.cat(made), enlarge(latents), atol=1e-5)
    assert asked[:2] == [(2, 4, 80, 72), (1, 4, 80, 72)]
    side = round((most / 4) ** 0.5)
    assert {shape for shape in asked if shape[-1] * shape[-2] * 4 <= most} == {(1, 4, side, side)}


def test_what_fits_is_not_cut():
    # given
    limited, asked = fitting(enlarge, 4 * 200 * 200)

    # when
    (made,) = in_parts(limited, noise(1, 4, 200, 200), at_once=8, read=1, write=8)

    # then
    assert asked == [(1, 4, 200, 200)]
    assert torch.equal(made, enlarge(noise(1, 4, 200, 200)))


@pytest.mark.parametrize(
    ("convert", "shape", "read", "write", "kind"),
    [
        (enlarge, (1, 4, 40, 40), 1, 8, "latents"),
        (reduce, (1, 3, 320, 320), 8, 1, "pixels"),
    ],
)
def test_a_memory_too_small_for_any_tile_is_an_error_with_the_size(
    convert, shape, read, write, kind
):
    # given
    limited, asked = fitting(convert, 0)

    # when / then
    with pytest.raises(ModelError, match="memory") as caught:
        list(in_parts(limited, noise(*shape), at_once=1, read=read, write=write))
    assert caught.value.given == f"{kind} {shape}"
    assert len(asked) == 1 + sum(side < 40 for side in TILES)


def test_another_error_of_the_network_is_not_hidden():
    def fail(_latents):
        raise RuntimeError("a kernel failed")

    with pytest.raises(RuntimeError, match="a kernel failed"):
        list(in_parts(fail, noise(1, 4, 40, 40), at_once=1, read=1, write=8))


@pytest.fixture
def large():
    image = Image.new("RGB", (384, 320), (90, 160, 70))
    draw = ImageDraw.Draw(image)
    draw.ellipse((60, 60, 300, 260), fill=(210, 40, 30))
    draw.rectangle((200, 150, 380, 310), fill=(30, 60, 200))
    return from_pil([image])


def test_the_vae_s_tiles_are_near_the_whole_and_have_no_seams(tiny, large, monkeypatch):
    """Its norms see a tile only, so colours move: by 0.1 of the range at most, on average."""
    # given
    parts = tiny.components
    latents = encode_images(parts, large)
    whole = decode_latents(parts, latents)
    limited, asked = fitting(parts.vae.decode, 4 * 32 * 32)
    monkeypatch.setattr(parts.vae, "decode", limited)

    # when
    tiled = decode_latents(parts, latents)

    # then
    assert len(asked) > 2
    assert float((tiled - whole).abs().mean()) < 0.1
    steps = [(tiled.diff(dim=axis) - whole.diff(dim=axis)).abs().max() for axis in (2, 3)]
    assert max(steps) < 0.2


def test_a_picture_too_large_for_the_encoder_is_encoded_in_tiles(tiny, large, monkeypatch):
    # given
    parts = tiny.components
    whole = encode_images(parts, large)
    limited, asked = fitting(parts.vae.encode, 3 * 256 * 256)
    monkeypatch.setattr(parts.vae, "encode", limited)

    # when
    tiled = encode_images(parts, large)

    # then
    assert asked[0] == (1, 3, 320, 384)
    assert asked[-1] == (1, 3, 256, 256)
    assert tiled.shape == whole.shape
    assert float((tiled - whole).abs().mean()) < 0.5 * float(whole.abs().mean())
