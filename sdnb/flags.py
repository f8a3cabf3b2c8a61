"""The flags of the magic, made from the request's fields and six of the notebook's own.

A new field of `GenerationRequest` is a new flag without a line here, and what a comparison can
vary. How a line of flags is read is in `sdnb.magics.options`.
"""

import dataclasses
import re
from collections.abc import Callable, Sequence
from keyword import iskeyword

from sdnb.errors import InvalidField, SdnbError, UnknownName
from sdnb.hook_use import MODULE, POINTS
from sdnb.picture import FromNoise, Picture
from sdnb.prompt import SYNTAXES
from sdnb.registry import SAMPLERS, SCHEDULES
from sdnb.request import GenerationRequest
from sdnb.seeds import AFTER, read_after

_NUMBERS: dict[object, str] = {int: "a whole number", float: "a number"}
_VALUES: dict[str, Callable[[], Sequence[str]]] = {
    "--sampler": SAMPLERS.names,
    "--schedule": SCHEDULES.names,
    "--syntax": lambda: list(SYNTAXES),
    "--on": lambda: [*(f"{point}:" for point in POINTS), MODULE],
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Flag:
    """One flag.

    Parameters
    ----------
    sets : tuple of str
        The options it sets: a field of the request, or ``mask``, ``outpaint``, ``after``,
        ``name``, ``axes``.
    takes : str
        What follows it, as the help writes it.
    read : callable
        Its text -> one value for each of ``sets``.
    values : callable
        The texts to propose for it; called late, since a user can register names.
    many : bool
        Whether it may come several times; its values are gathered in a tuple.
    more : callable
        Whether one more word belongs to it, behind its first.
    """

    name: str
    sets: tuple[str, ...]
    takes: str
    read: Callable[[str], tuple[object, ...]]
    help: str
    values: Callable[[], Sequence[str]] = tuple
    many: bool = False
    more: Callable[[str], bool] = lambda _text: False


def find_flag(name: str) -> Flag:
    """Return the flag called ``name``; unknown names list the nearest."""
    if name not in FLAGS:
        advice = "put a prompt with dashes in double quotes; %sd help lists the flags"
        raise UnknownName.among("flag", name, FLAGS, fix=advice)
    return FLAGS[name]


def example_of(flag: Flag) -> str:
    """Return a use of the flag that works."""
    return f"{flag.name} {_EXAMPLES.get(flag.name) or [*flag.values(), '...'][0]}"


def _flag_of(field: "dataclasses.Field[object]") -> Flag:
    name, parse = field.metadata["flag"], field.metadata["parse"]
    can_be_none = field.default in (None, (), FromNoise())

    def read(text: str) -> tuple[object, ...]:
        if can_be_none and text == "none":
            return (field.default,)
        return (_read(name, parse, text),)

    return Flag(
        name=name,
        sets=(field.name,),
        takes=name.strip("-").upper(),
        read=read,
        help=field.metadata["help"],
        values=_VALUES.get(name, tuple),
        many=field.metadata["many"],
    )


def _read(name: str, parse: Callable[[str], object], text: str) -> object:
    try:
        return parse(text)
    except SdnbError:
        raise
    except ValueError as error:
        raise InvalidField(
            f"{name} takes {_NUMBERS.get(parse, 'another value')}.",
            given=text,
            fix=f"{name} {_EXAMPLES.get(name, '...')}",
        ) from error


def _read_size(text: str) -> tuple[object, ...]:
    match = re.fullmatch(r"(\d+)(?:[x×](\d+))?", text.lower())
    if match is None:
        raise InvalidField(
            "a size is written WIDTHxHEIGHT.",
            given=text,
            allowed="pixels, multiples of 8",
            fix="--size 128x128",
        )
    return int(match[1]), int(match[2] or match[1])


def _read_borders(text: str) -> dict[str, int]:
    borders = dict(re.findall(r"(left|top|right|bottom|feather)=(\d+)(?:,|$)", text))
    if ",".join(f"{side}={pixels}" for side, pixels in borders.items()) != text:
        raise InvalidField(
            "a border is written SIDE=PIXELS.",
            given=text,
            allowed="left, top, right, bottom, each once, and feather; no spaces",
            fix="--outpaint right=64,bottom=32",
        )
    return {side: int(pixels) for side, pixels in borders.items()}


def _is_axis(text: str) -> bool:
    return re.match(r"[a-z][\w-]*=", text) is not None


def _read_name(text: str) -> tuple[object, ...]:
    if not text.isidentifier() or iskeyword(text):
        raise InvalidField(
            "-o takes the name of a variable.",
            given=text,
            allowed="letters, digits and _, not starting with a digit",
            fix="-o result",
        )
    return (text,)


_SIZE = Flag(
    name="--size",
    sets=("width", "height"),
    takes="WxH",
    read=_read_size,
    help="pixels, width x height, multiples of 8",
)
_MASK = Flag(
    name="--mask",
    sets=("mask",),
    takes="MASK",
    read=lambda text: (None if text == "none" else Picture.read(text),),
    help="repaint the picture of --image where this one is white; none: all of it",
)
_OUTPAINT = Flag(
    name="--outpaint",
    sets=("outpaint",),
    takes="SIDE=N,...",
    read=lambda text: (_read_borders(text),),
    help="paint so many pixels more on these sides of the picture of --image",
)
_AFTER = Flag(
    name="--after",
    sets=("after",),
    takes="AFTER",
    read=lambda text: (read_after(text),),
    help="what becomes of the seed after the run (default randomize)",
    values=lambda: AFTER,
)
_NAME = Flag(
    name="-o",
    sets=("name",),
    takes="NAME",
    read=_read_name,
    help="also put the result in this variable",
)
_COMPARE = Flag(
    name="--compare",
    sets=("axes",),
    takes="FLAG=A,B ...",
    read=lambda text: (text,),
    help="draw all combinations of these values side by side; texts are separated by |",
    values=lambda: [f"{name}=" for name in AXES],
    many=True,
    more=_is_axis,
)

_OWN = (_SIZE, _MASK, _OUTPAINT, _AFTER, _NAME, _COMPARE)

FLAGS: dict[str, Flag] = {
    flag.name: flag for flag in (*map(_flag_of, dataclasses.fields(GenerationRequest)), *_OWN)
}
_EXAMPLES = {
    "--prompt": '"a red circle"',
    "--negative": "blurry",
    "--seed": "7",
    "--batch": "4",
    "--width": "128",
    "--height": "128",
    "--size": "128x128",
    "--steps": "30",
    "--cfg": "4",
    "--denoise": "0.6",
    "--strength": "0.6",
    "--hires": '"2x denoise=0.5"',
    "--image": "cat.png",
    "--mask": "mask.png --image cat.png",
    "--outpaint": "right=64,bottom=32 --image cat.png",
    "--lora": "style.safetensors:0.8",
    "--embedding": "style.safetensors",
    "--control": "depth.png:depth:0.7",
    "--ip-adapter": "photo.png:ip-adapter_sd15:0.6",
    "--checkpoint": "tiny",
    "--clip-skip": "1",
    "--on": "step:my_function@3-7",
    "-o": "result",
    "--compare": "sampler=ddim,heun steps=5,10,20",
}
AXES: dict[str, Flag] = {
    name.lstrip("-"): flag
    for name, flag in FLAGS.items()
    if flag.sets[0] in {field.name for field in dataclasses.fields(GenerationRequest)} - {"start"}
    and len(flag.sets) == 1
}
"""What can be compared: name of the axis -> its flag, which sets one field of the request."""
