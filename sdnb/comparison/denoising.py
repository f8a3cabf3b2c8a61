"""A pipeline's network as a plain function of ``(x, sigma)``, as `sdnb.sample` takes it."""

from collections.abc import Callable

import torch

from sdnb.diffusion.guidance import classifier_free
from sdnb.diffusion.noise import batch_seeds
from sdnb.models.components import Components
from sdnb.models.denoiser import Denoiser, Question
from sdnb.models.text import encode_text
from sdnb.pipeline import Pipeline
from sdnb.request import GenerationRequest
from sdnb.shapes import Latents
from sdnb.start import begin

Both = Callable[[Latents, float], tuple[Latents, Latents]]
"""``(x, sigma)`` -> ``(denoised, denoised_uncond)``."""


def as_denoiser(pipe: Pipeline, request: GenerationRequest) -> Both:
    """Return the checkpoint as a denoiser with the request's prompt and guidance.

    Hooks are not called. At cfg_scale 1 there is no negative prompt to answer: both halves of
    the pair are the same then.
    """
    parts = pipe.components
    prompts = {"cond": request.prompt}
    if request.cfg_scale != 1:
        prompts = {"uncond": request.negative_prompt, **prompts}
    branches = {
        name: encode_text(parts, [prompt] * request.batch_size, request.clip_skip)
        for name, prompt in prompts.items()
    }
    ask = Denoiser(parts)

    def denoiser(x: Latents, sigma: float) -> tuple[Latents, Latents]:
        (eps,) = ask([Question(x, sigma, parts.noise_schedule.t(sigma), branches)])
        denoised = x - sigma * classifier_free(eps, request.cfg_scale)
        return denoised, (x - sigma * eps["uncond"] if "uncond" in eps else denoised)

    return denoiser


def starting_latents(parts: Components, request: GenerationRequest, sigma: float) -> Latents:
    """Return the latents that the request's run starts from at level ``sigma``."""
    size = (request.width or parts.size, request.height or parts.size)
    seeds = batch_seeds(request.seed or 0, request.batch_size)
    with torch.no_grad():
        return begin(parts, request.start, seeds, size, sigma)
