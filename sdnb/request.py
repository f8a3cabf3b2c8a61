"""What was asked: a `GenerationRequest` of plain values that can be stored, sent and hashed.

Each field carries its flag, the parser of its text and its help in its metadata: the magic's
flags, the JSON form and the help are made from this file alone. Nothing here imports torch.
What the request leads to is in `sdnb.pipeline`; what comes out, in `sdnb.result`.
"""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, no_type_check

from sdnb.choice import Choice
from sdnb.control import Control
from sdnb.embedding import Embedding, read_embeddings
from sdnb.errors import InvalidField, UnknownName
from sdnb.hires import Hires
from sdnb.hook_use import HookUse
from sdnb.ip_adapter import IPAdapter
from sdnb.lora import Lora, read_loras
from sdnb.picture import FromImage, FromNoise, Start, write_start
from sdnb.prompt import SYNTAXES
from sdnb.registry import SAMPLERS, SCHEDULES
from sdnb.request_parts import read_parts

SCHEMA = 2
"""Version of the JSON form. Requests of version 1 knew no meaning of brackets."""

JSON = dict[str, Any]  # what json.loads gives


def _flag(
    flag: str, parse: Callable[[str], object], help: str, *, many: bool = False
) -> dict[str, Any]:
    """Describe a field's flag; ``many``: it may come several times."""
    return {"flag": flag, "parse": parse, "help": help, "many": many}


