"""What came out: a `Result`, data only, which draws itself and saves its pictures."""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from sdnb import png
from sdnb.attention import Attention
from sdnb.request import GenerationRequest
from sdnb.shapes import Latents
from sdnb.trace import Trace

if TYPE_CHECKING:
    from PIL.Image import Image

SHOWN_WIDTH = 192
"""Small pictures of a result are drawn at least this wide, in CSS pixels."""


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
        How often the network was asked (one guided answer counts once).
    notices : tuple of str
        What the user should know: unknown words, text that was cut off.
    attention : Attention or None
        Where the words of the prompt looked, of a run with ``attention=True``.
    parent : (str, int) or None
        Of a branch: the ``id`` of the result it comes from, and the step it begins at.
    id : str
        Tells results apart, also after pickling.
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
    id: str = field(default_factory=lambda: uuid4().hex[:12])

    @property
    def facts(self) -> str:
        """One line: seed, sampler, schedule, steps, guidance, evaluations, seconds."""
        asked = self.request
        seed = str(self.seeds[0])
        if len(self.seeds) > 1:
            seed += f" … {self.seeds[-1]}"
        steps = f"{self.trace.steps} steps"  # some schedules give more or fewer than asked
        if self.interrupted:
            steps = f"interrupted after {self.trace.steps} of {asked.steps} steps"
        parts = (
            f"seed {seed}",
            f"{asked.sampler} · {asked.schedule}",
            steps,
            f"cfg {asked.cfg_scale:g}",
            f"{self.evaluations} evaluations",
            f"{self.seconds:.2f} s",
        )
        return " · ".join(parts)

    def save(self, path: str | Path = ".") -> list[Path]:
        """Save the pictures as PNG files that carry their request; returns where they are.

        Parameters
        ----------
        path : str or Path
            A folder (made if need be) for files called ``sdnb-<seed>.png``, or a file name
            ending in ``.png``. A file that exists is never overwritten: a number is added.
        """
        target = Path(path)
        is_file = target.suffix.lower() == ".png"
        facts = {"evaluations": str(self.evaluations), "seconds": f"{self.seconds:.3f}"}
        if self.interrupted:
            facts["interrupted after steps"] = str(self.trace.steps)
        return [
            png.write(
                image,
                target if is_file else target / f"sdnb-{seed}.png",
                self.request,
                index=index,
                facts=facts,
            )
            for index, (image, seed) in enumerate(zip(self.images, self.seeds, strict=False))
        ]

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
        prompt = " ".join(self.request.prompt.split()) or "no prompt"
        return f"Generated image, seed {seed}: {prompt}"


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


def _data_url(image: "Image") -> str:
    buffer = BytesIO()
    if image.width * image.height <= 256 * 256:
        image.save(buffer, "PNG")
        kind = "png"
    else:
        image.save(buffer, "JPEG", quality=90)
        kind = "jpeg"
    return f"data:image/{kind};base64,{b64encode(buffer.getvalue()).decode()}"
