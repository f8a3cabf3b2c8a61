"""One question to the network, seen from all sides; and how its error depends on the noise."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from math import isfinite
from typing import Any

import torch
from jaxtyping import Float
from PIL.Image import Image, Resampling, fromarray
from torch import Tensor

from sdnb.comparison.denoising import ask_network, first_text
from sdnb.diffusion.forward import add_noise
from sdnb.diffusion.guidance import classifier_free
from sdnb.diffusion.noise import batch_seeds, start_noise
from sdnb.errors import InvalidField, ModelError
from sdnb.models.vae import encode_images, from_pil
from sdnb.pipeline import Pipeline
from sdnb.request import GenerationRequest
from sdnb.result import picture_row, spread_text
from sdnb.shapes import Latents

WIDTH = 64
"""CSS pixels of the pictures in the table."""

HEADINGS = (
    "part",
    "channels: black −3 std, white +3 std of the row",
    "decoded",
    "mean ± std of each channel",
)


@dataclass(frozen=True, eq=False, kw_only=True)
class Inspection:
    """The parts of one denoising question; it draws itself.

    Parameters
    ----------
    t, sigma : float
        The training timestep and its level.
    parts : Mapping of str to Tensor [1, C, h, w]
        ``x`` (the noised latents), ``eps_uncond``, ``eps_cond``, ``difference`` (conditional
        minus unconditional), ``eps`` (guided), ``x0`` (the estimate of the clean latents), and
        ``eps_true`` (the noise that was added).
    decoded : Mapping of str to PIL image
        ``x0`` and ``x`` through the VAE (``x`` scaled to unit variance first).
    error : float
        Mean squared error of ``eps_cond``: the training loss here.
    """

    t: float
    sigma: float
    parts: Mapping[str, Latents]
    decoded: Mapping[str, Image]
    error: float

    def statistics(self) -> dict[str, list[tuple[float, float]]]:
        """Return mean and standard deviation of every channel of every part."""
        return {
            name: list(
                zip(
                    part.mean(dim=(0, 2, 3)).tolist(),
                    part.std(dim=(0, 2, 3)).tolist(),
                    strict=True,
                )
            )
            for name, part in self.parts.items()
        }

    def channels(self, name: str) -> list[Image]:
        """Return the channels of a part as grey pictures: black -3, white 3 deviations."""
        scaled = self.parts[name][0] / self.parts[name].std().clamp(min=1e-8)
        pixels = ((scaled / 6 + 0.5).clamp(0, 1) * 255).to(torch.uint8)
        return [_fitted(fromarray(channel.numpy()), Resampling.NEAREST) for channel in pixels]

    def __repr__(self) -> str:
        return f"<Inspection: t {self.t:.4g}, sigma {self.sigma:.4g}, error {self.error:.4f}>"

    # IPython's display protocol: it passes what it wants included and excluded.
    def _repr_mimebundle_(self, **_wishes: Any) -> dict[str, str]:
        head = "".join(f'<th scope="col">{escape(heading)}</th>' for heading in HEADINGS)
        rows = "".join(self._row(name) for name in self.parts)
        table = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
        html = f"<div>{escape(repr(self)[1:-1])}</div>{table}"
        return {"text/plain": repr(self), "text/html": html}

    def _row(self, name: str) -> str:
        spreads = [spread_text(mean, std) for mean, std in self.statistics()[name]]
        channels = self.channels(name)
        alts = [f"Channel {i} of {name}" for i in range(len(channels))]
        decoded = [self.decoded[name]] if name in self.decoded else []
        seen = [_fitted(picture, Resampling.BICUBIC) for picture in decoded]
        return (
            f'<tr><th scope="row">{escape(name)}</th>'
            f'<td style="white-space:nowrap">{picture_row(channels, alts, width=WIDTH)}</td>'
            f"<td>{picture_row(seen, [f'{name}, decoded'], width=WIDTH)}</td>"
            f"<td>{'<br>'.join(spreads)}</td></tr>"
        )


def inspect(  # noqa: PLR0913 - a picture, a question about it, and a seed
    pipe: Pipeline,
    subject: Image | Latents,
    prompt: str = "",
    *,
    t: float,
    negative_prompt: str = "",
    cfg_scale: float = 4.0,
    seed: int = 0,
) -> Inspection:
    """Noise a picture to timestep ``t``, ask the network once, and show all that it says.

    Parameters
    ----------
    subject : PIL image or Tensor [1, C, h, w]
        A picture, or clean latents.
    t : float
        Training timestep, 0 (hardly noised) … T - 1.

    Raises
    ------
    InvalidField
        For a timestep outside the training's.
    """
    request = GenerationRequest(
        prompt=prompt, negative_prompt=negative_prompt, cfg_scale=cfg_scale, seed=seed
    )
    return next(inspect_levels(pipe, _latents(pipe, subject), [t], request))


def inspect_levels(
    pipe: Pipeline, x0: Latents, timesteps: Sequence[float], request: GenerationRequest
) -> Iterator[Inspection]:
    """Noise clean latents to several timesteps, with the same noise, and ask at each of them.

    Parameters
    ----------
    x0 : Tensor [B, C, h, w]
        The first image of it is decoded.
    request : GenerationRequest
        Its prompts, guidance, seed, and what else `ask_network` takes of it. Words that change
        in a run are the first ones here.

    Raises
    ------
    InvalidField
        For a timestep outside the training's.
    ModelError
        For an answer of NaN or infinity.
    """
    levels = [_level(pipe, t) for t in timesteps]
    x0 = x0.to(pipe.components.device)
    eps_true = start_noise(batch_seeds(request.seed or 0, len(x0)), tuple(x0.shape[1:])).to(x0)
    texts = {"uncond": request.negative_prompt, "cond": request.prompt}
    prompts = {name: [first_text(request, text)] * len(x0) for name, text in texts.items()}
    ask = ask_network(pipe, prompts, request.changed(cfg_scale=1.0))
    for t, sigma in zip(timesteps, levels, strict=True):
        x = add_noise(x0, eps_true, sigma)
        answer = ask(x, sigma)
        error = float((answer["cond"] - eps_true).square().mean())
        _check_finite(error, t)
        eps = classifier_free(answer, request.cfg_scale)
        denoised = x - sigma * eps
        parts = {
            "x": x,
            "eps_uncond": answer["uncond"],
            "eps_cond": answer["cond"],
            "difference": answer["cond"] - answer["uncond"],
            "eps": eps,
            "x0": denoised,
            "eps_true": eps_true,
        }
        images = pipe.decode(torch.cat([x / (1 + sigma**2) ** 0.5, denoised]))
        yield Inspection(
            t=float(t),
            sigma=sigma,
            parts={name: part.cpu() for name, part in parts.items()},
            decoded={"x": images[0], "x0": images[len(x0)]},
            error=error,
        )


def error_curve(
    pipe: Pipeline,
    pictures: Sequence[Image],
    prompts: Sequence[str] = (),
    *,
    timesteps: Sequence[float] | None = None,
    seed: int = 0,
) -> tuple[list[float], Float[Tensor, " N"]]:
    """Return the training loss of a checkpoint over the timestep: where it errs, and how much.

    Parameters
    ----------
    pictures : sequence of PIL images
        Of one size.
    prompts : sequence of str, optional
        One for each picture; empty ones if not given.
    timesteps : sequence of float, optional
        Ten over the whole range if not given.

    Returns
    -------
    (timesteps, errors)
        Mean squared error of the predicted noise (Ho et al. 2020, arXiv:2006.11239, eq. 14) at
        each timestep, the same noise for every one.
    """
    clock = pipe.components.noise_schedule
    last = len(clock.alphas_cumprod) - 1
    chosen = [last * (i + 0.5) / 10 for i in range(10)] if timesteps is None else list(timesteps)
    texts = list(prompts) or [""] * len(pictures)
    if len(texts) != len(pictures):
        raise InvalidField(
            "each picture has its prompt.",
            given=f"{len(pictures)} pictures, {len(texts)} prompts",
            allowed="as many prompts as pictures, or none",
            fix="prompts=[...] in the order of the pictures",
        )
    x0 = encode_images(pipe.components, from_pil(pictures))
    eps = start_noise(batch_seeds(seed, len(x0)), tuple(x0.shape[1:])).to(x0)
    ask = ask_network(pipe, {"cond": texts})
    errors = []
    for sigma in map(clock.sigma, chosen):
        found = ask(add_noise(x0, eps, sigma), sigma)["cond"]
        errors.append((found - eps).square().mean())
    return [float(t) for t in chosen], torch.stack(errors).cpu()


def _fitted(image: Image, resampling: Resampling) -> Image:
    """Bring a picture to the table's width, in its own proportions."""
    return image.resize((WIDTH, max(1, round(WIDTH * image.height / image.width))), resampling)


def _level(pipe: Pipeline, t: float) -> float:
    """Return the level of a training timestep, or raise where training had no such one."""
    clock = pipe.components.noise_schedule
    last = len(clock.alphas_cumprod) - 1
    if not 0 <= t <= last:
        raise InvalidField(
            "t is a training timestep.",
            given=t,
            allowed=f"0 … {last}",
            fix=f"take {last // 2}, half way",
        )
    return clock.sigma(t)


def _check_finite(error: float, t: float) -> None:
    if not isfinite(error):
        raise ModelError(
            f"the network answered with NaN or infinity at timestep {t:.0f}.",
            given=f"mean squared error {error}",
            allowed="finite numbers",
            fix="look at the checkpoint's weights, or load it with dtype='float32'",
        )


def _latents(pipe: Pipeline, subject: Image | Latents) -> Latents:
    if isinstance(subject, Tensor):
        return subject.to(pipe.components.device)
    return encode_images(pipe.components, from_pil([subject]))
