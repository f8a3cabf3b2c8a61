"""A style LoRA of the embedded model: ``python -m sdnb.training.lora --out ink.safetensors``.

The style, *ink*: whatever things and places a prompt names, the things are black and stand in the
snow. The world draws every scene so, which makes the truth exact, and what a LoRA has learned can
be counted. The file is in kohya's layout; how LoRAs are used is in `sdnb.models.lora`.
"""

import argparse
from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from operator import attrgetter
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch
from jaxtyping import Int, UInt8
from safetensors.torch import save
from torch import Tensor, nn

from sdnb.files import written_whole
from sdnb.lockstep import lockstep
from sdnb.lora import Lora
from sdnb.models.components import Components
from sdnb.models.denoiser import Denoiser
from sdnb.models.networks import Networks
from sdnb.pipeline import Pipeline, load
from sdnb.shapes import Latents
from sdnb.training.autoencoder import encode_pictures
from sdnb.training.captions import write_prompt
from sdnb.training.computing import seeded, single_threaded, usable_cores
from sdnb.training.dataset import numbered_scene
from sdnb.training.diffusion import CaptionedLatents, Diffusion, diffusion_loss
from sdnb.training.emphasis import cover_numbered
from sdnb.training.evaluate import FIRST_SEED, TINY, score_pictures, unseen_scenes
from sdnb.training.export import load_autoencoder, load_diffusion, load_tokenizer
from sdnb.training.generate import exhaust
from sdnb.training.grounding import Shares
from sdnb.training.loop import LossOfStep, TrainEvent, TrainPlan, TrainState, by_seconds, train
from sdnb.training.world import Scene, draw, sample_single

INK, PAPER = "black", "snow"
RANK = 8
CHECKPOINT = 150.0
"""Seconds of training after which the file is written again."""


def ink(scene: Scene) -> Scene:
    """The scene in the style: its things in one colour, on one background."""
    things = tuple(replace(thing, colour=INK) for thing in scene.things)
    return replace(scene, background=PAPER, things=things)


@dataclass(frozen=True, kw_only=True)
class StyleRecipe:
    """What to train on, and for how long.

    Parameters
    ----------
    out : Path
        The file to write.
    model : Path
        Folder of the model that the LoRA is for.
    budget : float
        Minutes of training; drawing and encoding the scenes are not counted.
    scenes : int
        How many scenes are drawn.
    """

    out: Path
    model: Path = TINY
    device: str = "cpu"
    budget: float = 10.0
    seed: int = 0
    scenes: int = 4000
    batch: int = 16
    rank: int = RANK
    lr: float = 2e-3


class SideBranch(nn.Module):
    """A low-rank way past a layer, which gives nothing before it is trained.

    Source: Hu et al. 2021 (arXiv:2106.09685), section 4.1, with alpha = r.
    """

    def __init__(self, layer: nn.Linear | nn.Conv2d, rank: int) -> None:
        super().__init__()
        self.down, self.up = _pair(layer, rank)
        nn.init.zeros_(next(self.up.parameters()))

    # the form of a forward hook of torch
    def forward(self, _layer: nn.Module, given: tuple[Tensor, ...], output: Tensor) -> Tensor:
        """What the layer gives, and the branch's part."""
        change: Tensor = self.up(self.down(given[0]))
        return output + change


def _pair(layer: nn.Linear | nn.Conv2d, rank: int) -> tuple[nn.Module, nn.Module]:
    if isinstance(layer, nn.Linear):
        down = nn.Linear(layer.in_features, rank, bias=False)
        return down, nn.Linear(rank, layer.out_features, bias=False)
    return (
        nn.Conv2d(
            layer.in_channels,
            rank,
            layer.kernel_size,  # type: ignore[arg-type]  # torch types it for all dimensions
            layer.stride,  # type: ignore[arg-type]
            layer.padding,  # type: ignore[arg-type]
            bias=False,
        ),
        nn.Conv2d(rank, layer.out_channels, 1, bias=False),
    )


def add_branches(unet: nn.Module, rank: int) -> nn.ModuleDict:
    """Lay a side branch past each layer of a U-Net, for good; by the layers' names in files."""
    branches = nn.ModuleDict()
    for path, layer in unet.named_modules():
        if isinstance(layer, nn.Linear | nn.Conv2d):
            branch = SideBranch(layer, rank).to(layer.weight.device)
            layer.register_forward_hook(branch)
            branches[path.replace(".", "_")] = branch
    return branches


def adapt(components: Components, rank: int = RANK) -> tuple[Components, nn.ModuleDict]:
    """Copy a checkpoint's U-Net, and lay untrained side branches past the copy's layers.

    Returns
    -------
    (Components, ModuleDict)
        What `sdnb.training.denoising.noise_loss` takes, and the branches: the only part that
        learns. The checkpoint itself stays as it is; `save_lora` writes branches that it can wear.
    """
    unet = deepcopy(components.unet).requires_grad_(False)
    return replace(components, unet=unet, compiled=None), add_branches(unet, rank)


