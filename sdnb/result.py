"""What came out: a `Result`, data only, which draws itself and saves its pictures and its film."""

from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from io import BytesIO
from math import ceil, sqrt
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable
from uuid import uuid4

from sdnb import animation, picture_file
from sdnb.attention import Attention
from sdnb.errors import InvalidField
from sdnb.parameters_text import parameters
from sdnb.request import GenerationRequest
from sdnb.shapes import Latents
from sdnb.trace import Trace, spaced

if TYPE_CHECKING:
    from PIL.Image import Image

SHOWN_WIDTH = 192
"""Small pictures of a result are drawn at least this wide, in CSS pixels."""


@runtime_checkable  # the test suite checks types as it runs
class Decoder(Protocol):
    """The part of `sdnb.pipeline.Pipeline` that makes pictures of latents."""

    def decode(self, latents: Latents, /) -> list["Image"]:
        """Decode clean latents."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Result:
    """A finished (or interrupted) run.

    Parameters
    ----------
    request : GenerationRequest
        What was asked, with the seed and size that were used.
    latents : Tensor [B, C, h, w]
        The clean latents, on the CPU.
    images : tuple of PIL images
        Empty where the run ended before its first answer.
    seeds : tuple of int
        Each image's own seed.
    seconds : float
        Time spent computing; pauses do not count.
    evaluations : int
        How often the network was asked (one guided answer counts once), in all passes.
    notices : tuple of str
        What the user should know: unknown words, text that was cut off.
    trace : Trace
        Every state; of a run with ``hires``, of its second pass. So is the attention.
    attention : Attention or None
        Where the words of the prompt looked, of a run with ``attention=True``.
    parent : (str, int) or None
        Of a branch: the ``id`` of the result it comes from, and the step it begins at.
    checkpoint_sha256 : str
        Of the checkpoint that drew it.
    computed : mapping of str to str
        What the last bits depend on: device, dtype, threads, whether network calls were shared.
    id : str
        Tells results apart, also after pickling.
    decoder : callable or None
        A weak reference to the pipeline, which can decode the latents of its steps: a result
        keeps no checkpoint in memory. None after pickling.
    """

    request: GenerationRequest
    latents: Latents
    images: tuple["Image", ...]
    seeds: tuple[int, ...]
    seconds: float
    evaluations: int
    interrupted: bool
    notices: tuple[str, ...]
    trace: Trace
    attention: Attention | None = None
    parent: tuple[str, int] | None = None
    checkpoint_sha256: str = ""
    computed: Mapping[str, str] = field(default_factory=dict)
    id: str = field(default_factory=lambda: uuid4().hex[:12])
    decoder: Callable[[], Decoder | None] | None = None

    @property
    def facts(self) -> str:
        """One line: seed, sampler, schedule, steps, guidance, evaluations, seconds."""
        asked = self.request
        seed = str(self.seeds[0])
        if len(self.seeds) > 1:
            seed += f" … {self.seeds[-1]}"
        *before, _ = asked.steps_made
        steps = " + ".join(map(str, (*before, self.trace.steps))) + " steps"  # really taken
        if self.interrupted:
            steps = f"interrupted after {self._steps_taken} of {sum(asked.steps_made)} steps"
        parts = (
            f"seed {seed}",
            f"{asked.sampler} · {asked.schedule}",
            steps,
            *([] if asked.hires is None else [f"hires {asked.hires}"]),
            f"cfg {asked.cfg_scale:g}",
            f"{self.evaluations} evaluations",
            f"{self.seconds:.2f} s",
        )
        return " · ".join(parts)

    @property
    def recorded(self) -> dict[str, str]:
        """What a record says of the run beside its request, as words."""
        facts = {"evaluations": str(self.evaluations), "seconds": f"{self.seconds:.3f}"}
        facts |= self.computed
        if self.checkpoint_sha256:
            facts[picture_file.CHECKPOINT] = self.checkpoint_sha256
        if self.interrupted:
            facts["interrupted after steps"] = str(self._steps_taken)
        return facts

    def save(self, path: str | Path = ".") -> list[Path]:
        """Save the pictures as files that carry their request; returns where they are.

        Parameters
        ----------
        path : str or Path
            A folder (made if need be) for files called ``sdnb-<seed>.png``, or a file name
            ending in ``.png``, ``.webp`` (both keep every pixel) or ``.jpg``. A file that exists
            is never overwritten: a number is added.
        """
        target = Path(path)
        is_file = target.suffix.lower() in picture_file.SUFFIXES
        return [
            picture_file.write(
                image,
                target if is_file else target / f"sdnb-{seed}.png",
                self.request,
                index=index,
                facts=self.recorded,
            )
            for index, (image, seed) in enumerate(zip(self.images, self.seeds, strict=False))
        ]

    def save_animation(
        self,
        path: str | Path,
        *,
        pipe: Decoder | None = None,
        count: int | None = None,
        frame_seconds: float = 0.15,
        last_seconds: float = 2.0,
    ) -> Path:
        """Save the run as a film: the estimates of its steps, then the picture itself.

        Images of a batch stand in a grid. The film repeats; what it shows is said in it.

        Parameters
        ----------
        path : str or Path
            Ends in ``.webp`` or ``.gif``. A file that exists is never overwritten: a number is
            added.
        pipe : Pipeline, optional
            What decodes the estimates, where the pipeline of the run is gone.
        count : int, optional
            How many steps, evenly spaced, the first and the last among them; all if not given.
        frame_seconds, last_seconds : float
            How long a step is shown, and how long the picture, 0.01 … 600.

        Raises
        ------
        InvalidField
            For another kind of file, a picture too large for it, and where the run kept no
            states, ended before its first step, or has nothing left to decode with.
        """
        self.trace.check_states()
        chosen = spaced(self.trace.steps, self.trace.steps if count is None else count)
        seconds = [frame_seconds] * len(chosen) + [last_seconds]
        animation.check(path, seconds)
        decoder = pipe or self._decoder()
        frames = [_grid(decoder.decode(self.trace.denoised[step])) for step in chosen]
        frames.append(_grid(self.images))
        settings = parameters(self.request, index=0, checkpoint_sha256=self.checkpoint_sha256)
        said = f"{self._story}\n{settings}"
        return animation.write(frames, path, seconds=seconds, description=said)

    @property
    def _steps_taken(self) -> int:
        """How many steps were made in all passes; some schedules give other than asked."""
        return sum(self.request.steps_made[:-1]) + self.trace.steps

    @property
    def _story(self) -> str:
        """What a film of the run shows, in a line."""
        *before, asked = self.request.steps_made
        count, steps = len(self.seeds), f"forming in {self.trace.steps} steps"
        if before:
            steps += " of its second pass"
        if self.interrupted:
            steps += f", interrupted: {asked} were asked for"
        if count == 1:
            return f"{self._alt(self.seeds[0])}, {steps}"
        seeds = ", ".join(map(str, self.seeds))
        return f"{count} generated images, seeds {seeds}: {self._prompt}, {steps}"

    def _decoder(self) -> Decoder:
        found = None if self.decoder is None else self.decoder()
        if found is None:
            raise InvalidField(
                "the pipeline of this run is gone: the result was loaded, or its pipeline let go.",
                given="no pipeline",
                allowed="one with the same checkpoint",
                fix=f"save_animation(path, pipe=sdnb.load({self.request.checkpoint!r}))",
            )
        return found

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "decoder": None}  # data only: a pipeline stays where it is

    def __repr__(self) -> str:
        count = len(self.images)
        return f"<Result: {count} image{'s' if count != 1 else ''} · {self.facts}>"

    # IPython's display protocol: it passes what it wants included and excluded.
    def _repr_mimebundle_(self, **_wishes: Any) -> dict[str, str]:
        return {"text/plain": repr(self), "text/html": self._html()}

    def _html(self) -> str:
        alts = [self._alt(seed) for seed in self.seeds]
        notices = "".join(f"<div>{escape(notice)}</div>" for notice in self.notices)
        return (
            f'<div class="sdnb-result">{picture_row(self.images, alts)}{notices}'
            f"{quiet_line(self.facts)}</div>"
        )

    def _alt(self, seed: int) -> str:
        return f"Generated image, seed {seed}: {self._prompt}"

    @property
    def _prompt(self) -> str:
        return " ".join(self.request.prompt.split()) or "no prompt"


def _grid(images: Sequence["Image"]) -> "Image":
    """Lay images of one size in rows, about as many as there are columns."""
    from PIL import Image

    width, height = images[0].size
    columns = ceil(sqrt(len(images)))
    sheet = Image.new("RGB", (columns * width, ceil(len(images) / columns) * height))
    for index, image in enumerate(images):
        sheet.paste(image, (index % columns * width, index // columns * height))
    return sheet


def picture_row(images: Sequence["Image"], alts: Sequence[str], *, width: int = SHOWN_WIDTH) -> str:
    """Return HTML that shows images side by side, each with its alternative text.

    Small pictures are drawn at least ``width`` CSS pixels wide.
    """
    pictures = "".join(
        f'<img alt="{escape(alt)}" src="{_data_url(image)}" '
        f'style="width:{max(image.width, width)}px;max-width:100%;'
        f'margin:0 6px 6px 0;border-radius:3px">'
        for image, alt in zip(images, alts, strict=False)
    )
    return f"<div>{pictures}</div>"


def quiet_line(text: str) -> str:
    """Return HTML for a line of facts, readable on light and dark pages."""
    return f'<div style="color:var(--jp-ui-font-color2,#767676);font-size:90%">{escape(text)}</div>'


def spread_text(mean: float, std: float) -> str:
    """Return mean and standard deviation as they stand beside pictures: ``"−0.12 ± 0.99"``."""
    return f"{mean:z.2f} ± {std:.2f}".replace("-", "−")


def _data_url(image: "Image") -> str:
    buffer = BytesIO()
    if image.width * image.height <= 256 * 256:
        image.save(buffer, "PNG")
        kind = "png"
    else:
        image.save(buffer, "JPEG", quality=90)
        kind = "jpeg"
    return f"data:image/{kind};base64,{b64encode(buffer.getvalue()).decode()}"
