"""What the user of a panel typed, valid or not: a request where it is, else what is wrong, where.

A field holds whatever was typed. Texts stand for what they say (``"12"`` is a number), an empty
one for the default. Nothing is refused here: `Form.errors` says what a request cannot take.
"""

from collections.abc import Callable, Mapping
from typing import Any

from traitlets import Any as AnyTrait
from traitlets import Dict, HasTraits, TraitType, observe

from sdnb.choice import Choice
from sdnb.errors import InvalidField, SdnbError, UnknownName
from sdnb.lora import Lora
from sdnb.past import FIXED
from sdnb.picture import FromImage, FromNoise, Inpaint, Picture, masked
from sdnb.registry import SAMPLERS, SCHEDULES, Registry
from sdnb.request import GenerationRequest
from sdnb.seeds import read_after

Read = Callable[[Any], object]


def _number(kind: type[int] | type[float]) -> Read:
    def read(typed: object) -> object:
        if not isinstance(typed, str):
            return typed
        try:
            return kind(typed.strip().replace(",", "."))
        except ValueError:
            return typed  # the request says what it takes

    return read


def _or_none(read: Read) -> Read:
    return lambda typed: None if typed in ("", None) else read(typed)


def _choice(registry: Registry) -> Read:
    """Read a name with its options; both are looked up."""

    def read(typed: object) -> object:
        choice = Choice.parse(typed) if isinstance(typed, str) else typed
        if isinstance(choice, Choice):
            registry.check(choice.name)
            registry.bind(choice.name, dict(choice.options))
        return choice

    return read


def _loras(typed: object) -> object:
    lines = typed.splitlines() if isinstance(typed, str) else typed
    if not isinstance(lines, list | tuple):
        return lines
    return tuple(Lora.parse(each) if isinstance(each, str) else each for each in lines if each)


READ: Mapping[str, Read] = {
    "prompt": lambda typed: typed,
    "negative_prompt": lambda typed: typed,
    "width": _or_none(_number(int)),
    "height": _or_none(_number(int)),
    "steps": _number(int),
    "cfg_scale": _number(float),
    "sampler": _choice(SAMPLERS),
    "schedule": _choice(SCHEDULES),
    "seed": _or_none(_number(int)),
    "denoise": _number(float),
    "loras": _loras,
}
"""Field of the request -> what its text stands for."""

PICTURES = ("image", "mask")
OTHERS = ("checkpoint", "after")
"""What is typed beside a request's own fields."""

CHANGES = tuple(name for name in READ if name != "seed")
"""What a branch can be told: its noise is the run's own."""


