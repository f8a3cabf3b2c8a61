"""Stable Diffusion XL, base and refiner: 1024x1024, told the size of a picture.

Both read OpenCLIP ViT-bigG/14, the base CLIP ViT-L/14 before it; the layers read are the last
but one, as they are. Source: Podell et al. 2023 (arXiv:2307.01952), sections 2.1 and 2.2.
"""

from sdnb.models.families.family import Family, Shapes, TextSpec
from sdnb.models.families.vocabulary import END_ID

CLIP = "conditioner.embedders.0.transformer.text_model."
OPEN_CLIP = "conditioner.embedders.1.model."
REFINER_OPEN_CLIP = "conditioner.embedders.0.model."

AESTHETIC = {"uncond": 2.5}
"""The score, 1 to 10, that the refiner is told a picture has; 6 where nothing is said."""


def _open_clip(prefix: str) -> TextSpec:
    return TextSpec(
        folder="text_encoder_2",
        prefix=prefix,
        layout="open_clip",
        activation="gelu",
        pad=0,
        skipped=1,
        is_normed=False,
        is_projected=True,
    )


def _is_base(shapes: Shapes) -> bool:
    return f"{OPEN_CLIP}token_embedding.weight" in shapes


def _is_refiner(shapes: Shapes) -> bool:
    return f"{REFINER_OPEN_CLIP}token_embedding.weight" in shapes


def _sizes(height: float, width: float, _branch: str) -> tuple[float, ...]:
    """Height and width of the original, corner of the crop, height and width of the target."""
    return (height, width, 0.0, 0.0, height, width)


def _size_and_score(height: float, width: float, branch: str) -> tuple[float, ...]:
    """Height and width of the original, corner of the crop, aesthetic score."""
    return (height, width, 0.0, 0.0, AESTHETIC.get(branch, 6.0))


SDXL = Family(
    name="SDXL",
    texts=(
        TextSpec(
            folder="text_encoder",
            prefix=CLIP,
            layout="clip",
            activation="quick_gelu",
            pad=END_ID,
            skipped=1,
            is_normed=False,
        ),
        _open_clip(OPEN_CLIP),
    ),
    recognises=_is_base,
    heads=lambda channels: channels // 64,
    size=1024,
    scale=0.13025,
    time_ids=_sizes,
)

SDXL_REFINER = Family(
    name="SDXL refiner",
    texts=(_open_clip(REFINER_OPEN_CLIP),),
    recognises=_is_refiner,
    heads=lambda channels: channels // 64,
    size=1024,
    scale=0.13025,
    time_ids=_size_and_score,
)
