"""Another prompt from some step on."""

from dataclasses import replace
from functools import cache

from sdnb.conditioning import Conditioning
from sdnb.events import Hook, ModelEvent
from sdnb.models.text import encode_text
from sdnb.pipeline import Pipeline


def swap_prompt(
    pipe: Pipeline, prompt: str, *, at: int, clip_skip: int = 0, syntax: str = "comfyui"
) -> Hook:
    """Ask about another prompt from step ``at`` on; on ``model``.

    Early steps decide where things are, late ones what they look like. Words that change on the
    way, ``[from:to:when]``, are text here, and the text encoders wear no LoRA for it.

    Source: Hertz et al. 2022 (arXiv:2208.01626), section 3.2, without attention replacement.
    """

    @cache
    def encoded(batch_size: int) -> Conditioning:
        parts = pipe.components
        embeddings = parts.embeddings.resolved((), [prompt], syntax)
        return encode_text(parts, [prompt] * batch_size, clip_skip, syntax, embeddings)

    def swapped(event: ModelEvent) -> ModelEvent | None:
        if event.index < at:
            return None
        return replace(event, branches={**event.branches, "cond": encoded(len(event.x))})

    return swapped
