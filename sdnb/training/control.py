"""ControlNets of the embedded model: ``python -m sdnb.training.control depth --out FILE``.

The world knows the depth and the edges of every scene, so the pictures to keep to are exact; what
they are, and how well runs keep to them, is in ``adherence``. The networks are reduced: their
blocks do not read the text, which halves the file. How they are used is in
`sdnb.models.controlnet`.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from sdnb.pipeline import load
from sdnb.shapes import Latents
from sdnb.training.adherence import KINDS, measure_adherence
from sdnb.training.autoencoder import encode_pictures
from sdnb.training.computing import seeded, single_threaded, usable_cores
from sdnb.training.dataset import numbered_scene
from sdnb.training.diffusion import CaptionedLatents, Diffusion, Network, velocity_loss
from sdnb.training.emphasis import cover_numbered
from sdnb.training.evaluate import TINY
from sdnb.training.export import halved, load_autoencoder, load_diffusion, load_tokenizer
from sdnb.training.grounding import Shares
from sdnb.training.loop import LossOfStep, TrainEvent, TrainPlan, TrainState, by_seconds, train
from sdnb.training.world import draw

EYE = (16, 24, 32, 48)
"""Channels of the part that sees the picture, from its pixels down to the latents."""

CHECKPOINT = 150.0
"""Seconds of training after which the file is written again."""


@dataclass(frozen=True, kw_only=True)
class ControlRecipe:
    """What to train on, and for how long.

    Parameters
    ----------
    kind : str
        A name of `sdnb.training.adherence.KINDS`.
    out : Path
        The file to write.
    model : Path
        Folder of the model that the ControlNet is for.
    start : Path, optional
        A file that was written before, of either kind, to go on from; None: from the U-Net.
    budget : float
        Minutes of training; drawing and encoding the scenes are not counted.
    scenes : int
        How many scenes are drawn.
    """

    kind: str
    out: Path
    model: Path = TINY
    start: Path | None = None
    device: str = "cpu"
    budget: float = 30.0
    seed: int = 0
    scenes: int = 4000
    batch: int = 16
    lr: float = 1e-3


class SteeredDiffusion(nn.Module):
    """A trained U-Net with its text encoder, left as they are, and a ControlNet that learns.

    ``controlnet`` holds its only parameters.
    """

    def __init__(self, base: Diffusion) -> None:
        super().__init__()
        base.requires_grad_(False)
        self._base = (base,)  # in a tuple torch does not count it among the parameters
        self.controlnet = reduced_controlnet(base.unet)

    def forward(
        self,
        x: Latents,
        t: Int[Tensor, " B"],
        ids: Int[Tensor, "B L"],
        seen: Float[Tensor, "B 3 H W"],
    ) -> tuple[Latents, list[Shares]]:
        """Predict the velocity as the base does, steered by what is ``seen``, in 0 … 1."""
        base = self._base[0]
        embeds = base.text_encoder(ids).last_hidden_state
        down, middle = self.controlnet(x, t, embeds, controlnet_cond=seen, return_dict=False)
        shares: list[Shares] = []
        told = base.unet(
            x,
            t,
            embeds,
            cross_attention_kwargs={"shares": shares},
            down_block_additional_residuals=down,
            mid_block_additional_residual=middle,
        )
        return told.sample, shares


def reduced_controlnet(unet: Network) -> Network:
    """A ControlNet whose blocks are the U-Net's, without those parts that read the text.

    It adds nothing before it is trained.
    Source: Zhang et al. 2023 (arXiv:2302.05543), section 3.1, with fewer layers copied.
    """
    diffusers: Any = import_module("diffusers")
    full = diffusers.ControlNetModel.from_unet(unet, conditioning_embedding_out_channels=EYE)
    reduced = diffusers.ControlNetModel.from_config(
        {
            **full.config,
            "down_block_types": ("DownBlock2D",) * len(full.down_blocks),
            "mid_block_type": "UNetMidBlock2D",
        }
    )
    own = reduced.state_dict()
    reduced.load_state_dict({name: full.state_dict()[name] for name in own})
    return reduced.to(unet.device, memory_format=torch.channels_last)


class Seeing(nn.Module):
    """A steered network that is shown something, so that it is asked like any other."""

    def __init__(self, model: nn.Module, seen: Float[Tensor, "B 3 H W"]) -> None:
        super().__init__()
        self.model = model
        self._seen = seen

    def forward(
        self, x: Latents, t: Int[Tensor, " B"], ids: Int[Tensor, "B L"]
    ) -> tuple[Latents, list[Shares]]:
        """Predict the velocity."""
        told: tuple[Latents, list[Shares]] = self.model(x, t, ids, self._seen.to(x.device))
        return told


def train_control(recipe: ControlRecipe) -> Iterator[TrainEvent]:
    """Train the ControlNet; the file is written now and then, and at the end."""
    state, loss_of = begin_control(recipe)
    plan = TrainPlan(
        clock=by_seconds(60 * recipe.budget),
        peak_lr=recipe.lr,
        warmup=20,
        workers=_workers(recipe),
    )
    saved = 0.0
    for event in train(state, loss_of, plan):
        if event.seconds - saved > CHECKPOINT:
            saved = event.seconds
            save_control(recipe.out, state, recipe.kind)
        yield event
    save_control(recipe.out, state, recipe.kind)


def begin_control(recipe: ControlRecipe) -> tuple[TrainState[SteeredDiffusion], LossOfStep]:
    """The untrained ControlNet, and its loss on scenes of which it sees what it is for."""
    scenes = [numbered_scene(number) for number in range(recipe.scenes)]
    drawings = [draw(scene) for scene in scenes]
    seen = np.stack(list(map(KINDS[recipe.kind], scenes, drawings)))
    vae = load_autoencoder(recipe.model).to(recipe.device)
    pictures = np.stack([drawing.picture for drawing in drawings])
    data = CaptionedLatents(
        latents=encode_pictures(vae, pictures, workers=_workers(recipe)),
        covers=cover_numbered(recipe.scenes),
        tokenizer=load_tokenizer(recipe.model),
        seed=recipe.seed,
        batch=recipe.batch,
        parts=_workers(recipe),
    )
    with seeded(recipe.seed):
        model = SteeredDiffusion(load_diffusion(recipe.model).to(recipe.device))
    if recipe.start is not None:
        model.controlnet.load_state_dict(load_file(recipe.start))
    return TrainState.begin(model), control_loss(model, data, seen)


def control_loss(
    model: SteeredDiffusion, data: CaptionedLatents, seen: UInt8[np.ndarray, "N H W"]
) -> LossOfStep:
    """Loss of step after step, where the network sees what is in the pictures of the scenes."""

    def shown(numbers: Sequence[int]) -> Seeing:
        grey = torch.from_numpy(seen[list(numbers)])[:, None] / 255
        return Seeing(model, grey.expand(-1, 3, -1, -1))

    return lambda step, _progress: [
        partial(velocity_loss, shown(examples.numbers), examples) for examples in data.draw(step)
    ]


def _workers(recipe: ControlRecipe) -> int:
    return 1 if recipe.device.startswith("cuda") else usable_cores()


def save_control(path: Path, state: TrainState[SteeredDiffusion], kind: str) -> None:
    """Write the averaged ControlNet as float16 in diffusers' names."""
    tensors = halved(state.average.controlnet).state_dict()
    notes = {"kind": kind, "steps": str(state.step)}
    whole = path.with_suffix(".partial")
    save_file({name: each.contiguous() for name, each in tensors.items()}, whole, metadata=notes)
    whole.chmod(0o644)
    whole.replace(path)


