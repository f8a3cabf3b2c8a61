"""MODEL_CARD.md: what the model is, how it was made, what was measured.

The text is made from two small files beside the weights: ``training.json``, written by
the recipe, and ``evaluation.json``, written by the evaluation.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from sdnb.training.dataset import SINGLE_SHARE
from sdnb.training.reading import CAPTIONS
from sdnb.training.silhouettes import SILHOUETTES
from sdnb.training.world import BACKGROUNDS, COLOURS, RELATIONS, SIZES


@dataclass(frozen=True, kw_only=True)
class Record:
    """Facts about the training, all continuations counted together.

    ``note`` tells what the recipe does not: settings that were changed on the way.
    """

    device: str
    scenes: int
    batch: int
    vae_steps: int
    vae_minutes: float
    diffusion_steps: int
    diffusion_minutes: float
    text_steps: int = 0
    text_minutes: float = 0.0
    note: str = ""


NO_TRAINING = Record(
    device="",
    scenes=0,
    batch=0,
    vae_steps=0,
    vae_minutes=0.0,
    diffusion_steps=0,
    diffusion_minutes=0.0,
)

CARD = """\
# The embedded model

A latent diffusion model small enough to ship inside the package, in the standard diffusers
layout: `StableDiffusionPipeline.from_pretrained` loads and runs this folder unchanged.

| part | what |
|---|---|
| VAE | AutoencoderKL, 128×128×3 to 4×16×16 (48 times fewer numbers), white latents |
| text | CLIPTokenizer with its own vocabulary, CLIPTextModel of 77 positions |
| U-Net | UNet2DConditionModel, predicts v, cross-attention from the second level |
| schedule | Stable Diffusion's: scaled linear 0.00085 … 0.012, T = 1000 |
| weights | {weights} |

## Data
A procedural world (`sdnb/training/world.py`), drawn by us: {scenes} scenes with one or two
things on a plain background, half of them with two; {single_share:.0%} of the images that the
U-Net is trained on show one. One combination in ten is held out and never trained on. No picture
of anyone or anything real was used.

- kinds: {kinds}
- colours: {colours}
- backgrounds: {backgrounds}
- sizes: {sizes}; relations: {relations}

Captions vary in wording and leave parts out; one in ten is empty. `words.json` lists all
words they use.

## Training
`python -m sdnb.training.recipe --out DIR`: AdamW, an average of the weights. The text encoder
learns to read first: linear probes (arXiv:1610.01644) ask each word what the caption has said so
far, and the caption's end which thing stands where. It stays as it is then, as CLIP's does in
Stable Diffusion. The U-Net learns from it: velocities as target (arXiv:2202.00512), log-normal
noise levels (arXiv:2206.00364) weighted by one over the error to be expected there, errors near
things up to four times those elsewhere, words told where their things stand (arXiv:2312.03626).

| part | device | steps | minutes |
|---|---|---|---|
{training}

{note}

## Measured
{figures}

## Limits
It knows only this world: its kinds, colours, backgrounds and relations, one or two things a
picture, 128×128 pixels. Other words fall into pieces that mean nothing to it. It is made for
learning and testing, not for pictures of the real world.
"""


def write_card(folder: Path, record: Record) -> None:
    """Write the card of a model folder and keep the record of its training beside it."""
    (folder / "training.json").write_text(json.dumps(asdict(record), indent=2) + "\n")
    text = CARD.format(
        weights=weigh(folder),
        kinds=", ".join(SILHOUETTES),
        colours=", ".join(COLOURS),
        backgrounds=", ".join(BACKGROUNDS),
        sizes=", ".join(SIZES),
        relations=", ".join(RELATIONS),
        training=training_rows(record),
        note=record.note or "Made by the recipe as it stands.",
        figures=figure_rows(folder / "evaluation.json"),
        scenes=f"{record.scenes:,}",
        single_share=SINGLE_SHARE,
    )
    (folder / "MODEL_CARD.md").write_text(text)


def read_record(folder: Path) -> Record:
    """The record of its training that a model folder holds."""
    return Record(**json.loads((folder / "training.json").read_text()))


def weigh(folder: Path) -> str:
    """Size of the weights, in words."""
    size = sum(path.stat().st_size for path in folder.rglob("*.safetensors"))
    return f"{size / 1e6:.1f} MB of float16, computed with in float32 on a CPU"


def training_rows(record: Record) -> str:
    """Rows of the table of trainings."""
    rows = [
        f"| VAE | {record.device} | {record.vae_steps:,} | {record.vae_minutes:.0f} |",
        f"| text encoder, batch {CAPTIONS} | {record.device} "
        f"| {record.text_steps:,} | {record.text_minutes:.0f} |",
        f"| U-Net, batch {record.batch} | {record.device} "
        f"| {record.diffusion_steps:,} | {record.diffusion_minutes:.0f} |",
    ]
    return "\n".join(rows)


def figure_rows(path: Path) -> str:
    """Table of the figures of ``evaluation.json``, or where they come from."""
    if not path.exists():
        return "Not measured yet: run `python -m sdnb.training.evaluate`."
    report = json.loads(path.read_text())
    rows = [f"| {name} | {text} |" for name, text in report["figures"].items()]
    return "\n".join([f"{report['how']}\n", "| figure | value |", "|---|---|", *rows])
