"""The U-Net, trained to predict velocities from noised latents and from what the text says.

Here are its size, that of its text encoder, and its loss on latents. The VAE is in
``autoencoder``, the text encoder's own training in ``reading``, what a velocity is in ``loss``,
where in a picture errors count more in ``emphasis``, where words are to look in ``grounding``.
"""

from dataclasses import dataclass
from functools import cache, partial
from importlib import import_module
from random import Random
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from sdnb.diffusion.noise_schedules import scaled_linear
from sdnb.shapes import Latents, TrainingSteps
from sdnb.training.captions import write_caption
from sdnb.training.computing import precision
from sdnb.training.dataset import numbered_scene, scene_odds
from sdnb.training.emphasis import weigh_places
from sdnb.training.grounding import Shares, TellingAttention, grounding_loss, name_things
from sdnb.training.loop import LossOfStep
from sdnb.training.loss import v_loss, velocity, weigh_levels
from sdnb.training.tokenizer import POSITIONS, Tokenizer, encode_ids

TIMESTEPS = 1000
BETAS = (0.00085, 0.012)
"""Ends of Stable Diffusion's scaled-linear schedule."""

LOG_SIGMA = (0.8, 1.2)
"""Mean and deviation of the logarithms of the sigmas that are trained.

Up to sigma = 3 the noised latents themselves tell kind and background; text decides above.
"""

GROUNDING = 0.3
"""Weight of where words look, beside the error of the velocity."""

EMPTY_SHARE = 0.1
"""Share of captions left empty, for classifier-free guidance (arXiv:2207.12598)."""

# transformers and diffusers are partly typed and take seconds to load: Any, imported late.
Network = Any


class Diffusion(nn.Module):
    """Text encoder and U-Net as one network: noised latents and token ids to velocities."""

    def __init__(self, text_encoder: Network, unet: Network) -> None:
        super().__init__()
        self.text_encoder = text_encoder
        self.unet = unet
        unet.set_attn_processor(TellingAttention())

    def forward(
        self,
        x: Latents,
        t: Int[Tensor, " B"],
        ids: Int[Tensor, "B L"],
    ) -> tuple[Latents, list[Shares]]:
        """Predict the velocity at ``x``, given at the variance-preserving scale.

        Beside it stand the shares of each layer that reads the text.
        """
        embeds = self.text_encoder(ids).last_hidden_state
        shares: list[Shares] = []
        told = self.unet(x, t, embeds, cross_attention_kwargs={"shares": shares})
        return told.sample, shares


def make_text_encoder(tokenizer: Tokenizer, width: int = 192, layers: int = 3) -> Network:
    """An untrained CLIP text model for the tokenizer's vocabulary."""
    transformers: Any = import_module("transformers")
    config = transformers.CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=2 * width,
        projection_dim=width,
        num_hidden_layers=layers,
        num_attention_heads=4,
        max_position_embeddings=POSITIONS,
        hidden_act="quick_gelu",
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        initializer_factor=1.0,
    )
    return transformers.CLIPTextModel(config)


def make_unet(channels: tuple[int, ...] = (64, 128, 192), text_width: int = 192) -> Network:
    """An untrained U-Net; every level but the first attends to the text."""
    diffusers: Any = import_module("diffusers")
    deeper = len(channels) - 1
    model = diffusers.UNet2DConditionModel(
        sample_size=16,
        in_channels=4,
        out_channels=4,
        block_out_channels=channels,
        layers_per_block=1,
        down_block_types=("DownBlock2D",) + ("CrossAttnDownBlock2D",) * deeper,
        up_block_types=("CrossAttnUpBlock2D",) * deeper + ("UpBlock2D",),
        cross_attention_dim=text_width,
        attention_head_dim=4,
        norm_num_groups=16,
    )
    return model.to(memory_format=torch.channels_last)


@cache
def training_alphas_cumprod() -> TrainingSteps:
    """Stable Diffusion's own schedule, in float32."""
    return scaled_linear(TIMESTEPS, *BETAS).alphas_cumprod.float()


def timesteps_of(u: Float[Tensor, " B"]) -> Int[Tensor, " B"]:
    """Timesteps whose sigma is nearest to the log-normal quantiles of ``u`` (0 to 1).

    Most of them lie where there is something to learn: next to no noise nothing is left to
    predict, in mere noise nothing can be seen. Source: Karras et al. 2022 (arXiv:2206.00364),
    section 5 and table 1; mean and deviation are our own.
    """
    alphas_cumprod = training_alphas_cumprod()
    ladder = ((1 - alphas_cumprod) / alphas_cumprod).log() / 2
    mean, deviation = LOG_SIGMA
    return torch.bucketize(
        mean + deviation * torch.special.ndtri(u), ladder[:-1].lerp(ladder[1:], 0.5)
    )