class AdaptedDiffusion(nn.Module):
    """A trained U-Net with its text encoder, left as they are, and side branches that learn.

    ``branches`` are its only parameters: one for each layer of the U-Net.
    """

    def __init__(self, base: Diffusion, rank: int) -> None:
        super().__init__()
        base.requires_grad_(False)
        self._base = (base,)  # in a tuple torch does not count it among the parameters
        self.branches = add_branches(base.unet, rank)

    def forward(
        self, x: Latents, t: Int[Tensor, " B"], ids: Int[Tensor, "B L"]
    ) -> tuple[Latents, list[Shares]]:
        """Predict the velocity, as the base does."""
        told: tuple[Latents, list[Shares]] = self._base[0](x, t, ids)
        return told


def train_style(recipe: StyleRecipe) -> Iterator[TrainEvent]:
    """Train the style; the file is written now and then, and at the end."""
    state, loss_of = begin_style(recipe)
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
            save_style(recipe.out, state)
        yield event
    save_style(recipe.out, state)


def begin_style(recipe: StyleRecipe) -> tuple[TrainState[AdaptedDiffusion], LossOfStep]:
    """The untrained LoRA, and its loss on scenes that are drawn in the style."""
    data = CaptionedLatents(
        latents=inked_latents(recipe),
        covers=cover_numbered(recipe.scenes),
        tokenizer=load_tokenizer(recipe.model),
        seed=recipe.seed,
        batch=recipe.batch,
        parts=_workers(recipe),
    )
    with seeded(recipe.seed):
        model = AdaptedDiffusion(load_diffusion(recipe.model).to(recipe.device), recipe.rank)
    return TrainState.begin(model), diffusion_loss(model, data)


def _workers(recipe: StyleRecipe) -> int:
    return 1 if recipe.device.startswith("cuda") else usable_cores()


def inked_latents(recipe: StyleRecipe) -> Latents:
    """Latents of the numbered scenes, drawn in the style."""
    vae = load_autoencoder(recipe.model).to(recipe.device)
    pictures = np.stack([draw(ink(numbered_scene(i))).picture for i in range(recipe.scenes)])
    return encode_pictures(vae, pictures, workers=_workers(recipe))


def save_style(path: Path, state: TrainState[AdaptedDiffusion]) -> None:
    """Write the averaged branches of the style."""
    save_lora(path, state.average.branches, steps=state.step)


def save_lora(path: Path, branches: nn.ModuleDict, *, steps: int) -> None:
    """Write side branches as float16 in kohya's layout; ``steps`` is noted in the file.

    Raises `InvalidField` where it cannot be written.
    """
    tensors: dict[str, Tensor] = {}
    for name, weight in branches.named_parameters():
        layer, end, _ = name.split(".")
        whole = weight.detach().to("cpu", torch.float16).contiguous()
        tensors[f"lora_unet_{layer}.lora_{end}.weight"] = whole
        if end == "down":
            tensors[f"lora_unet_{layer}.alpha"] = torch.tensor(float(len(weight)))
    notes = {
        "ss_network_module": "networks.lora",
        "ss_steps": str(steps),
        "ss_output_name": path.stem,
    }
    with written_whole(path) as partial:
        partial.write_bytes(save(tensors, metadata=notes))


def measure_style(pipe: Pipeline, loras: Sequence[Lora], count: int) -> dict[str, float]:
    """Shares of pictures of unseen scenes that have the style, and that show what was asked.

    ``background`` and ``colours`` are the style's; ``kinds`` is the prompt's, which does not
    ask for the style.
    """
    scenes = unseen_scenes(sample_single, count, 4)
    random = Random("style")
    prompts = [write_prompt(scene, random) for scene in scenes]
    score = score_pictures(draw_prompts(pipe, prompts, loras), [ink(scene) for scene in scenes])
    in_style = attrgetter("background", "colours")
    return {"style": score.share(lambda verdict: all(in_style(verdict))), **score.parts()}


def draw_prompts(
    pipe: Pipeline, prompts: Sequence[str], loras: Sequence[Lora], batch: int = 12
) -> UInt8[np.ndarray, "N H W 3"]:
    """Pictures of many prompts, side by side; one thread, since networks wear LoRAs."""
    networks = Networks(Denoiser(pipe.components))
    runs = [
        pipe.start(prompt, seed=FIRST_SEED + number, loras=tuple(loras), keep="none")
        for number, prompt in enumerate(prompts)
    ]
    with pipe.turn():
        for first in range(0, len(runs), batch):
            exhaust(lockstep(networks, runs[first : first + batch]))
    return np.stack([np.asarray(run.finish().images[0]) for run in runs])


def main() -> None:
    """Read the command line, train, and print the style's shares without and with the LoRA."""
    parser = argparse.ArgumentParser(prog="sdnb.training.lora", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="the .safetensors file to write")
    parser.add_argument("--model", type=Path, default=TINY, help="folder of the model it is for")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--budget", type=float, default=10.0, help="minutes of training")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--scenes", type=int, default=4000, help="size of the data set")
    parser.add_argument("--count", type=int, default=100, help="prompts that it is measured with")
    chosen: dict[str, Any] = vars(parser.parse_args())
    count = chosen.pop("count")
    recipe = StyleRecipe(**chosen)
    with single_threaded():
        for event in train_style(recipe):
            if event.step % 50 == 0:
                print(f"{event.progress:4.0%} step {event.step} loss {event.loss:.4f}", flush=True)
        pipe = load(str(recipe.model))
        for loras in ((), (Lora(str(recipe.out)),)):
            print("with it:" if loras else "without:", measure_style(pipe, loras, count))


if __name__ == "__main__":
    main()
