"""The embedded model from nothing: ``python -m sdnb.training.recipe --out DIR --budget 90``.

Tokenizer, VAE, latents, then the text encoder, the U-Net that draws from it, at last the
VAE's decoder alone. Stopped at any moment, the same command goes on from its checkpoints. In
DIR it leaves pictures and latents (caches), a checkpoint and a loss curve (CSV) of each stage,
and ``model``: the model as it would be used, renewed with every checkpoint.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any
from zlib import crc32

import numpy as np
import torch
from jaxtyping import UInt8

from sdnb.shapes import Latents
from sdnb.training.autoencoder import (
    Autoencoder,
    PicturedLatents,
    autoencoder_loss,
    decoder_loss,
    encode_pictures,
    make_autoencoder,
)
from sdnb.training.captions import write_caption
from sdnb.training.card import NO_TRAINING, Record, read_record, write_card
from sdnb.training.computing import seeded, single_threaded, usable_cores
from sdnb.training.dataset import load_pictures, numbered_scene
from sdnb.training.diffusion import (
    CaptionedLatents,
    Diffusion,
    Network,
    diffusion_loss,
    make_text_encoder,
    make_unet,
)
from sdnb.training.emphasis import cover_numbered, weigh_places
from sdnb.training.export import export_model, load_autoencoder, load_diffusion, load_tokenizer
from sdnb.training.loop import LossOfStep, TrainEvent, TrainPlan, TrainState, by_seconds, train
from sdnb.training.reading import Reader, reading_loss
from sdnb.training.tokenizer import Tokenizer, train_tokenizer
from sdnb.training.whitening import whiten_latents

WHITENING_PICTURES = 512


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What to make, and in how much time.

    Parameters
    ----------
    out : Path
        Folder for everything that is written.
    budget : float
        Minutes of training in all; rendering and encoding are not counted.
    start : Path or None
        Folder of a model to go on from, with fresh optimizers: its tokenizer, text encoder
        and latents stay, its U-Net is trained further, then its decoder.
    seed : int
        Seeds first weights and batches; the scenes are the same for all.
    vae_share, reading_share, decoder_share : float
        Shares of the budget that the VAE is given, the text encoder, and at the end the
        VAE's decoder alone; the rest is the U-Net's.
    """

    out: Path
    device: str = "cpu"
    budget: float = 90.0
    start: Path | None = None
    seed: int = 0
    scenes: int = 24_000
    batch: int = 32
    vae_share: float = 0.36
    reading_share: float = 0.05
    decoder_share: float = 0.07
    vae_lr: float = 2e-3
    reading_lr: float = 1e-3
    decoder_lr: float = 1e-3
    diffusion_lr: float = 8e-4
    vae_channels: tuple[int, ...] = (24, 32, 64, 96)
    unet_channels: tuple[int, ...] = (64, 128, 192)
    checkpoint_seconds: float = 150.0

    @property
    def workers(self) -> int:
        """Threads that compute side by side: one a core, or one that feeds a GPU."""
        return 1 if self.device.startswith("cuda") else usable_cores()

    @property
    def parts(self) -> int:
        """Parts of a step: one a worker, as large as can be, which is fastest."""
        return self.workers

    def plan(self, share: float, peak_lr: float) -> TrainPlan:
        """A stage that is given a share of the budget."""
        clock = by_seconds(60 * self.budget * share)
        return TrainPlan(clock=clock, peak_lr=peak_lr, workers=self.workers)


