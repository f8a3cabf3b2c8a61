"""How a run begins: at which levels, with what latents, and what of a picture it keeps."""

from dataclasses import dataclass
from functools import cached_property
from math import sqrt

import torch
from jaxtyping import Float
from torch import Tensor

from sdnb.diffusion.forward import add_noise
from sdnb.diffusion.noise import start_noise
from sdnb.diffusion.samplers.contract import Sampler
from sdnb.diffusion.sigma_schedules import sigmas
from sdnb.errors import InvalidField
from sdnb.inpaint import KnownRegion, latent_mask, paste, shown_beside
from sdnb.models.components import Components
from sdnb.models.vae import encode_images, from_pil
from sdnb.picture import FromNoise, Inpaint
from sdnb.registry import SAMPLERS
from sdnb.request import GenerationRequest
from sdnb.shapes import Images, Latents


def plan_levels(components: Components, request: GenerationRequest) -> list[float]:
    """Return the levels, [S + 1] falling to 0, that a request's sampler is given.

    With a ``strength`` they are the last ``int(strength * S)`` steps of the schedule's S, as in
    diffusers. Raises `InvalidField` where the schedule gives none, and for a batch with a sampler
    that chooses its steps for each image.
    """
    sampler: Sampler = SAMPLERS[request.sampler.name]
    if sampler.adaptive and request.batch_size > 1:
        raise InvalidField(
            f"{sampler.name} chooses its steps by the error it sees, for each image others.",
            given=f"batch_size={request.batch_size}",
            allowed="batch_size=1",
            fix="run it once for each seed",
        )
    levels: list[float] = sigmas(
        request.schedule.name,
        request.steps,
        noise_schedule=components.noise_schedule,
        denoise=request.denoise,
        discard_penultimate=sampler.discard_penultimate,
        **dict(request.schedule.options),
    ).tolist()
    if request.strength is None:
        return levels
    return levels[-1 - max(1, int((len(levels) - 1) * request.strength)) :]


@dataclass(frozen=True, eq=False)
class Opening:
    """What a run begins from: its seeds' noise, and a picture where there is one.

    Nothing is computed before it is asked for. A size that the request leaves open is the
    checkpoint's.
    """

    components: Components
    request: GenerationRequest
    seeds: tuple[int, ...]

    @cached_property
    def eps(self) -> Latents:
        """Unit noise [B, C, h, w], float32 on the network's device."""
        spec, (width, height) = self.components.latent, self._size
        shape = (spec.channels, height // spec.factor, width // spec.factor)
        return start_noise(self.seeds, shape).to(self.components.device)

    @cached_property
    def clean(self) -> Latents:
        """The picture's latents [B, C, h, w], resized to the run's size; zeros without one."""
        start = self.request.start
        if isinstance(start, FromNoise):
            return torch.zeros_like(self.eps)
        pixels = from_pil([start.picture.open().resize(self._size)])
        return encode_images(self.components, pixels).to(self.eps).expand_as(self.eps)

    def noised(self, sigma: float, clean: Latents | None = None) -> Latents:
        """Return latents [B, C, h, w], the picture's if none are given, at the run's first level.

        At the noisiest level the noise has the variance of noised data, ``1 + sigma**2``.
        """
        full = sigma >= self.components.noise_schedule.sigma_max * (1 - 1e-5)
        clean = self.clean if clean is None else clean
        return add_noise(clean, self.eps, sqrt(1 + sigma**2) if full else sigma)

    @cached_property
    def known(self) -> KnownRegion | None:
        """The part of the picture that is kept in latents.

        None where all of it is repainted, and where the network itself is shown what stays.
        """
        start = self.request.start
        if not isinstance(start, Inpaint) or self.beside is not None:
            return None
        mask = latent_mask(start.mask, self._size, self.components.latent.factor).to(self.eps)
        whole = mask.expand(len(self.seeds), -1, -1, -1)
        return KnownRegion(self.clean, self.eps, whole)

    @cached_property
    def beside(self) -> Float[Tensor, "B _ h w"] | None:
        """What an inpainting network is shown beside the latents, [B, 1 + C, h, w]; else None."""
        spec = self.components.latent
        if self.components.unet.config.in_channels == spec.channels:
            return None
        repainted = shown_beside(self.request.start, self._size, spec.factor)
        kept = encode_images(self.components, repainted.kept)
        shown = torch.cat([repainted.mask.to(kept), kept], dim=1).to(self.eps)
        return shown.expand(len(self.seeds), -1, -1, -1)

    def pasted(self, images: Images) -> Images:
        """Return decoded pictures, with the pixels that are kept as the picture's own."""
        start = self.request.start
        return paste(start, images) if isinstance(start, Inpaint) else images

    @property
    def _size(self) -> tuple[int, int]:
        size = self.components.size
        return self.request.width or size, self.request.height or size