class Form(HasTraits):
    """The fields of a request as they were typed.

    Attributes
    ----------
    image, mask : Picture or None
        What to start from, and where it is repainted.
    checkpoint : str
        What is to draw; it is not part of the request, but loaded for it.
    after : str
        What becomes of the seed after a run: one of `sdnb.seeds.AFTER`.
    errors : dict of str to SdnbError
        What a request cannot take, by field.
    """

    prompt = AnyTrait("")
    negative_prompt = AnyTrait("")
    width = AnyTrait(None)
    height = AnyTrait(None)
    steps = AnyTrait(20)
    cfg_scale = AnyTrait(4.0)
    sampler = AnyTrait("dpmpp_2m")
    schedule = AnyTrait("karras")
    seed = AnyTrait(None)
    after = AnyTrait("randomize")
    denoise = AnyTrait(1.0)
    loras = AnyTrait("")
    image = AnyTrait(None)
    mask = AnyTrait(None)
    checkpoint = AnyTrait("")
    errors: "TraitType[Any, Any]" = Dict()
    _rest = AnyTrait(GenerationRequest())  # what has no field here

    def fill(self, request: GenerationRequest) -> None:
        """Type what a request says; what has no field here stays as it is there.

        But for its batch, of which one image is made, a second pass (``hires``), whose steps
        cannot be held, and functions that were given to a run.
        """
        hooks = tuple(use for use in request.hooks if not use.given)
        self._rest = request.changed(batch_size=1, hires=None, hooks=hooks, checkpoint=None)
        with self.hold_trait_notifications():
            for name in READ:
                setattr(self, name, _typed(name, getattr(request, name)))
            self.checkpoint = request.checkpoint or self.checkpoint
            start = request.start
            self.image = None if isinstance(start, FromNoise) else start.picture
            self.mask = start.mask if isinstance(start, Inpaint) else None

    def type(self, fields: Mapping[str, object]) -> None:
        """Type into several fields, by name; raises `UnknownName`."""
        for name, value in fields.items():
            UnknownName.check("field of the form", name, (*READ, *PICTURES, *OTHERS))
            setattr(self, name, value)

    def upload(self, name: str, data: bytes) -> None:
        """Take a picture file for ``"image"`` or ``"mask"``; bytes that are none are an error."""
        UnknownName.check("picture of the form", name, PICTURES)
        try:
            setattr(self, name, Picture.decode(data))
        except InvalidField as error:
            self.errors = {**self.errors, name: error}

    def options(self, name: str) -> dict[str, object]:
        """Return the options of the ``"sampler"`` or ``"schedule"`` that is typed, as they are."""
        registry = {"sampler": SAMPLERS, "schedule": SCHEDULES}[name]
        chosen = str(getattr(self, name)).split(maxsplit=1)
        return registry.options(chosen[0]) if chosen and registry.knows(chosen[0]) else {}

    def request(self) -> GenerationRequest | None:
        """Return what was typed as a request; None where `errors` says why there is none."""
        request, errors = self._read()
        self.errors = errors
        return None if errors else request

    def changes(self, request: GenerationRequest) -> dict[str, Any]:
        """Return the fields that say something else than a request, without the seed."""
        mine, errors = self._read()
        names = [name for name in (*CHANGES, "start") if name not in errors]
        found = {name: (getattr(mine, name), getattr(request, name)) for name in names}
        return {name: new for name, (new, old) in found.items() if not _is_same(name, new, old)}

    def refuse_fixed(self, request: GenerationRequest) -> bool:
        """Say beside each field that a branch cannot change what it cannot; return whether."""
        changes = self.changes(request)
        if self.checkpoint not in ("", request.checkpoint):
            changes["checkpoint"] = self.checkpoint
        refused = {
            ("image" if name == "start" else name): InvalidField(
                "a branch keeps this as it was in the run it comes from.",
                given=None if name == "start" else new,
                allowed="" if name == "start" else str(getattr(request, name)),
                fix="change it back, or begin a new run",
            )
            for name, new in changes.items()
            if name in FIXED
        }
        self.errors = {**self.errors, **refused}
        return bool(refused)

    @observe(*READ, *PICTURES, *OTHERS)
    def _check(self, _change: object) -> None:
        self.errors = self._read()[1]

    def _read(self) -> tuple[GenerationRequest, dict[str, SdnbError]]:
        request, errors = self._rest, dict[str, SdnbError]()
        for name, read in READ.items():
            try:
                request = request.changed(**{name: read(getattr(self, name))})
            except SdnbError as error:
                errors[name] = error
        try:
            read_after(str(self.after))
        except SdnbError as error:
            errors["after"] = error
        try:
            request = request.changed(start=_start(self.image, self.mask))
        except SdnbError as error:
            errors["image" if self.mask is None else "mask"] = error
        return request, errors


def _start(image: Picture | None, mask: Picture | None) -> FromNoise | FromImage | Inpaint:
    start = FromNoise() if image is None else FromImage(image)
    return start if mask is None else masked(start, mask)


def _typed(name: str, value: object) -> object:
    if name == "loras" and isinstance(value, tuple):
        return "\n".join(map(str, value))
    return str(value) if isinstance(value, Choice) else value


def _is_same(name: str, new: object, old: object) -> bool:
    if new is None and name in ("width", "height"):
        return True  # left to the checkpoint, as it was
    if name == "loras":  # a request that ran knows their hashes
        return [*map(str, new)] == [*map(str, old)]  # type: ignore[call-overload]
    return new == old
