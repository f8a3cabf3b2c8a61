"""One sampler's way through a request, as a generator of events and questions.

A lane computes nothing itself: it yields `Question` and is sent the network's `Answer`. Who
answers, alone (`sdnb.run`) or many lanes at once, is somebody else's affair.
"""

from bisect import bisect_right
from collections.abc import Generator, Iterator
from dataclasses import replace
from operator import neg

import torch
from torch import Tensor

from sdnb.asking import Asking, Place, Sent, Yielded
from sdnb.conditioning import Conditioning
from sdnb.diffusion.noise import batch_seeds
from sdnb.diffusion.samplers import loop
from sdnb.diffusion.samplers.contract import EvaluateBoth, Sampler, Step
from sdnb.errors import InvalidField, ModelError
from sdnb.events import Event, Hooks, ImageEvent, StartEvent, StepEvent, TextEvent
from sdnb.intercept import apply_hooks
from sdnb.models.attention import AttentionRecorder
from sdnb.models.denoiser import Denoiser
from sdnb.models.networks import Decode, Encode
from sdnb.past import Past
from sdnb.prompt import edited
from sdnb.registry import SAMPLERS
from sdnb.request import GenerationRequest
from sdnb.shapes import Images, Latents, State
from sdnb.start import Opening, plan_levels
from sdnb.trace import Evaluation, Recorder