def make_model(recipe: Recipe) -> Path:
    """Train everything that is not yet trained; the folder of the finished model."""
    recipe.out.mkdir(parents=True, exist_ok=True)
    folder = recipe.out / "model"
    pictures = load_pictures(recipe.out / "pictures.npy", recipe.scenes)
    tokenizer = make_vocabulary(recipe)
    vae, vae_steps = make_vae(recipe, pictures)
    latents = load_latents(recipe, vae, pictures)
    text_encoder, text_steps = make_reader(recipe, tokenizer)
    diffusion = TrainState.begin(begin_diffusion(recipe, text_encoder))
    for _ in train_diffusion(recipe, diffusion, latents, tokenizer):
        export_model(folder, tokenizer=tokenizer, vae=vae, diffusion=diffusion.average)
        write_card(folder, describe(recipe, vae_steps, text_steps, diffusion))
    decoder = TrainState.begin(vae)
    for _ in train_decoder(recipe, decoder, latents, pictures):
        export_model(folder, tokenizer=tokenizer, vae=decoder.average, diffusion=diffusion.average)
        write_card(folder, describe(recipe, (*vae_steps, decoder), text_steps, diffusion))
    return folder


def train_diffusion(
    recipe: Recipe, state: TrainState[Diffusion], latents: Latents, tokenizer: Tokenizer
) -> Iterator[Path]:
    """Train the U-Net; yields checkpoints."""
    data = CaptionedLatents(
        latents=latents,
        covers=cover_numbered(len(latents)),
        tokenizer=tokenizer,
        seed=recipe.seed,
        batch=recipe.batch,
        parts=recipe.parts,
    )
    before = 0 if recipe.start else recipe.vae_share + recipe.reading_share
    share = 1 - recipe.decoder_share - before
    plan = recipe.plan(share, recipe.diffusion_lr)
    return run_stage("diffusion", recipe, state, diffusion_loss(state.model, data), plan)


def train_decoder(
    recipe: Recipe,
    state: TrainState[Autoencoder],
    latents: Latents,
    pictures: UInt8[np.ndarray, "N H W 3"],
) -> Iterator[Path]:
    """Sharpen the VAE's decoder, its latents left as they are; yields checkpoints."""
    data = PicturedLatents(
        latents=latents,
        pictures=pictures,
        weights=weigh_places(cover_numbered(len(latents))),
        seed=recipe.seed,
        parts=recipe.parts,
    )
    plan = recipe.plan(recipe.decoder_share, recipe.decoder_lr)
    return run_stage("decoder", recipe, state, decoder_loss(state.model, data), plan)


def run_stage(
    name: str, recipe: Recipe, state: TrainState[Any], loss_of: LossOfStep, plan: TrainPlan
) -> Iterator[Path]:
    """Train from the last checkpoint to the end; yields each checkpoint once written."""
    checkpoint, log = recipe.out / f"{name}.pt", recipe.out / f"{name}.csv"
    if checkpoint.exists():
        state.restore(checkpoint)
    saved = state.seconds
    for event in train(state, loss_of, plan):
        write_row(log, event)
        if event.step % 50 == 0:
            print(
                f"{name} {event.progress:4.0%} step {event.step} loss {event.loss:.4f}", flush=True
            )
        if state.seconds - saved > recipe.checkpoint_seconds:
            saved = state.seconds
            state.save(checkpoint)
            yield checkpoint
    state.save(checkpoint)
    yield checkpoint


def write_row(log: Path, event: TrainEvent) -> None:
    """Add a step to the loss curve."""
    with log.open("a") as file:
        if file.tell() == 0:
            file.write("step,loss,lr,seconds\n")
        file.write(f"{event.step},{event.loss:.6f},{event.lr:.3g},{event.seconds:.1f}\n")


def make_vocabulary(recipe: Recipe) -> Tokenizer:
    """The tokenizer to go on from, or one learned from 4,000 captions."""
    if recipe.start:
        return load_tokenizer(recipe.start)
    return train_tokenizer(
        write_caption(numbered_scene(i), Random(f"vocabulary {i}")) for i in range(4000)
    )


