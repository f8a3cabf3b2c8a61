"""A pipeline's network as a plain function of ``(x, sigma)``, as `sdnb.sample` takes it."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from itertools import chain
from typing import TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

from sdnb.diffusion.guidance import classifier_free
from sdnb.diffusion.noise import batch_seeds
from sdnb.models.components import Components
from sdnb.models.denoiser import Answer, Denoiser, Question
from sdnb.models.text import encode_text
from sdnb.pipeline import Pipeline
from sdnb.prompt import edited
from sdnb.request import GenerationRequest
from sdnb.shapes import Latents, State
from sdnb.start import Opening
from sdnb.steering import Steering

Both = Callable[[State, float], tuple[State, State]]
"""``(x, sigma)`` -> ``(denoised, denoised_uncond)``."""

Steered = TypeVar("Steered", bound=Steering)


def ask_network(
    pipe: Pipeline,
    prompts: Mapping[str, Sequence[str]],
    like: GenerationRequest = GenerationRequest(cfg_scale=1.0),  # noqa: B008 - frozen
) -> Callable[[Latents, float], Answer]:
    """Return the checkpoint as a function that gives each branch's noise.

    Parameters
    ----------
    prompts : Mapping of str to sequence of str
        Of each branch, the prompt of each image.
    like : GenerationRequest
        What else the checkpoint is asked with: its clip_skip, syntax, loras, embeddings,
        controls and ip_adapters, which are heard at every level; and cfg_scale, if it is told it.

    Returns
    -------
    callable
        ``(x [B, C, h, w], sigma)`` -> ``eps`` [B, C, h, w] by the name of its branch. Each
        question waits for its turn while another thread computes, and so do the files before.
    """
    parts = pipe.components
    texts = chain.from_iterable(prompts.values())
    with pipe.turn():
        loras = parts.adapters.resolved(like.loras)
        embeddings = parts.embeddings.resolved(like.embeddings, texts, like.syntax)
        controls = _heard(parts.controlnets.resolved(like.controls))
        adapters = _heard(parts.ip_adapters.resolved(like.ip_adapters))
        with parts.reading(loras):
            branches = {
                name: encode_text(parts, texts, like.clip_skip, like.syntax, embeddings)
                for name, texts in prompts.items()
            }
    denoiser, all_repainted = Denoiser(parts), cache(partial(_all_repainted, parts))

    def ask(x: Latents, sigma: float) -> Answer:
        with pipe.turn():
            t, beside = parts.noise_schedule.t(sigma), all_repainted(x.shape)
            question = Question(
                x,
                sigma,
                t,
                branches,
                beside,
                loras=loras,
                controls=controls,
                ip_adapters=adapters,
                cfg_scale=like.cfg_scale,
            )
            return denoiser([question])[0]

    if loras:
        parts.adapters.serve(ask)
    return ask


def _heard(steering: tuple[Steered, ...]) -> tuple[Steered, ...]:
    return tuple(each for each in steering if each.weight)


def _all_repainted(parts: Components, shape: torch.Size) -> Float[Tensor, "B _ h w"] | None:
    """Return what an inpainting network is shown where nothing is kept of a picture."""
    count, _, height, width = shape
    factor = parts.latent.factor
    request = GenerationRequest(width=width * factor, height=height * factor)
    return Opening(parts, request, seeds=(0,) * count).beside


def as_denoiser(pipe: Pipeline, request: GenerationRequest) -> Both:
    """Return the checkpoint as a denoiser with the request's prompt and guidance.

    Hooks are not called, no part of a picture is kept, words that change on the way stay the first
    ones, and controls are heard at every level. At cfg_scale 1, and where the network itself is
    told it, there is no negative prompt to answer: both halves of the pair are the same then.
    """
    prompts = {"cond": [first_text(request, request.prompt)] * request.batch_size}
    if request.cfg_scale != 1 and not pipe.components.is_told_guidance:
        uncond = [first_text(request, request.negative_prompt)] * request.batch_size
        prompts = {"uncond": uncond, **prompts}
    ask = ask_network(pipe, prompts, request)

    def denoiser(x: Latents, sigma: float) -> tuple[Latents, Latents]:
        eps = ask(x, sigma)
        denoised = x - sigma * classifier_free(eps, request.cfg_scale)
        return denoised, (x - sigma * eps["uncond"] if "uncond" in eps else denoised)

    return denoiser


def first_text(request: GenerationRequest, prompt: str) -> str:
    """Return what a prompt of a request says at first: words may change on the way."""
    return edited(prompt, request.steps_made[0], request.syntax)[0][1]


class Counted:
    """A denoiser that counts how often it is asked."""

    def __init__(self, denoiser: Both) -> None:
        self._denoiser = denoiser
        self.asked = 0

    def __call__(self, x: State, sigma: float) -> tuple[State, State]:
        """Ask it once more."""
        self.asked += 1
        return self._denoiser(x, sigma)


def starting_latents(pipe: Pipeline, request: GenerationRequest, sigma: float) -> Latents:
    """Return the latents that the request's run starts from at level ``sigma``."""
    seeds = batch_seeds(request.seed or 0, request.batch_size)
    with pipe.turn():  # a picture to start from is encoded
        return Opening(pipe.components, request, seeds).noised(sigma)