class Lane:
    """The state of one run, and the generator that moves it.

    Attributes
    ----------
    opening : Opening
        What the run begins from; decodes what it leads to.
    sigmas : list of float, [S + 1]
        The levels to visit.
    x, denoised : Tensor [B, C, h, w], or None before the first
        The latents now, and the last estimate of the clean ones. Those of a pass before may be
        given as the first estimate: the lane begins from them.
    images : Tensor [B, 3, H, W], or None before the end
        The pictures.
    index : int
        The step to come, 0 … S.
    total : int or None
        How many steps there are; None where the sampler chooses them itself.
    attention : AttentionRecorder or None
        What gathers the run's attention, if that is wanted.
    has_ended : bool
        The sampler has made its last step.
    """

    def __init__(  # noqa: PLR0913 - only a run makes one
        self,
        denoiser: Denoiser,
        request: GenerationRequest,
        hooks: Hooks,
        *,
        recorder: Recorder,
        attention: AttentionRecorder | None = None,
        past: Past | None = None,
    ) -> None:
        self.request = request
        self.seeds = batch_seeds(request.seed or 0, request.batch_size)
        self.opening = Opening(denoiser.components, request, self.seeds)
        self.recorder = recorder
        self.x: Latents | None = None
        self.denoised: Latents | None = None
        self.images: Images | None = None
        self.index = 0
        self.attention = attention
        self.has_ended = False
        self._questions = 0  # what hooks ask again is an evaluation, but no question of the run
        self._asking = Asking(denoiser, hooks, request.cfg_scale, self.opening, self.attention)
        self._components = denoiser.components
        self._hooks = hooks
        self._texts: dict[str, dict[int, Conditioning]] = {}  # from which step on
        self._ends: list[Tensor] = []  # least and largest of each step, NaN where there is one
        self._sampler: Sampler = SAMPLERS[request.sampler.name]
        self.sigmas = plan_levels(self._components, request)
        self._past = past
        self._told: Iterator[Evaluation] = iter(())
        if past is not None:
            self.sigmas = past.levels(self.sigmas, self._sampler.name)
            self._told = (answer for i in past.told for answer in past.answers(i))
        self.total = None if self._sampler.own_levels else len(self.sigmas) - 1

    @property
    def sigma(self) -> float:
        """The level of the latents now."""
        return self.recorder.sigmas[-1] if self.recorder.sigmas else self.sigmas[0]

    @property
    def evaluations(self) -> int:
        """How often the network was asked."""
        return self._asking.evaluations

    def events(self) -> Generator[Yielded, Sent, None]:
        """Go from text to pictures; ends after the `ImageEvent`.

        A branch yields, before its own events, the one at which it begins (unseen by hooks).
        """
        yield from self._encode()
        x = yield from self._begin() if self._past is None else self._begin_again(self._past)
        noise = loop.noise_of(self._sampler, self.seeds, x, begin=self.index)
        choice, levels = self.request.sampler, self.sigmas[self.index :]
        function = SAMPLERS.bind(choice.name, dict(choice.options))
        proposals = function(x, levels, noise, self._components.noise_schedule)
        yield from loop.drive(proposals, self._answer, self._accept)
        self._check_finite()
        self.has_ended = True
        x = self._here()
        images = yield Decode(x)
        if not isinstance(images, Tensor):
            raise TypeError("a wish for pictures must be sent them")
        event = apply_hooks(ImageEvent(x, self.opening.pasted(images)), self._hooks.on_image)
        self.images = event.images
        yield event

    def _encode(self) -> Generator[Yielded, Sent, None]:
        request = self.request
        prompts = {"cond": request.prompt}
        is_pair = request.cfg_scale != 1 or self._sampler.asks_both
        if is_pair and not self._components.is_told_guidance:
            prompts = {"uncond": request.negative_prompt, **prompts}
        for name, prompt in prompts.items():
            for step, text in edited(prompt, len(self.sigmas) - 1, request.syntax):
                cond = yield Encode(
                    text,
                    request.batch_size,
                    request.clip_skip,
                    request.syntax,
                    request.loras,
                    request.embeddings,
                )
                if not isinstance(cond, Conditioning):
                    raise TypeError("a wish for vectors must be sent them")
                event = TextEvent(text, cond.tokens, cond.embeds)
                event = apply_hooks(event, self._hooks.on_text)
                self._texts.setdefault(name, {})[step] = replace(cond, embeds=event.embeds)
                yield event

    def _branches(self, here: int) -> dict[str, Conditioning]:
        """Return what the network is told in a step of the plan."""
        return {
            name: texts[max(step for step in texts if step <= here)]
            for name, texts in self._texts.items()
        }

    def _place(self, here: int) -> Place:
        """Return where a question is asked, and what is heard in that step of the plan."""
        request, total = self.request, len(self.sigmas) - 1
        controls = tuple(each for each in request.controls if each.is_heard(here, total))
        adapters = tuple(each for each in request.ip_adapters if each.is_heard(here, total))
        return Place(self.index, self.total, self._questions, controls, adapters)

    def _planned_step(self) -> int:
        """Return the step of the plan that begins here, 0 … S - 1, or in whose midst this is.

        By level, not by count: some samplers make other steps than were planned.
        """
        planned, here = len(self.sigmas) - 1, self.sigma * (1 - 1e-6)
        begun = bisect_right(self.sigmas, -here, hi=planned, key=neg)
        return max(0, begun - 1)

    def _begin(self) -> Generator[Yielded, Sent, Latents]:
        x = self.opening.noised(self.sigmas[0], self.denoised)
        event = apply_hooks(StartEvent(self.sigmas[0], x), self._hooks.on_start)
        self.x = event.x
        self.recorder.start(self.sigmas[0], self.x)
        yield event
        return self._resumed()

    def _begin_again(self, past: Past) -> Generator[Yielded, Sent, Latents]:
        """Take up a past, as far as the sampler is not told it again."""
        sigma = past.trace.sigmas[0]
        self.x = self._kept(past.trace.x[0])
        event: Event = StartEvent(sigma, self.x)
        self.recorder.start(sigma, self.x)
        self.recorder.begin = past.begin
        while self.index < past.begin:
            for answer in past.answers(self.index):
                self.recorder.evaluation(answer)
            event = self._recall_step(past)
        if self.index == past.step:
            yield event
        return self._resumed()

    def _answer(self, asked: loop.Question) -> Generator[Yielded, Sent, loop.Answer]:
        told = next(self._told, None)
        if told is None:
            return (yield from self._evaluate(asked))
        self.recorder.evaluation(told)
        self._questions += 1
        self.denoised = self._kept(told.denoised)
        if isinstance(asked, EvaluateBoth):
            return self.denoised, self._kept(told.denoised_uncond)
        return self.denoised

    def _accept(self, step: Step) -> Generator[Yielded, Sent, State]:
        if self._past is None or self.index >= self._past.step:
            return (yield from self._propose(step))
        event = self._recall_step(self._past)
        if self.index == self._past.step:
            yield event
        return self._resumed()

    def _recall_step(self, past: Past) -> StepEvent:
        """Make a step of the past again; returns the event it was."""
        trace, i = past.trace, self.index
        event = StepEvent(
            index=i,
            total=self.total,
            sigma=trace.sigmas[i],
            sigma_next=trace.sigmas[i + 1],
            x=self._here(),
            denoised=self._kept(trace.denoised[i]),
            x_next=self._kept(trace.x[i + 1]),
        )
        self.x, self.denoised = event.x_next, event.denoised
        self.index += 1
        self.recorder.step(event.denoised, event.sigma_next, self.x)
        return event

    def _kept(self, tensor: Latents | None) -> Latents:
        if tensor is None:
            raise TypeError("a past without what its sampler was told is refused before")
        return tensor.to(self._components.device, copy=True)  # whoever holds the run may alter it

    def _evaluate(self, asked: loop.Question) -> Generator[Yielded, Sent, loop.Answer]:
        here = self._planned_step()
        event = yield from self._asking.ask(asked, self._branches(here), self._place(here))
        self._questions += 1
        self.denoised = event.denoised
        answer: loop.Answer = event.denoised
        denoised_uncond = None
        if isinstance(asked, EvaluateBoth):
            branch = "uncond" if "uncond" in event.eps else "cond"  # a hook may ask less
            denoised_uncond = event.x - event.sigma * event.eps[branch]
            answer = event.denoised, denoised_uncond
        self.recorder.evaluation(
            Evaluation(asked.sigma, event.denoised, event.eps, denoised_uncond)
        )
        yield event
        return answer

    def _propose(self, step: Step) -> Generator[Yielded, Sent, State]:
        event = StepEvent(
            index=self.index,
            total=self.total,
            sigma=self.sigma,
            sigma_next=step.sigma_next,
            x=self._here(),
            denoised=step.denoised,
            x_next=step.x_next,
        )
        event = apply_hooks(event, self._hooks.on_step)
        self.x = event.x_next
        self.index += 1
        self.recorder.step(event.denoised, step.sigma_next, self.x)
        self._ends += self.x.aminmax()
        yield event
        return self._resumed()

    def _resumed(self) -> Latents:
        """Return the latents, which whoever holds the run may have replaced meanwhile."""
        x = self._here()
        self.recorder.replace_state(x)
        return x

    def _here(self) -> Latents:
        if self.x is None:
            raise TypeError("a lane has no latents before its start")
        return self.x

    def _check_finite(self) -> None:
        if not self._ends:
            raise InvalidField(
                f"the sampler {self._sampler.name} ended without a step.",
                given=str(self.request.sampler),
                allowed="a sampler that yields one Step at least",
                fix="yield Step(denoised, x_next, sigma_next)",
            )
        finite = torch.stack(self._ends).isfinite().view(-1, 2).all(dim=1).tolist()
        if not all(finite):
            step = self.index - len(finite) + finite.index(False)
            raise ModelError(
                f"the network answered with NaN or infinity in step {step}.",
                given=f"sigma {self.recorder.sigmas[step]:.4g}, cfg {self.request.cfg_scale:g}",
                allowed="finite numbers",
                fix="lower cfg_scale, or look at the checkpoint's weights",
            )
