"""The quick guess: exact where the decoder is linear, silent before it has learned."""

import numpy as np
import torch
from PIL import Image
from torch.nn.functional import interpolate

from sdnb.labs.sketch import Sketch


def linear_decoder(latents):
    """Pictures whose colours are a fixed mix of the latents."""
    mix = torch.tensor([[0.2, 0.1, 0.0, 0.1], [0.0, 0.2, 0.1, 0.0], [0.1, 0.0, 0.2, -0.1]])
    pixels = (torch.einsum("kc,bchw->bkhw", mix, latents) + 0.5).clamp(0, 1)
    array = (interpolate(pixels, scale_factor=8) * 255).round().byte().permute(0, 2, 3, 1)
    return [Image.fromarray(picture) for picture in array.numpy()]


def latents(seed, size=16):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(1, 4, size, size, generator=generator) * 2 - 1


def test_before_it_has_learned_it_draws_nothing():
    assert Sketch(8).draw(latents(0)) == []


def test_a_linear_decoder_is_drawn_to_a_few_grey_levels():
    # given
    sketch = Sketch(8)
    sketch.learn(latents(0), linear_decoder(latents(0)))

    # when
    (drawn,) = sketch.draw(latents(1))

    # then
    (true,) = linear_decoder(latents(1))
    small = true.resize(drawn.size, Image.Resampling.BOX)
    assert drawn.size == (128, 128)
    assert np.abs(np.array(drawn).astype(int) - np.array(small)).max() <= 4


def test_latents_of_another_size_are_learned_anew():
    # given
    sketch = Sketch(8)
    sketch.learn(latents(0), linear_decoder(latents(0)))
    large = latents(2, size=64)

    # when
    before = sketch.draw(large)
    sketch.learn(large, linear_decoder(large))

    # then: two pixels a latent, for 64 of them are many
    assert before == []
    assert sketch.draw(large)[0].size == (128, 128)


def test_the_pictures_of_a_run_are_recognized_in_its_sketches(tiny):
    # given
    result = tiny.run("a large blue house on a meadow", seed=9, steps=8)
    sketch = Sketch(tiny.components.latent.factor)
    sketch.learn(result.latents, result.images)

    # when
    drawn = sketch.draw(result.trace.denoised[4:, 0])

    # then: nearer to their own picture than a grey page is
    true = [picture.resize((128, 128)) for picture in tiny.decode(result.trace.denoised[4:, 0])]
    for guess, picture in zip(drawn, true, strict=True):
        pixels = np.array(picture).astype(float)
        error = np.abs(np.array(guess) - pixels).mean()
        assert error < 0.5 * np.abs(pixels - pixels.mean()).mean()
