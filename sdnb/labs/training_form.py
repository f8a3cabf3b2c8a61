"""What is typed to say what is trained, on what, how fast and for how long.

A field holds whatever was typed; `TrainingForm.errors` says what of it cannot be.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from traitlets import Any as AnyTrait
from traitlets import Bunch, Dict, HasTraits, TraitType, observe

from sdnb.diffusion import analytic
from sdnb.errors import InvalidField, SdnbError, UnknownName
from sdnb.files import typed_path
from sdnb.training.loop import Clock, by_seconds, by_steps
from sdnb.training.picture_sets import picture_files

SUBJECTS = ("plane", "unet", "lora")
"""A network of the plane; a small U-Net, from nothing; a LoRA of the checkpoint."""

DATASETS = {
    "moons": analytic.two_moons,
    "spiral": analytic.spiral,
    "blobs": analytic.three_blobs,
}
"""Data in the plane."""

UNITS = ("steps", "seconds")

_ALL = ("length", "unit", "lr", "every", "batch", "seed", "file")

FIELDS: Mapping[str, tuple[str, ...]] = {
    "plane": ("subject", "dataset", *_ALL),
    "unet": ("subject", "pictures", "with_text", "prompt", *_ALL),
    "lora": ("subject", "pictures", "prompt", "rank", *_ALL),
}
"""What each subject asks for."""

DEFAULTS: Mapping[str, Mapping[str, object]] = {
    "plane": {"length": 2000, "lr": 0.006, "batch": 256, "every": 200, "file": "plane.pt"},
    "unet": {"length": 300, "lr": 0.002, "batch": 16, "every": 75, "file": "unet.pt"},
    "lora": {"length": 120, "lr": 0.003, "batch": 8, "every": 40, "file": "lora.pt"},
}
"""What is typed where a subject is chosen, in steps."""

PROMPTS = {"unet": "a red star on a meadow", "lora": "a large house on a meadow"}

Read = Callable[[object], Any]


@dataclass(frozen=True, kw_only=True)
class TrainingRequest:
    """What is trained, on what, how fast and for how long.

    Parameters
    ----------
    subject, dataset : str
        Of `SUBJECTS`; of `DATASETS`, for the plane.
    pictures : Path or None
        A folder of pictures, each with its caption in a text file of the same name; None is what
        ships with sdnb.
    with_text : bool
        Whether a U-Net is told captions.
    prompt : str
        What is drawn on the way.
    rank : int
        Width of a LoRA's side branches.
    length, unit : float, str
        How long, in steps or seconds.
    lr : float
        Learning rate after the warm-up.
    batch : int
        Points or pictures of a step.
    every : int
        Steps between two samples.
    seed : int
        Of first weights, of what each step draws, and of the samples.
    file : str
        Where checkpoints are saved.
    """

    subject: str
    dataset: str
    pictures: Path | None
    with_text: bool
    prompt: str
    rank: int
    length: float
    unit: str
    lr: float
    batch: int
    every: int
    seed: int
    file: str

    @property
    def clock(self) -> Clock:
        """When the training ends."""
        return by_seconds(self.length) if self.unit == "seconds" else by_steps(int(self.length))

    def as_python(self, checkpoint: str) -> str:
        """Return what trains this again, as code."""
        typed = {name: getattr(self, name) for name in FIELDS[self.subject]}
        typed |= {"pictures": str(self.pictures or "")} if "pictures" in typed else {}
        said = "".join(f"    {name}={value!r},\n" for name, value in typed.items())
        return (
            "import sdnb\nfrom sdnb.labs.training import Training\n\n"
            f"lab = Training(sdnb.load({checkpoint!r}))\nlab.start(\n{said})\nlab.wait()\n"
        )


def _number(kind: type[int] | type[float], least: int | float, most: int | float) -> Read:
    def read(typed: object) -> int | float:
        try:
            number = kind(str(typed).strip().replace(",", "."))
        except ValueError:
            number = None
        if number is None or not least <= number <= most:
            named = "a whole number" if kind is int else "a number"
            raise InvalidField(
                f"this takes {named}.",
                given=typed,
                allowed=f"{least:g} … {most:g}",
                fix=f"type {named} between them",
            )
        return number

    return read


def _one_of(kind: str, names: tuple[str, ...]) -> Read:
    def read(typed: object) -> str:
        UnknownName.check(kind, str(typed), names, f"choose {names[0]}")
        return str(typed)

    return read


def _folder(typed: object) -> Path | None:
    text = str(typed or "").strip()
    if not text:
        return None
    folder = typed_path(text)
    picture_files(folder)
    return folder


def _file(typed: object) -> str:
    text = str(typed).strip()
    if not Path(text).name or "\0" in text:
        raise InvalidField(
            "a checkpoint has a file's name.", given=typed, allowed="a path", fix="training.pt"
        )
    return text


READ: Mapping[str, Read] = {
    "subject": _one_of("subject of a training", SUBJECTS),
    "dataset": _one_of("dataset of the plane", tuple(DATASETS)),
    "pictures": _folder,
    "with_text": bool,
    "prompt": str,
    "rank": _number(int, 1, 128),
    "length": _number(float, 1, 1e6),
    "unit": _one_of("unit of a training's length", UNITS),
    "lr": _number(float, 1e-7, 1),
    "batch": _number(int, 1, 4096),
    "every": _number(int, 1, 1_000_000),
    "seed": _number(int, 0, 2**32 - 1),
    "file": _file,
}
"""Field -> what its text stands for."""


class TrainingForm(HasTraits):
    """The fields of a training as they were typed; choosing a subject types its defaults.

    Attributes
    ----------
    errors : dict of str to SdnbError
        What a training cannot take, by field of the subject.
    """

    subject = AnyTrait("plane")
    dataset = AnyTrait("moons")
    pictures = AnyTrait("")
    with_text = AnyTrait(True)
    prompt = AnyTrait("")
    rank = AnyTrait(8)
    length = AnyTrait(0)
    unit = AnyTrait("steps")
    lr = AnyTrait(0)
    batch = AnyTrait(0)
    every = AnyTrait(0)
    seed = AnyTrait(0)
    file = AnyTrait("")
    errors: "TraitType[Any, Any]" = Dict()

    def __init__(self, prompt: str = "") -> None:
        super().__init__()
        self._prompt = prompt
        self._fill({"new": self.subject})

    def type(self, typed: Mapping[str, object]) -> None:
        """Type into several fields, by name, the subject first; raises `UnknownName`."""
        for name in sorted(typed, key=lambda name: name != "subject"):
            UnknownName.check("field of a training", name, READ)
            setattr(self, name, typed[name])

    def request(self) -> TrainingRequest | None:
        """Return what was typed; None where `errors` says why that cannot be trained."""
        read, errors = self._read()
        if errors.keys() != self.errors.keys():  # a folder may be gone meanwhile
            self.errors = errors
        return None if errors else TrainingRequest(**read)

    @observe("subject")
    def _fill(self, change: Bunch | dict[str, object]) -> None:
        subject = str(change["new"])
        prompt = self._prompt or PROMPTS.get(subject, "")
        typed = {**DEFAULTS.get(subject, {}), "unit": "steps", "prompt": prompt}
        with self.hold_trait_notifications():
            for name, value in typed.items():
                setattr(self, name, value)

    @observe(*READ)
    def _check(self, _change: object) -> None:
        self.errors = self._read()[1]

    def _read(self) -> tuple[dict[str, Any], dict[str, SdnbError]]:
        found, errors = dict[str, Any](), dict[str, SdnbError]()
        asked = FIELDS.get(str(self.subject), FIELDS[SUBJECTS[0]])
        for field in fields(TrainingRequest):
            name = field.name  # what the subject does not ask for may be anything
            typed = getattr(self, name) if name in asked else self.trait_defaults(name)
            try:
                found[name] = READ[name](typed)
            except SdnbError as error:
                errors[name] = error
        return found, errors