@no_type_check  # at run time: it checks its own fields, and says more than a type error
@dataclass(frozen=True, kw_only=True)
class GenerationRequest:
    """Everything that decides a picture.

    Raises `InvalidField` or `UnknownName` at once when a value cannot be. ``seed``, ``width``
    and ``height`` may be None: the pipeline resolves them before the run (a drawn seed, the
    checkpoint's training size), and the Result's request holds what was used.

    How far a run goes from its picture is said in one of two ways. ``denoise``, as in ComfyUI: a
    share of the noise range, over which all ``steps`` are spread; 20 steps at 0.5 are the last
    20 of 40. ``strength``, as in diffusers: a share of the ``steps``, of which only the last
    ``int(steps * strength)`` are made; 20 steps at 0.5 are the last 10 of 20.

    With ``hires``, ``width`` and ``height`` are those of the first pass.
    """

    prompt: str = field(
        default="", metadata=_flag("--prompt", str, "what to draw; the body of the cell")
    )
    negative_prompt: str = field(
        default="", metadata=_flag("--negative", str, "what to steer away from")
    )
    seed: int | None = field(
        default=None,
        metadata=_flag("--seed", int, "image i of the batch uses seed + i; none: drawn"),
    )
    batch_size: int = field(default=1, metadata=_flag("--batch", int, "how many images at once"))
    width: int | None = field(
        default=None, metadata=_flag("--width", int, "pixels, a multiple of 8")
    )
    height: int | None = field(
        default=None, metadata=_flag("--height", int, "pixels, a multiple of 8")
    )
    steps: int = field(
        default=20, metadata=_flag("--steps", int, "how many sampler steps, 1 … 1000")
    )
    cfg_scale: float = field(
        default=4.0, metadata=_flag("--cfg", float, "guidance; 1 is the bare conditional model")
    )
    sampler: Choice = field(
        default=Choice("dpmpp_2m"), metadata=_flag("--sampler", Choice.parse, "how a step is made")
    )
    schedule: Choice = field(
        default=Choice("karras"), metadata=_flag("--schedule", Choice.parse, "which noise levels")
    )
    denoise: float = field(
        default=1.0,
        metadata=_flag(
            "--denoise", float, "all steps in this share of the noise range, as ComfyUI"
        ),
    )
    strength: float | None = field(
        default=None,
        metadata=_flag("--strength", float, "only this last share of the steps, as diffusers"),
    )
    start: Start = field(
        default=FromNoise(), metadata=_flag("--image", FromImage.read, "start from this picture")
    )
    hires: Hires | None = field(
        default=None,
        metadata=_flag("--hires", Hires.parse, 'a second pass, enlarged: "2x denoise=0.5"'),
    )
    loras: tuple[Lora, ...] = field(
        default=(),
        metadata=_flag("--lora", Lora.parse, "draw with a LoRA: file.safetensors:0.8", many=True),
    )
    embeddings: tuple[Embedding, ...] = field(
        default=(),
        metadata=_flag(
            "--embedding",
            Embedding.parse,
            "a textual inversion that prompts name: style.safetensors",
            many=True,
        ),
    )
    controls: tuple[Control, ...] = field(
        default=(),
        metadata=_flag(
            "--control", Control.parse, "keep to a picture: depth.png:depth:0.7", many=True
        ),
    )
    ip_adapters: tuple[IPAdapter, ...] = field(
        default=(),
        metadata=_flag(
            "--ip-adapter",
            IPAdapter.parse,
            "draw after a picture: photo.png:ip-adapter_sd15:0.6",
            many=True,
        ),
    )
    checkpoint: str | None = field(
        default=None, metadata=_flag("--checkpoint", str, "the model's reference; none: the loaded")
    )
    clip_skip: int = field(
        default=0, metadata=_flag("--clip-skip", int, "last text layers left out")
    )
    syntax: str = field(
        default="comfyui",
        metadata=_flag("--syntax", str, f"what brackets in prompts mean: {', '.join(SYNTAXES)}"),
    )
    hooks: tuple[HookUse, ...] = field(
        default=(),
        metadata=_flag(
            "--on", HookUse.parse, "call a function at a point: step:name@3-7", many=True
        ),
    )

    def __post_init__(self) -> None:
        for name, registry in (("sampler", SAMPLERS), ("schedule", SCHEDULES)):
            choice = getattr(self, name)
            if isinstance(choice, str):
                choice = Choice.parse(choice)
                object.__setattr__(self, name, choice)
            _check(isinstance(choice, Choice), name, choice, "a name with its options")
            registry.check(choice.name)
        if isinstance(self.hires, str):
            object.__setattr__(self, "hires", Hires.parse(self.hires))
        _check(isinstance(self.hires, Hires | None), "hires", self.hires, '"2x denoise=0.5"')
        for name in ("cfg_scale", "denoise", "strength"):
            if (number := getattr(self, name)) is not None or name != "strength":
                object.__setattr__(self, name, _number(name, number))
        object.__setattr__(self, "hooks", tuple(self.hooks))
        object.__setattr__(self, "loras", read_loras(self.loras))
        object.__setattr__(self, "embeddings", read_embeddings(self.embeddings))
        object.__setattr__(self, "controls", Control.read_many(self.controls))
        object.__setattr__(self, "ip_adapters", IPAdapter.read_many(self.ip_adapters))
        for name in ("prompt", "negative_prompt"):
            _check(isinstance(getattr(self, name), str), name, getattr(self, name), "text")
        _check(isinstance(self.syntax, str), "syntax", self.syntax, ", ".join(SYNTAXES))
        if self.syntax not in SYNTAXES:
            raise UnknownName.among("syntax of prompts", self.syntax, SYNTAXES)
        _check(isinstance(self.checkpoint, str | None), "checkpoint", self.checkpoint, "text")
        starts = "FromNoise(), FromImage.read(path), Inpaint.read(path, mask)"
        _check(isinstance(self.start, Start), "start", self.start, starts)
        uses = all(isinstance(use, HookUse) for use in self.hooks)
        _check(uses, "hooks", self.hooks, 'HookUse.parse("step:name")')
        self._check_ranges()

    def _check_ranges(self) -> None:
        seed, sizes = self.seed, (self.width, self.height)
        _check(seed is None or _whole(seed, 0, 2**64 - 1), "seed", seed, "0 … 2**64 - 1, or None")
        for name, size in zip(("width", "height"), sizes, strict=True):
            fits = size is None or (_whole(size, 8, 8192) and size % 8 == 0)
            near = round(min(8192, max(8, size)) / 8) * 8 if isinstance(size, int) else 512
            if not fits:
                raise InvalidField(
                    f"{name} must be a multiple of 8, the VAE's downsampling factor.",
                    given=size,
                    allowed="8, 16, 24, … 8192",
                    fix=f"use {name}={near}",
                )
        _check(_whole(self.batch_size, 1, 256), "batch_size", self.batch_size, "1 … 256")
        _check(_whole(self.steps, 1, 1000), "steps", self.steps, "1 … 1000")
        _check(isfinite(self.cfg_scale), "cfg_scale", self.cfg_scale, "a finite number")
        _check(0 < self.denoise <= 1, "denoise", self.denoise, "over 0, up to 1")
        if self.strength is not None:
            self._check_strength(self.strength)
        _check(_whole(self.clip_skip, 0, 64), "clip_skip", self.clip_skip, "0 … 64")

    def _check_strength(self, strength: float) -> None:
        _check(0 < strength <= 1, "strength", strength, "over 0, up to 1, or None")
        if self.denoise < 1:
            raise InvalidField(
                "denoise and strength say in two meanings how far a run goes from its picture.",
                given={"denoise": self.denoise, "strength": strength},
                allowed="one of them",
                fix="denoise=1 beside strength, or strength=None beside denoise",
            )
        if self.steps_made[0] < 1:
            raise InvalidField(
                "strength leaves no step to make.",
                given={"steps": self.steps, "strength": strength},
                allowed="steps * strength of 1 or more",
                fix="more steps, or a larger strength",
            )

    @property
    def steps_made(self) -> tuple[int, ...]:
        """How many steps each pass makes: all, or the share that ``strength`` leaves."""
        first = self.steps if self.strength is None else int(self.steps * self.strength)
        return (first,) if self.hires is None else (first, self.hires.steps or self.steps)

    def changed(self, **fields: object) -> "GenerationRequest":
        """Return a copy with ``fields`` replaced; unknown names list the known ones."""
        known = [entry.name for entry in dataclasses.fields(self)]
        for name in fields:
            if name not in known:
                raise UnknownName.among("field of a request", name, known)
        return dataclasses.replace(self, **fields)  # type: ignore[arg-type]  # checked on entry

    def to_json(self) -> JSON:
        """Return plain values for `json.dumps`; `from_json` reads them back."""
        values: JSON = {"schema": SCHEMA}
        for entry in dataclasses.fields(self):
            values[entry.name] = getattr(self, entry.name)
        values["sampler"], values["schedule"] = str(self.sampler), str(self.schedule)
        values["hires"] = None if self.hires is None else str(self.hires)
        values["hooks"] = [use.to_json() for use in self.hooks]
        values["loras"] = [lora.to_json() for lora in self.loras]
        values["embeddings"] = [embedding.to_json() for embedding in self.embeddings]
        values["controls"] = [control.to_json() for control in self.controls]
        values["ip_adapters"] = [adapter.to_json() for adapter in self.ip_adapters]
        values["start"] = write_start(self.start)
        return values

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "GenerationRequest":
        """Read what `to_json` wrote.

        Raises `InvalidField` or `UnknownName` for a newer schema and for what is no request.
        """
        fields = read_parts(values)
        schema = fields.pop("schema", SCHEMA)
        if schema < 2:
            fields.setdefault("syntax", "plain")
        if schema > SCHEMA:
            raise InvalidField(
                "this request was written by a newer sdnb.",
                given=schema,
                allowed=f"schema up to {SCHEMA}",
                fix="upgrade sdnb",
            )
        return cls().changed(**fields)


def _check(fits: bool, name: str, given: object, allowed: str) -> None:
    if not fits:
        raise InvalidField(
            f"{name} is out of its range.", given=given, allowed=allowed, fix=f"change {name}"
        )


def _whole(value: object, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _number(name: str, value: object) -> float:
    if isinstance(value, float):
        return value
    if isinstance(value, int) and _whole(value, -(2**64), 2**64):
        return float(value)
    raise InvalidField(f"{name} must be a number.", given=value, allowed="for example 4 or 0.5")
