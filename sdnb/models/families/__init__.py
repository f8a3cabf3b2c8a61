"""What differs between the families of Stable Diffusion checkpoints, and nothing else.

A new one is a file beside these and its place in `FAMILIES`.
"""

from collections.abc import Mapping
from typing import Any

from sdnb.models.families.family import Family, Shapes
from sdnb.models.families.sd1 import SD1
from sdnb.models.families.sd2 import SD2
from sdnb.models.families.sdxl import SDXL, SDXL_REFINER

FAMILIES = (SD1, SD2, SDXL, SDXL_REFINER)

PIPELINES = {
    "StableDiffusionPipeline": (SD1, SD2),
    "StableDiffusionImg2ImgPipeline": (SD1, SD2),
    "StableDiffusionInpaintPipeline": (SD1, SD2),
    "LatentConsistencyModelPipeline": (SD1, SD2),
    "LatentConsistencyModelImg2ImgPipeline": (SD1, SD2),
    "StableDiffusionXLPipeline": (SDXL,),
    "StableDiffusionXLImg2ImgPipeline": (SDXL, SDXL_REFINER),
    "StableDiffusionXLInpaintPipeline": (SDXL,),
}
"""Which families come as which of diffusers' pipelines."""


def family_of_file(shapes: Shapes) -> Family | None:
    """Recognise a single file in the original layout by its tensors; None where it is none."""
    return next((family for family in FAMILIES if family.recognises(shapes)), None)


def family_of_folder(index: Mapping[str, Any], unet: Mapping[str, Any]) -> Family | None:
    """Recognise a folder in diffusers' layout by its index and its U-Net's configuration."""
    candidates = PIPELINES.get(str(index.get("_class_name")), ())
    if SD2 in candidates:
        return SD2 if unet.get("use_linear_projection") else SD1
    if SDXL_REFINER in candidates:
        has_both = any(index.get("text_encoder") or ())
        return SDXL if has_both else SDXL_REFINER
    return next(iter(candidates), None)
