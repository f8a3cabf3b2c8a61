"""Stable Diffusion 2.x: OpenCLIP ViT-H/14, read from its last but one layer.

The checkpoints of 768x768 predict v, those of 512x512 the noise; their tensors do not tell which.
"""

from sdnb.models.families.family import Family, Shapes, TextSpec

PREFIX = "cond_stage_model.model."


def _recognises(shapes: Shapes) -> bool:
    return f"{PREFIX}token_embedding.weight" in shapes


SD2 = Family(
    name="SD2",
    texts=(
        TextSpec(
            folder="text_encoder",
            prefix=PREFIX,
            layout="open_clip",
            activation="gelu",
            pad=0,
            layers=23,
        ),
    ),
    recognises=_recognises,
    heads=lambda channels: channels // 64,
    size=512,
    scale=0.18215,
    v_size=768,
)
