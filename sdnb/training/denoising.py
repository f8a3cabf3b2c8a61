"""Training a checkpoint's U-Net on pictures of one's own, with captions or without.

    examples = Examples.of(pipe, pictures, captions)
    state = TrainState.begin(pipe.components.unet)
    for event in train(state, noise_loss(pipe.components, examples), plan):
        ...

The loss is the plain one of diffusion models, the mean squared error of the noise, whatever the
network predicts. What the embedded model's own recipe adds to it is in ``diffusion``.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from random import Random

import torch
from jaxtyping import Float, Int
from PIL.Image import Image
from torch import Tensor

from sdnb.conditioning import Conditioning
from sdnb.diffusion.forward import add_noise
from sdnb.errors import InvalidField
from sdnb.models.components import Components, Network
from sdnb.models.denoiser import Denoiser, Question
from sdnb.models.text import encode_text
from sdnb.models.vae import encode_images, from_pil
from sdnb.pipeline import Pipeline
from sdnb.shapes import Latents
from sdnb.training.loop import LossOfStep, Part


@dataclass(frozen=True, eq=False, kw_only=True)
class Examples:
    """What a U-Net is trained on: clean latents, each with what the text encoder says of it.

    Parameters
    ----------
    latents : Tensor [N, C, h, w]
        Clean, on the CPU.
    told : tuple of Conditioning, [N]
        Of each one's caption, for a batch of one.
    empty : Conditioning
        Of the empty caption.
    empty_share : float
        How often the empty caption stands for the own one, 0 … 1: without that there is no
        classifier-free guidance (Ho & Salimans 2022, arXiv:2207.12598, Algorithm 1).
    """

    latents: Latents
    told: tuple[Conditioning, ...]
    empty: Conditioning
    empty_share: float

    @classmethod
    def of(
        cls,
        pipe: Pipeline,
        pictures: Sequence[Image],
        captions: Sequence[str] = (),
        *,
        empty_share: float = 0.1,
    ) -> "Examples":
        """Encode pictures of one size, and their captions; empty ones if not given.

        Raises
        ------
        InvalidField
            Where not every picture has its caption, where there is no picture, and for pictures
            of several sizes.
        """
        texts = list(captions) or [""] * len(pictures)
        if not pictures or len(texts) != len(pictures):
            raise InvalidField(
                "each picture that is trained on has its caption.",
                given=f"{len(pictures)} pictures, {len(texts)} captions",
                allowed="a picture or more, as many captions or none",
                fix="Examples.of(pipe, pictures, captions)",
            )
        sizes = sorted({picture.size for picture in pictures})
        if len(sizes) > 1:
            raise InvalidField(
                "pictures that are trained on together are of one size.",
                given=", ".join(f"{width}x{height}" for width, height in sizes),
                allowed="one width and one height, of the size that is to be drawn",
                fix="picture.resize((512, 512)), or PIL.ImageOps.fit, which cuts off what is over",
            )
        parts = pipe.components
        if parts.offload is not None:
            raise InvalidField(
                "a network that is trained stays on the device.",
                given="a checkpoint loaded with offload=True",
                allowed="one loaded without",
                fix=f"sdnb.load({parts.recipe.reference!r})",
            )
        with pipe.turn():
            said = {text: encode_text(parts, [text]) for text in dict.fromkeys(["", *texts])}
            latents = encode_images(parts, from_pil(pictures))
        told = tuple(said[text] for text in texts)
        return cls(latents=latents.cpu(), told=told, empty=said[""], empty_share=empty_share)


@dataclass(frozen=True, eq=False, kw_only=True)
class NoisedExamples:
    """Some examples as a step of training shows them.

    Parameters
    ----------
    x0, eps : Tensor [B, C, h, w]
        Clean latents and the noise that is added.
    t : Tensor [B]
        Training timesteps.
    told : tuple of Conditioning, [B]
    """

    x0: Latents
    eps: Latents
    t: Int[Tensor, " B"]
    told: tuple[Conditioning, ...]


def noise_loss(
    components: Components, examples: Examples, *, batch: int = 16, parts: int = 1, seed: int = 0
) -> LossOfStep:
    """Return the loss of step after step: the error of the noise that the U-Net sees.

    Timesteps are drawn evenly from all of training's.

    Parameters
    ----------
    components : Components
        A pipeline's, its U-Net in float32.
    batch, parts : int
        Images of a step, and how many parts they are split into for the plan's workers.
    seed : int
        With the step it says what is drawn.

    Raises
    ------
    InvalidField
        For a U-Net in half precision, in which small steps are lost.
    """
    if components.dtype != torch.float32:
        raise InvalidField(
            "a U-Net is trained in float32.",
            given=components.dtype,
            allowed="torch.float32",
            fix='sdnb.load(..., dtype="float32")',
        )
    timesteps = len(components.noise_schedule.alphas_cumprod)

    def loss_of(step: int, _progress: float) -> list[Part]:
        drawn = draw_examples(examples, timesteps, batch, Random(f"noise {seed} {step}"))
        shown = [_each(drawn, first, parts) for first in range(min(parts, batch))]
        return [partial(_weighed, components, part, len(part.t) / batch) for part in shown]

    return loss_of


def draw_examples(examples: Examples, timesteps: int, batch: int, random: Random) -> NoisedExamples:
    """Draw what a step of training shows.

    Timesteps are spread regularly from one random offset, which makes a step's loss less noisy
    (Kingma et al. 2021, arXiv:2107.00630, appendix I.1).
    """
    numbers = random.choices(range(len(examples.latents)), k=batch)
    is_empty = [random.random() < examples.empty_share for _ in numbers]
    generator = torch.Generator().manual_seed(random.getrandbits(48))
    x0 = examples.latents[numbers]
    spread = (torch.rand(1, generator=generator) + torch.arange(batch)) / batch
    return NoisedExamples(
        x0=x0,
        eps=torch.randn(x0.shape, generator=generator),
        t=(spread * timesteps).long().clamp(max=timesteps - 1),
        told=tuple(
            examples.empty if empty else examples.told[number]
            for number, empty in zip(numbers, is_empty, strict=True)
        ),
    )


def noise_error(components: Components, shown: NoisedExamples) -> Float[Tensor, ""]:
    """Return the mean squared error of the noise that the U-Net sees, with gradients.

    Source: Ho et al. 2020 (arXiv:2006.11239), eq. 14.
    """
    clock, device = components.noise_schedule, components.device
    x0, eps = shown.x0.to(device), shown.eps.to(device)
    questions = []
    for index, t in enumerate(shown.t.double().tolist()):
        sigma, one = clock.sigma(t), slice(index, index + 1)
        x = add_noise(x0[one], eps[one], sigma)
        questions.append(Question(x, sigma, t, {"cond": shown.told[index]}))
    answers = Denoiser(components).differentiable(questions)
    seen = torch.cat([answer["cond"] for answer in answers])
    return (seen - eps).square().mean()


def with_unet(pipe: Pipeline, unet: Network) -> Pipeline:
    """Return a pipeline that draws with another U-Net, such as one in training.

    It shares all else with ``pipe``, and they take turns. Its results name no checkpoint by a
    hash, and no history keeps them: the weights are in no file.
    """
    parts = replace(pipe.components, unet=unet, compiled=None, reference="(in training)", sha256="")
    own = pipe.sharing(parts)
    own.history = None
    return own


def _each(drawn: NoisedExamples, first: int, parts: int) -> NoisedExamples:
    """Take every ``parts``-th example from ``first`` on."""
    some = slice(first, None, parts)
    return NoisedExamples(
        x0=drawn.x0[some], eps=drawn.eps[some], t=drawn.t[some], told=drawn.told[some]
    )


def _weighed(components: Components, shown: NoisedExamples, share: float) -> Float[Tensor, ""]:
    return share * noise_error(components, shown)
