"""Write the golden files: ``python -m tests.golden.make``."""

import json
from base64 import b64decode
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image

from sdnb import picture_file
from sdnb.choice import Choice
from sdnb.control import Control
from sdnb.embedding import Embedding
from sdnb.hires import Hires
from sdnb.hook_use import HookUse
from sdnb.ip_adapter import IPAdapter
from sdnb.lora import Lora
from sdnb.magics.commands import usages
from sdnb.magics.help import overview
from sdnb.picture import Inpaint, Picture
from sdnb.request import GenerationRequest

HERE = Path(__file__).parent
PIXEL = b64decode(  # one black pixel: what Pillow writes today need not be what it writes tomorrow
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="
)
REQUEST = GenerationRequest(
    prompt="a red circle, (bold:1.2)\non {white|grey}",
    negative_prompt='"größer": blurry',
    seed=7,
    batch_size=2,
    width=128,
    height=96,
    steps=30,
    cfg_scale=7.5,
    sampler=Choice("euler_ancestral", (("eta", 0.5),)),
    schedule=Choice("exponential"),
    denoise=0.6,
    start=Inpaint(Picture(PIXEL), Picture(PIXEL)),
    hires=Hires(scale=1.5, denoise=0.4, steps=10, upscale="latent"),
    loras=(Lora("a/style.safetensors", 0.8, 0.5, "ab" * 32), Lora("ink")),
    embeddings=(Embedding("neg", "ef" * 32), Embedding("a/pos.safetensors")),
    controls=(
        Control(picture=Picture(PIXEL), reference="depth", weight=0.7, end=0.5, sha256="cd" * 32),
    ),
    ip_adapters=(IPAdapter(picture=Picture(PIXEL), reference="plus", weight=0.6, begin=0.25),),
    checkpoint="tiny",
    clip_skip=1,
    syntax="plain",
    hooks=(HookUse("step", Choice("my_function"), 3, 7), HookUse("image", Choice("g"))),
)
"""Every field is set to something else than its default."""


def chunks() -> dict[str, str]:
    """Return the text chunks of a saved picture, with ``…`` for the versions of libraries."""
    with TemporaryDirectory() as folder:
        facts = {"evaluations": "30", "seconds": "1.500"}
        path = Path(folder) / "cat.png"
        picture_file.write(Image.new("L", (1, 1)), path, REQUEST, index=1, facts=facts)
        with Image.open(path) as image:
            text = dict(image.text)
    values = json.loads(text["sdnb"])
    version = f"Version: sdnb {values['software']['sdnb']}"
    values["software"] = dict.fromkeys(values["software"], "…")
    written = json.dumps(values, indent=2, ensure_ascii=False)
    return {
        **text,
        "sdnb": written,
        "parameters": text["parameters"].replace(version, "Version: …"),
    }


def help_text() -> str:
    """Return the magic's help without the names at its end: a new sampler is no new format."""
    text, _, _ = overview(usages()).partition("\n\nNames (")
    return text


def make(folder: Path) -> None:
    """Write all files."""
    texts = {"help.txt": help_text()}
    for name, text in chunks().items():
        texts[f"png_{name}.{'json' if name == 'sdnb' else 'txt'}"] = text
    for name, text in texts.items():
        (folder / name).write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    make(HERE)
