"""How a run asks its network: hooks before and after, guidance, what is watched inside.

A question is yielded; who answers it is somebody else's affair, as in `sdnb.lane`.
"""

from collections.abc import Generator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType

import torch

from sdnb.conditioning import Branches
from sdnb.control import Control
from sdnb.diffusion.guidance import classifier_free
from sdnb.diffusion.samplers import loop
from sdnb.events import DenoiseEvent, Event, Hooks, ModelEvent, ModuleEvent
from sdnb.intercept import apply_hooks
from sdnb.ip_adapter import IPAdapter
from sdnb.models.attention import AttentionRecorder
from sdnb.models.components import Network
from sdnb.models.denoiser import Answer, Denoiser, Question, unwatched
from sdnb.models.module_hooks import check_taps, tapped
from sdnb.models.networks import Asked, Told
from sdnb.shapes import Latents
from sdnb.start import Opening

Yielded = Event | Asked
Sent = Told | None


@dataclass(frozen=True)
class Place:
    """Where in its run a question is asked: step ``index`` of ``total``, and its number.

    ``controls`` and ``ip_adapters`` are those that are heard there.
    """

    index: int
    total: int | None
    evaluation: int
    controls: tuple[Control, ...] = ()
    ip_adapters: tuple[IPAdapter, ...] = ()


class Asking:
    """All that stands between one run and its network.

    Attributes
    ----------
    evaluations : int
        How often the network was asked, by hooks too.
    """

    def __init__(
        self,
        denoiser: Denoiser,
        hooks: Hooks,
        cfg_scale: float,
        opening: Opening,
        attention: AttentionRecorder | None,
    ) -> None:
        check_taps(denoiser.components.unet, hooks.on_module)
        self.evaluations = 0
        self._denoiser = denoiser
        self._hooks = hooks
        self._cfg_scale = cfg_scale
        self._opening = opening
        self._attention = attention

    def ask(
        self, asked: loop.Question, branches: Branches, place: Place
    ) -> Generator[Yielded, Sent, DenoiseEvent]:
        """Ask, and return what came back as hooks left it."""
        known, t = self._opening.known, self._denoiser.components.noise_schedule.t(asked.sigma)
        x = asked.x if known is None else known.show(asked.x, asked.sigma)
        beside, loras = self._opening.beside, self._opening.request.loras
        question = Question(
            x,
            asked.sigma,
            t,
            branches,
            beside,
            loras=loras,
            controls=place.controls,
            ip_adapters=place.ip_adapters,
            cfg_scale=self._cfg_scale,
        )
        question = self._tapped(question, place)
        plain = self._model_event(question, place)
        model = apply_hooks(plain, self._hooks.on_model)
        yield model
        if model is not plain:
            question = replace(question, x=model.x, branches=model.branches)
        if self._attention is not None:
            question = replace(question, watch=partial(self._attention.watch, index=place.index))
        eps = yield question
        if not isinstance(eps, Mapping):
            raise TypeError("a question must be sent its answer")
        self.evaluations += 1
        event = apply_hooks(self._denoise_event(question, place, eps), self._hooks.on_denoise)
        return event if known is None else replace(event, denoised=known.keep(event.denoised))

    def _tapped(self, question: Question, place: Place) -> Question:
        if not self._hooks.on_module:
            return question
        describe = partial(
            ModuleEvent,
            index=place.index,
            total=place.total,
            evaluation=place.evaluation,
            sigma=question.sigma,
            t=question.t,
        )

        def taps(network: Network, asked: Question) -> AbstractContextManager[None]:
            return tapped(network, self._hooks.on_module, partial(describe, rows=asked.rows))

        return replace(question, taps=taps)

    def _model_event(self, question: Question, place: Place) -> ModelEvent:
        return ModelEvent(
            index=place.index,
            total=place.total,
            evaluation=place.evaluation,
            sigma=question.sigma,
            t=question.t,
            branches=MappingProxyType(question.branches),
            denoise=partial(self._ask_again, question),
            x=question.x,
        )

    def _denoise_event(self, question: Question, place: Place, eps: Answer) -> DenoiseEvent:
        return DenoiseEvent(
            index=place.index,
            total=place.total,
            evaluation=place.evaluation,
            sigma=question.sigma,
            t=question.t,
            cfg_scale=self._cfg_scale,
            x=question.x,
            eps=MappingProxyType(eps),
            denoise=partial(self._ask_again, question),
            denoised=self._guided(question, eps),
        )

    def _guided(self, question: Question, eps: Answer) -> Latents:
        return question.x - question.sigma * classifier_free(eps, self._cfg_scale)

    def _ask_again(self, question: Question, x: Latents) -> Latents:
        self.evaluations += 1
        question = replace(question, x=x, watch=unwatched)
        with torch.enable_grad():
            return self._guided(question, self._denoiser.differentiable([question])[0])