def sample_captions(numbers: list[int], random: Random) -> list[str]:
    """A new wording for each numbered scene; one in ten is left empty."""
    captions = [write_caption(numbered_scene(number), random) for number in numbers]
    return ["" if random.random() < EMPTY_SHARE else caption for caption in captions]


@dataclass(frozen=True, kw_only=True)
class NoiseExamples:
    """What the U-Net is asked in a part of a step.

    Parameters
    ----------
    numbers : tuple of int, [B]
        Which scenes they are.
    x0, eps : Tensor [B, C, h, w]
        Clean latents and the noise to add.
    t : Tensor [B]
        Training timesteps.
    ids : Tensor [B, L]
        Token ids of the captions.
    covers : Tensor [B, T, h, w]
        Where each thing stands.
    named : Tensor [B, T, L]
        Which positions of the captions name it.
    share, named_share : float
        This part's share of the step's images, and of the words that name something.
    """

    numbers: tuple[int, ...]
    x0: Latents
    eps: Latents
    covers: Float[Tensor, "B T h w"]
    named: Bool[Tensor, "B T L"]
    t: Int[Tensor, " B"]
    ids: Int[Tensor, "B L"]
    share: float
    named_share: float


@dataclass(frozen=True, kw_only=True)
class CaptionedLatents:
    """The data set as the U-Net sees it: latents of numbered scenes, worded anew each time.

    ``covers`` tells where the things of each scene stand. ``batch`` images make a step; they
    are split into ``parts``.
    """

    latents: Latents
    covers: Float[Tensor, "N T h w"]
    tokenizer: Tokenizer
    seed: int
    batch: int = 32
    parts: int = 1

    def draw(self, step: int) -> list[NoiseExamples]:
        """The parts of a step; the step seeds all that is random in them.

        The timesteps of a step are spread regularly over their distribution from one random
        offset, which makes its loss less noisy (arXiv:2107.00630, Appendix I.1).
        """
        random = Random(f"diffusion {self.seed} {step}")
        noise = torch.Generator().manual_seed(random.getrandbits(48))
        count = len(self.latents)
        numbers = random.choices(range(count), cum_weights=scene_odds(count), k=self.batch)
        ids = encode_ids(self.tokenizer, sample_captions(numbers, random))
        offset = torch.rand(1, generator=noise)
        spread = (torch.arange(self.batch) + offset) / self.batch
        t, x0, covers = timesteps_of(spread), self.latents[numbers], self.covers[numbers]
        named = name_things(self.tokenizer, ids, [numbered_scene(number) for number in numbers])
        eps = torch.randn(x0.shape, generator=noise)
        return [
            NoiseExamples(
                numbers=tuple(numbers[i]),
                x0=x0[i],
                eps=eps[i],
                t=t[i],
                ids=ids[i],
                covers=covers[i],
                named=named[i],
                share=len(t[i]) / self.batch,
                named_share=float(named[i].sum() / named.sum().clamp(min=1)),
            )
            for i in (slice(first, None, self.parts) for first in range(self.parts))
        ]


def diffusion_loss(model: nn.Module, data: CaptionedLatents) -> LossOfStep:
    """Loss of step after step over the cached latents."""
    return lambda step, _progress: [
        partial(velocity_loss, model, examples) for examples in data.draw(step)
    ]


def velocity_loss(model: nn.Module, examples: NoiseExamples) -> Float[Tensor, ""]:
    """Weighted velocity error of some examples and where words look, times their shares.

    The latents are noised on the variance-preserving scale, as the U-Net expects.
    Source: Ho et al. 2020 (arXiv:2006.11239), Eq. 4.
    """
    device = next(model.parameters()).device
    kept = training_alphas_cumprod()[examples.t][:, None, None, None]
    x = kept.sqrt() * examples.x0 + (1 - kept).sqrt() * examples.eps
    x = x.to(device).contiguous(memory_format=torch.channels_last)
    v = velocity(examples.x0, examples.eps, kept).to(device)
    with precision(device):
        predicted, shares = model(x, examples.t.to(device), examples.ids.to(device))
    weight = weigh_levels(((1 - kept) / kept).sqrt().flatten())[:, None, None, None]
    error = v_loss(predicted, v, (weight * weigh_places(examples.covers)).to(device))
    missed = grounding_loss(shares, examples.covers.to(device), examples.named.to(device))
    return examples.share * error + examples.named_share * GROUNDING * missed
