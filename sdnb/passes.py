"""A run's passes, one lane after another: the only one, or with ``hires`` a second, larger one.

What a pass is told at its beginning is decided here; what it does, in `sdnb.lane`.
"""

from collections.abc import Generator

from jaxtyping import Float
from PIL.Image import Resampling
from torch import Tensor
from torch.nn.functional import interpolate

from sdnb.asking import Sent, Yielded
from sdnb.events import Hooks
from sdnb.hires import Hires
from sdnb.lane import Lane
from sdnb.models.attention import AttentionRecorder
from sdnb.models.components import Components
from sdnb.models.denoiser import Denoiser
from sdnb.models.vae import encode_images, from_pil, to_pil
from sdnb.past import Past
from sdnb.request import GenerationRequest
from sdnb.shapes import Images, Latents
from sdnb.trace import Recorder

_MODES = {"latent": "bilinear", "latent_nearest": "nearest", "latent_bicubic": "bicubic"}


class Passes:
    """All that a run goes through.

    Attributes
    ----------
    lane : Lane
        The pass that is on; at the end the last one.
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
        self._components = denoiser.components
        self._request = request
        *before, last = _passes(request)
        # all of them now: what cannot be is refused before anything is computed
        lanes = [
            Lane(denoiser, each, hooks, recorder=Recorder(recorder.keep, recorder.budget))
            for each in (before if past is None else ())
        ]
        lanes.append(Lane(denoiser, last, hooks, recorder=recorder, attention=attention, past=past))
        self._lanes = tuple(lanes)
        self.lane = lanes[0]

    @property
    def index(self) -> int:
        """How many steps are made, of all passes."""
        return sum(lane.index for lane in self._lanes)

    @property
    def evaluations(self) -> int:
        """How often the network was asked, in all passes."""
        return sum(lane.evaluations for lane in self._lanes)

    @property
    def request(self) -> GenerationRequest:
        """What leads to what there is: of a first pass, the request without a second one."""
        return self._request if self.lane is self._lanes[-1] else self.lane.request

    def events(self) -> Generator[Yielded, Sent, None]:
        """Go through all passes, each from text to pictures."""
        yield from self.lane.events()
        for following in self._lanes[1:]:
            following.denoised = self._enlarged()
            self.lane.recorder = Recorder("none")  # a result has the trace of its last pass
            self.lane = following
            yield from following.events()

    def _enlarged(self) -> Latents:
        """Return what the pass that has ended leaves to the next one."""
        made, hires = self.lane, self._request.hires
        if hires is None or made.x is None or made.images is None:
            raise TypeError("a pass follows one that has ended")
        return enlarged(self._components, hires, made.x, made.images)


def enlarged(
    components: Components, hires: Hires, latents: Latents, images: Images
) -> Float[Tensor, "B C _ _"]:
    """Return clean latents of a larger picture.

    Parameters
    ----------
    latents : Tensor [B, C, h, w]
        The clean ones of the picture.
    images : Tensor [B, 3, H, W]
        The picture, decoded; enlarged in place of its latents where ``hires`` says so.
    """
    factor = components.latent.factor
    height, width = (hires.side(side * factor) for side in latents.shape[-2:])
    if hires.upscale in _MODES:
        size = (height // factor, width // factor)
        return interpolate(latents, size=size, mode=_MODES[hires.upscale])
    pictures = [picture.resize((width, height), Resampling.LANCZOS) for picture in to_pil(images)]
    return encode_images(components, from_pil(pictures)).to(latents)


def _passes(request: GenerationRequest) -> list[GenerationRequest]:
    """Return what each pass is asked: a request without a second pass."""
    hires = request.hires
    if hires is None:
        return [request]
    first = request.changed(hires=None)
    second = first.changed(
        width=hires.side(request.width or 0),
        height=hires.side(request.height or 0),
        steps=hires.steps or request.steps,
        denoise=hires.denoise,
        strength=None,
    )
    return [first, second]