def main() -> None:
    """Read the command line, train, and print how well is kept to, without and with it."""
    parser = argparse.ArgumentParser(prog="sdnb.training.control", description=__doc__)
    parser.add_argument("kind", choices=tuple(KINDS), help="what the ControlNet sees")
    parser.add_argument("--out", type=Path, required=True, help="the .safetensors file to write")
    parser.add_argument("--model", type=Path, default=TINY, help="folder of the model it is for")
    parser.add_argument("--start", type=Path, help="a file of either kind, to go on from")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--budget", type=float, default=30.0, help="minutes of training")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--scenes", type=int, default=4000, help="size of the data set")
    parser.add_argument("--count", type=int, default=100, help="scenes that it is measured with")
    chosen: dict[str, Any] = vars(parser.parse_args())
    count = chosen.pop("count")
    recipe = ControlRecipe(**chosen)
    with single_threaded():
        for event in train_control(recipe):
            if event.step % 50 == 0:
                print(f"{event.progress:4.0%} step {event.step} loss {event.loss:.4f}", flush=True)
        pipe = load(str(recipe.model))
        for said, weight in (("without:", 0.0), ("with it:", 1.0)):
            measured = measure_adherence(pipe, recipe.kind, str(recipe.out), count, weight)
            print(said, measured, flush=True)


if __name__ == "__main__":
    main()
