"""What ships beside the embedded model does what its card says; few scenes cost little."""

from pathlib import Path
from statistics import fmean

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from sdnb.control import Control
from sdnb.models.lora_file import SHIPPED
from sdnb.picture import Picture
from sdnb.training.adherence import KINDS, covered, things_in
from sdnb.training.checker import overlap, read_picture
from sdnb.training.world import Scene, Thing, draw

STEPS = 8

SCENES = {
    "a large blue house on a meadow": Scene(
        "meadow",
        (Thing(kind="house", colour="blue", size="large", centre=(48.0, 56.0), extent=66.0),),
    ),
    "a red boat left of a green tree at sea": Scene(
        "sea",
        (
            Thing(kind="boat", colour="red", size="small", centre=(32.0, 40.0), extent=44.0),
            Thing(kind="tree", colour="green", size="small", centre=(96.0, 80.0), extent=48.0),
        ),
    ),
}


def drawn(tiny, prompt, **fields):
    return np.asarray(tiny.run(prompt, seed=3, steps=STEPS, keep="none", **fields).images[0])


def test_all_of_it_is_small_and_in_half_precision():
    files = [*SHIPPED.rglob("*.safetensors")]
    tensors = [each for file in files for each in load_file(file).values()]
    assert {file.stem for file in files} == {"ink", "depth", "edge"}
    assert sum(file.stat().st_size for file in files) <= 15e6
    assert {each.dtype for each in tensors if each.dim() > 1} == {torch.float16}
    assert "ink" in Path(SHIPPED, "MODEL_CARD.md").read_text(encoding="utf-8")


def test_ink_puts_what_is_asked_for_in_its_own_colours(tiny):
    for prompt, scene in SCENES.items():
        plain, inked = (read_picture(drawn(tiny, prompt, loras=each)) for each in ((), "ink"))
        kinds = {thing.kind for thing in scene.things}
        assert plain.background == scene.background
        assert inked.background == "snow"
        assert {thing.kind for thing in inked.things} == kinds
        assert "black" in {thing.colour for thing in inked.things}


@pytest.mark.parametrize("kind", KINDS)
def test_a_controlnet_is_kept_to(tiny, kind):
    # given
    drawings = {prompt: draw(scene) for prompt, scene in SCENES.items()}
    shown = {
        prompt: Picture.of(Image.fromarray(KINDS[kind](SCENES[prompt], drawing)))
        for prompt, drawing in drawings.items()
    }

    # when
    free, kept = (
        fmean(
            overlap(
                things_in(
                    drawn(
                        tiny,
                        prompt,
                        controls=Control(picture=shown[prompt], reference=kind, weight=weight),
                    )
                ),
                covered(drawing),
            )
            for prompt, drawing in drawings.items()
        )
        for weight in (0.0, 1.0)
    )

    # then
    assert kept > 0.6
    assert kept > free + 0.2
