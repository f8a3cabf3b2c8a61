"""Stable Diffusion 1.x: 512x512, CLIP ViT-L/14, the network predicts the noise.

Source: Rombach et al. 2022 (arXiv:2112.10752).
"""

from sdnb.models.families.family import Family, Shapes, TextSpec
from sdnb.models.families.vocabulary import END_ID

PREFIX = "cond_stage_model.transformer.text_model."


def _recognises(shapes: Shapes) -> bool:
    return f"{PREFIX}embeddings.token_embedding.weight" in shapes


SD1 = Family(
    name="SD1",
    texts=(
        TextSpec(
            folder="text_encoder",
            prefix=PREFIX,
            layout="clip",
            activation="quick_gelu",
            pad=END_ID,
        ),
    ),
    recognises=_recognises,
    heads=lambda _channels: 8,
    size=512,
    scale=0.18215,
)
