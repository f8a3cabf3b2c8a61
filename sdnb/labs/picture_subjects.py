"""Subjects of pictures: a small U-Net from nothing, and a LoRA of the pipeline's checkpoint."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace
from math import ceil
from typing import Any

import torch
from PIL.Image import Image

from sdnb.errors import InvalidField
from sdnb.files import new_file, typed_path
from sdnb.labs.subjects import TIMESTEPS, Curve, Learned, Wanted
from sdnb.labs.training_form import TrainingRequest
from sdnb.lora import Lora
from sdnb.models.components import Components
from sdnb.pipeline import Pipeline
from sdnb.result import Result
from sdnb.run import Run
from sdnb.training.computing import seeded, usable_cores
from sdnb.training.denoising import Examples, NoisedExamples, noise_error, noise_loss, with_unet
from sdnb.training.diffusion import make_unet
from sdnb.training.loop import LossOfStep, TrainState
from sdnb.training.lora import adapt, save_lora
from sdnb.training.picture_sets import PictureSet, little_world, read_folder, ten_in_ink

STEPS = 8
"""Sampler steps of what is drawn on the way: it should cost little of the training's time."""

MEASURED = 8
"""Pictures that the error is measured with."""

CHANNELS = (32, 64)
"""Of the small U-Net: a million weights."""

GUIDANCE = 3.0

TOGETHER = 32
"""Pictures of a step that are learned from at once, at most: a large batch needs no more memory."""


class PictureSubject:
    """What learns from captioned pictures.

    Parameters
    ----------
    pipe : Pipeline
        Its VAE and text encoder are made use of, in its turn.
    learning : Components
        Those that noise is asked of, with what is trained in them.
    state : TrainState
        Of what is trained.
    """

    warmup = 30
    drawn = 3
    """Pictures of a sample."""

    def __init__(
        self,
        pipe: Pipeline,
        asked: TrainingRequest,
        learning: Components,
        state: TrainState[Any],
    ) -> None:
        self.state = state
        self.workers = min(2, usable_cores()) if learning.device.type == "cpu" else 1
        self._pipe, self._learning, self._seed = pipe, learning, asked.seed
        self._own = with_unet(pipe, learning.unet)
        is_told = asked.subject != "unet" or asked.with_text
        pictures = _pictures(asked, learning.size)
        captions = pictures.captions if is_told else ()
        self._examples = Examples.of(pipe, pictures.pictures, captions)
        self._prompt = asked.prompt if is_told else ""
        self._fields: dict[str, Any] = {"seed": asked.seed, "steps": STEPS, "keep": "none"}

    def loss(self, batch: int) -> LossOfStep:
        """Return the loss of steps on so many pictures."""
        parts = max(self.workers, ceil(batch / TOGETHER))
        return noise_loss(self._learning, self._examples, batch=batch, parts=parts, seed=self._seed)

    def draw(self, wanted: Wanted) -> tuple[Image, ...] | None:
        """Draw from the fixed noise; None if given up."""
        run = self._own.start(self._prompt, batch_size=self.drawn, **self._fields)
        result = finished(run, wanted)
        return None if result is None else tuple(result.images)

    def errors(self, wanted: Wanted) -> Curve | None:
        """Measure the error on some of the pictures, always with the same noise."""
        return self._errors(self._learning, wanted)

    def _errors(self, components: Components, wanted: Wanted) -> Curve | None:
        x0, told = self._examples.latents[:MEASURED], self._examples.told[:MEASURED]
        eps = torch.randn(x0.shape, generator=torch.Generator().manual_seed(self._seed))
        found = []
        for t in TIMESTEPS:
            if wanted():
                return None
            at = torch.full((len(x0),), int(t))
            with self._pipe.turn(), torch.no_grad():
                shown = NoisedExamples(x0=x0, eps=eps, t=at, told=told)
                found.append(noise_error(components, shown).cpu())
        return torch.stack(found)


class SmallUNet(PictureSubject):
    """A U-Net that learns to draw from nothing, with captions or without."""

    def __init__(self, pipe: Pipeline, asked: TrainingRequest) -> None:
        parts = pipe.components
        if len(parts.texts) != 1 or parts.latent.channels != 4:
            raise InvalidField(
                "a small U-Net learns on four channels of latents and one text encoder.",
                given=parts.reference,
                allowed="the embedded model, and Stable Diffusion 1 and 2",
                fix="%sd load tiny",
            )
        with seeded(asked.seed):
            unet = make_unet(CHANNELS, parts.texts[0].network.config.hidden_size)
        state = TrainState.begin(unet.to(parts.device))
        learning = replace(parts, unet=state.model, compiled=None)
        super().__init__(pipe, asked, learning, state)
        self._fields["cfg_scale"] = GUIDANCE if asked.with_text else 1.0

    def reference(self, _wanted: Wanted) -> Mapping[str, Curve]:
        """Nothing: it began with nothing."""
        return {}

    def use(self, prompt: str, _file: str, wanted: Wanted) -> Learned:
        """Return a pipeline that draws with the averaged weights as they are now."""
        pipeline = with_unet(self._pipe, deepcopy(self.state.average))
        fields = {**self._fields, "seed": self._seed + 1, "steps": 2 * STEPS}
        result = finished(pipeline.start(prompt, batch_size=self.drawn, **fields), wanted)
        results = {} if result is None else {"with": result}
        return Learned(pipeline=pipeline, path=None, results=results)


class Style(PictureSubject):
    """A LoRA that learns a style; the checkpoint stays as it is."""

    warmup, drawn = 10, 1

    def __init__(self, pipe: Pipeline, asked: TrainingRequest) -> None:
        with seeded(asked.seed):
            learning, branches = adapt(pipe.components, asked.rank)
        super().__init__(pipe, asked, learning, TrainState.begin(branches))
        self._without: Curve | None = None

    def reference(self, wanted: Wanted) -> Mapping[str, Curve] | None:
        """Return the checkpoint's own error."""
        if self._without is None:
            self._without = self._errors(self._pipe.components, wanted)
        return None if self._without is None else {"without": self._without}

    def use(self, prompt: str, file: str, wanted: Wanted) -> Learned:
        """Save the LoRA under the first free name, and draw with it and without.

        Raises `InvalidField` where it cannot be written.
        """
        with new_file(typed_path(file).with_suffix(".safetensors")) as place:
            save_lora(place, self.state.average, steps=self.state.step)
        worn = {"without": (), "with": (Lora(str(place)),)}
        fields = {**self._fields, "steps": 2 * STEPS}
        runs = {
            name: finished(self._pipe.start(prompt, loras=loras, **fields), wanted)
            for name, loras in worn.items()
        }
        results = {name: result for name, result in runs.items() if result is not None}
        return Learned(pipeline=self._pipe, path=place, results=results)


def finished(run: Run, wanted: Wanted) -> Result | None:
    """Run to the end; None where something else was wanted first."""
    for _ in run:
        if wanted():
            run.cancel()
            return None
    return run.finish()


def _pictures(asked: TrainingRequest, size: int) -> PictureSet:
    if asked.pictures is not None:
        return read_folder(asked.pictures, size)
    return ten_in_ink(size) if asked.subject == "lora" else little_world(size)
