"""The pipeline: a loaded checkpoint that turns requests into runs."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from threading import RLock
from typing import Any
from weakref import ref

from PIL.Image import Image

from sdnb.errors import InvalidField, PipelineBusy
from sdnb.events import Hooks, StartEvent, StepEvent
from sdnb.models.attention import AttentionRecorder
from sdnb.models.components import Components
from sdnb.models.denoiser import Denoiser
from sdnb.models.loading import load_components, swap_parts
from sdnb.models.vae import decode_in_parts, to_pil
from sdnb.past import Past, check_is_its_own
from sdnb.recorded_hooks import hooks_of, is_among, uses_of
from sdnb.records.history import History
from sdnb.records.history import history as users_history
from sdnb.request import GenerationRequest
from sdnb.resolving import resolve
from sdnb.result import Result
from sdnb.run import Run
from sdnb.shapes import Latents
from sdnb.trace import BUDGET, Recorder

NO_HOOKS = Hooks()


def load(  # noqa: PLR0913 - all of them may be left out
    reference: str = "tiny",
    *,
    vae: str | None = None,
    device: str | None = None,
    dtype: str | None = None,
    offload: bool = False,
    allow_pickle: bool = False,
    history: bool = False,
) -> "Pipeline":
    """Load a checkpoint of Stable Diffusion 1, 2 or XL; raises `LoadError` and `UnknownName`.

    Parameters
    ----------
    reference : str
        ``"tiny"``, which ships with sdnb; a ``.safetensors`` file; a folder in diffusers' layout;
        a name in a model folder; or ``org/name[@revision]`` of the hub.
    vae : str or None
        Another VAE than its own: a file, a folder, or a checkpoint.
    device, dtype : str or None
        ``"cuda"``, ``"mps"``, ``"cpu"``: None takes the first that is there. ``"float16"``,
        ``"bfloat16"``, ``"float32"`` for the U-Net: None is float16, on a CPU float32.
    offload : bool
        For small graphics cards: whether text encoders, U-Net and VAE take turns on the device.
        The VAE joins the U-Net for previews. A run takes longer by the time that its parts need
        to come; its picture is the same.
    allow_pickle : bool
        Whether tensors may be read out of pickles: of a ``.ckpt``, and of embeddings in ``.pt``.
    history : bool
        Whether results are kept in `sdnb.history`.
    """
    parts = load_components(
        reference, vae=vae, device=device, dtype=dtype, offload=offload, allow_pickle=allow_pickle
    )
    return Pipeline(parts, history=users_history if history else None)


class Pipeline:
    """A checkpoint, ready to run.

    Runs share nothing but the networks: several may be held at once, and be advanced in turn.
    One lock lets one thread compute at a time. Its ``history`` keeps their results; None: not.
    """

    def __init__(self, components: Components, *, history: History | None = None) -> None:
        self.components = components
        self.history = history
        self._denoiser = Denoiser(components)
        self._lock = RLock()

    # Fields are the request's, checked there: naming them here again would be a second list.
    def start(  # noqa: PLR0913 - all of them may be left out
        self,
        request: GenerationRequest | str = "",
        *,
        hooks: Hooks = NO_HOOKS,
        wait: bool = True,
        keep: str = "all",
        budget: float = BUDGET,
        attention: bool = False,
        **fields: Any,
    ) -> Run:
        """Begin a run; its steps are computed when it is iterated, stepped or finished.

        What the request names is read here, and IP-Adapters look at their pictures: that takes
        the pipeline's turn.

        Parameters
        ----------
        request : GenerationRequest or str
            A request, or its prompt.
        hooks : Hooks
            Callables at the six points of the run, after the request's own. They are recorded in
            it by name; to run a recorded request again, give them again.
        wait : bool
            Whether to wait while another thread computes; else `PipelineBusy` is raised.
        keep : str
            What the trace keeps: ``"all"`` (what a branch needs), ``"steps"`` (no answers of
            the network), ``"none"`` (the levels only).
        budget : float
            MB of the network's answers that the trace may keep; a notice says when it is met.
        attention : bool
            Whether to gather where the words look: ``result.attention``. The picture is the
            same, bit for bit.
        **fields
            Any field of `GenerationRequest`, over those of ``request``.
        """
        if isinstance(request, str):
            request = GenerationRequest(prompt=request)
        if not isinstance(hooks, Hooks):
            raise InvalidField(
                "hooks= takes Hooks.", given=hooks, fix="sdnb.Hooks(on_step=(my_function,))"
            )
        request = self._resolved(request.changed(**fields), wait=wait)
        given = tuple(uses_of(hooks))
        recorded = tuple(use for use in request.hooks if not is_among(use, given))
        request = request.changed(hooks=(*recorded, *given))
        joined = hooks_of(recorded) + hooks
        return Run(
            self._denoiser,
            request,
            joined,
            self.turn,
            wait=wait,
            recorder=Recorder(keep, budget),
            attention=AttentionRecorder() if attention else None,
            decoder=ref(self),
            remember=self._remember,
        )

    def run(  # noqa: PLR0913 - as start
        self,
        request: GenerationRequest | str = "",
        *,
        hooks: Hooks = NO_HOOKS,
        wait: bool = True,
        keep: str = "all",
        budget: float = BUDGET,
        attention: bool = False,
        **fields: Any,
    ) -> Result:
        """Run to the end: ``start(...).finish()``."""
        return self.start(
            request, hooks=hooks, wait=wait, keep=keep, budget=budget, attention=attention, **fields
        ).finish()

    def branch(  # noqa: PLR0913 - as start
        self,
        result: Result,
        step: int,
        *,
        hooks: Hooks | None = None,
        wait: bool = True,
        keep: str = "all",
        budget: float = BUDGET,
        attention: bool = False,
        **changes: Any,
    ) -> Run:
        """Go back to a step of a result and go on from there, changed or not.

        The past costs no network call, and no hook sees it. Without a change the branch ends
        just as its parent did. Other text, guidance or hooks keep the sampler's memory; another
        schedule gives its levels below the present one; another sampler starts here afresh. The
        run is held at the event at which it begins: its ``x`` may be looked at and replaced.

        Parameters
        ----------
        result : Result
            Of a run with ``keep="all"``.
        step : int
            0 … N - 1: the latents before this step are where the branch begins; N too where the
            run was ended on its way. Of a branch: not before its own first step; for those,
            branch the result that it came from. With ``hires``: a step of the second pass.
        hooks : Hooks, optional
            In place of the hooks of the recorded request.
        wait, keep, budget, attention
            As in `start`; the past counts towards the budget, and shows no attention.
        **changes
            Fields of `GenerationRequest`; not those that decide what the latents are.

        Raises
        ------
        InvalidField
            Where the trace lacks the step, where another run made it, and where the change would
            need other latents.
        """
        check_is_its_own(step, result.parent)
        request = self._resolved(result.request.changed(**changes), wait=wait)
        past = Past.of(result.trace, step, result.request, request)
        if hooks is not None:
            request = request.changed(hooks=tuple(uses_of(hooks)))
        run = Run(
            self._denoiser,
            request,
            hooks_of(request.hooks) if hooks is None else hooks,
            self.turn,
            wait=wait,
            recorder=Recorder(keep, budget),
            attention=AttentionRecorder() if attention else None,
            past=past,
            parent=(result.id, step),
            decoder=ref(self),
            remember=self._remember,
        )
        while not isinstance(next(run), StartEvent | StepEvent):
            continue
        return run

    def decode(self, latents: Latents) -> list[Image]:
        """Decode any number of clean latents to pictures, as many at once as fit well."""
        parts = decode_in_parts(self.components, latents.to(self.components.device))
        with self.turn():
            return [picture for images in parts for picture in to_pil(images)]

    @contextmanager
    def turn(self, wait: bool = True) -> Iterator[None]:
        """Hold the networks: other threads that want them wait.

        Runs do so for each event; what asks the networks without a run does so itself. A thread
        that holds them may ask again. With ``wait=False`` `PipelineBusy` is raised where another
        thread computes.
        """
        if not self._lock.acquire(blocking=wait):
            raise PipelineBusy(
                "another thread is computing with this pipeline.",
                fix="wait for it, or start the run with wait=True",
            )
        try:
            yield
        finally:
            self._lock.release()

    def swapped(
        self,
        *,
        vae: str | None = None,
        text_encoders: str | None = None,
        scheduler: Mapping[str, Any] | None = None,
    ) -> "Pipeline":
        """Return a pipeline with other parts, or raise `LoadError`; this one stays as it is.

        Parameters
        ----------
        vae, text_encoders : str or None
            A checkpoint of the same family that has them; a VAE may be a file or folder alone.
        scheduler : mapping or None
            What is other about the noise of training: ``{"prediction_type": "v_prediction"}``.
        """
        components = self.components
        return self.sharing(
            swap_parts(components, vae=vae, text_encoders=text_encoders, scheduler=scheduler)
        )

    def compiled(self) -> "Pipeline":
        """Return a pipeline whose U-Net is compiled; this one stays as it is.

        The first run of each size and batch takes a minute or more, later ones are faster on a
        GPU (``torch.compile``, mode ``reduce-overhead``: CUDA graphs). Runs that look inside the
        network use the plain one and say so. Pictures differ in the last bits.

        Raises `InvalidField` for an offloaded one: what is compiled expects its weights in place.
        """
        return self.sharing(self.components.with_compiled_unet())

    def sharing(self, components: Components) -> "Pipeline":
        """Return a pipeline that shares networks with this: one of them computes at a time."""
        pipeline = Pipeline(components, history=self.history)
        pipeline._lock = self._lock
        return pipeline

    def info(self) -> dict[str, str]:
        """Return what is known about the checkpoint, as words."""
        return self.components.info()

    def __repr__(self) -> str:
        return f"<Pipeline: {self.components.reference}, {self.components.device}>"

    def _remember(self, result: Result) -> Result:
        """Keep a result in the history; one that cannot be kept says so in its notices."""
        why_not = "" if self.history is None else self.history.keep(result)
        return replace(result, notices=(*result.notices, why_not)) if why_not else result

    def _resolved(self, request: GenerationRequest, *, wait: bool) -> GenerationRequest:
        """Settle a request in the pipeline's turn: files are shared, and pictures are looked at."""
        with self.turn(wait):
            return resolve(self.components, request)