def make_vae(
    recipe: Recipe, pictures: UInt8[np.ndarray, "N H W 3"]
) -> tuple[Autoencoder, tuple[TrainState[Any], ...]]:
    """A trained VAE whose latents are white, or the one to go on from; and its training."""
    if recipe.start:
        return load_autoencoder(recipe.start).to(recipe.device), ()
    with seeded(recipe.seed):
        model = make_autoencoder(recipe.vae_channels).to(recipe.device)
    state = TrainState.begin(model)
    plan = recipe.plan(recipe.vae_share, recipe.vae_lr)
    loss_of = autoencoder_loss(model, pictures, seed=recipe.seed, parts=recipe.parts)
    for _ in run_stage("autoencoder", recipe, state, loss_of, plan):
        pass
    whiten_latents(state.average, pictures[:WHITENING_PICTURES])
    return state.average.requires_grad_(True), (state,)


def load_latents(
    recipe: Recipe, vae: Autoencoder, pictures: UInt8[np.ndarray, "N H W 3"]
) -> Latents:
    """Latents of all pictures; encoded once for each VAE, then read from their file."""
    weights = vae.encoder.conv_in.weight.detach().float().cpu().contiguous().numpy()
    path = recipe.out / f"latents-{crc32(weights.tobytes()):08x}.npy"
    if not path.exists():
        np.save(path, encode_pictures(vae, pictures, workers=recipe.workers).numpy())
    return torch.from_numpy(np.load(path))


def make_reader(
    recipe: Recipe, tokenizer: Tokenizer
) -> tuple[Network, tuple[TrainState[Reader], ...]]:
    """A trained text encoder, or the one to go on from; and its training."""
    if recipe.start:
        return load_diffusion(recipe.start).text_encoder.to(recipe.device), ()
    with seeded(recipe.seed + 1):
        model = Reader(make_text_encoder(tokenizer)).to(recipe.device)
    state = TrainState.begin(model)
    plan = recipe.plan(recipe.reading_share, recipe.reading_lr)
    loss_of = reading_loss(model, tokenizer, seed=recipe.seed, parts=recipe.parts)
    for _ in run_stage("reading", recipe, state, loss_of, plan):
        pass
    return state.average.text_encoder, (state,)


def begin_diffusion(recipe: Recipe, text_encoder: Network) -> Diffusion:
    """The U-Net to go on from, or an untrained one, and the text encoder, which stays."""
    with seeded(recipe.seed + 2):
        fresh = make_unet(recipe.unet_channels)
    unet = load_diffusion(recipe.start).unet if recipe.start else fresh
    return Diffusion(text_encoder.requires_grad_(False), unet).to(recipe.device)


def describe(
    recipe: Recipe,
    vae: tuple[TrainState[Any], ...],
    text: tuple[TrainState[Reader], ...],
    diffusion: TrainState[Diffusion],
) -> Record:
    """What the model card says; a continued training adds to the one it goes on from."""
    earlier = read_record(recipe.start) if recipe.start else NO_TRAINING
    return Record(
        device=recipe.device,
        scenes=recipe.scenes,
        batch=recipe.batch,
        vae_steps=earlier.vae_steps + sum(state.step for state in vae),
        vae_minutes=earlier.vae_minutes + sum(state.seconds for state in vae) / 60,
        text_steps=earlier.text_steps + sum(state.step for state in text),
        text_minutes=earlier.text_minutes + sum(state.seconds for state in text) / 60,
        diffusion_steps=earlier.diffusion_steps + diffusion.step,
        diffusion_minutes=earlier.diffusion_minutes + diffusion.seconds / 60,
        note=earlier.note,
    )


def main() -> None:
    """Read the command line and make the model."""
    parser = argparse.ArgumentParser(prog="sdnb.training.recipe", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for all that is written")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--budget", type=float, default=90.0, help="minutes of training")
    parser.add_argument("--from", dest="start", type=Path, help="folder of a model to go on from")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--scenes", type=int, default=24_000, help="size of the data set")
    with single_threaded():
        print(make_model(Recipe(**vars(parser.parse_args()))))


if __name__ == "__main__":
    main()
