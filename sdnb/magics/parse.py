"""The text of a cell -> what is asked for. No IPython: text in, plain values out.

    %%sd --steps 30 --seed 7            %sd "a red circle" --steps 30
    a red circle on {white|grey}        %sd a red circle --steps 30
    negative: blurry

The body is literal, but for ``{{name}}``, which takes a variable of the notebook.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sdnb.comparison.axes import Axes, read_axes
from sdnb.errors import InvalidField
from sdnb.flags import FLAGS
from sdnb.magics.options import Options, put, read_options
from sdnb.magics.words import Word, fill, split_words
from sdnb.picture import Picture, masked, outpainted
from sdnb.request import GenerationRequest

_NEGATIVE = re.compile(r"\s*negative:(.*)", re.IGNORECASE)


@dataclass(frozen=True)
class Order:
    """What a cell asks for.

    Parameters
    ----------
    request : GenerationRequest
        The picture; its seed is None when the run is to draw one.
    after : str
        What becomes of the seed after the run.
    name : str
        The variable that gets the result as well; empty for none.
    axes : tuple of (str, tuple)
        What is compared: fields and their values; empty where one picture is drawn.
    """

    request: GenerationRequest = GenerationRequest()  # noqa: RUF009  frozen all the way down
    after: str = "randomize"
    name: str = ""
    axes: Axes = ()


def parse_cell(line: str, body: str, defaults: Order, names: Mapping[str, object]) -> Order:
    """Read a ``%%sd`` cell: flags on its line, the prompt below.

    Parameters
    ----------
    defaults : Order
        What holds where the cell says nothing.
    names : Mapping of str to object
        The notebook's variables, for ``{{name}}``.
    """
    options, rest = read_options(fill_words(split_words(line), names))
    if rest:
        raise InvalidField(
            "the line of %%sd takes flags only.",
            given=" ".join(word.text for word in rest),
            fix="write the prompt in the lines below, and values of several words in quotes",
        )
    prompt, negative = split_body(body)
    if prompt:
        put(options, FLAGS["--prompt"], fill(prompt, names))
    if negative is not None:
        put(options, FLAGS["--negative"], fill(negative, names))
    return order_of(options, defaults)


def parse_line(line: str, defaults: Order, names: Mapping[str, object]) -> Order:
    """Read a ``%sd`` line: the prompt, quoted or not, and flags in any place."""
    options, rest = read_options(fill_words(split_words(line), names))
    if rest:
        put(options, FLAGS["--prompt"], " ".join(word.text for word in rest))
    return order_of(options, defaults)


def order_of(options: Options, defaults: Order) -> Order:
    """Return the defaults, changed by what the flags set."""
    fields = dict(options)
    after, name = fields.pop("after", defaults.after), fields.pop("name", "")
    axes = read_axes(_texts(fields.pop("axes", ())))
    if axes and "after" in options:
        raise InvalidField(
            "a comparison leaves the next seed as it is.",
            given=f"--compare and --after {after}",
            allowed="--after where one picture is drawn",
            fix="leave --after out",
        )
    mask, borders = fields.pop("mask", None), fields.pop("outpaint", None)
    request = defaults.request.changed(**fields)
    if "mask" in options:  # it joins a picture that the same line names, or the defaults hold
        start = masked(request.start, mask if isinstance(mask, Picture) else None)
        request = request.changed(start=start)
    if isinstance(borders, dict):  # as a mask does
        extended = outpainted(request.start, borders)
        width, height = extended.picture.size
        size = {"width": width, "height": height}
        request = request.changed(**{**size, **fields, "start": extended})
    return Order(request, str(after), str(name), axes)


def split_body(body: str) -> tuple[str, str | None]:
    """Return prompt and negative prompt; None where the body names no negative.

    A line ``negative: …`` holds it, or all lines after a line ``---``; several are joined.
    """
    above, *below = re.split(r"^---[ \t]*$", body, maxsplit=1, flags=re.MULTILINE)
    lines = [(line, _NEGATIVE.fullmatch(line)) for line in above.splitlines()]
    prompt = "\n".join(line for line, match in lines if match is None).strip()
    parts = [match[1].strip() for _, match in lines if match] + [text.strip() for text in below]
    return prompt, ", ".join(filter(None, parts)) if parts else None


def cut_semicolon(text: str) -> tuple[str, bool]:
    """Return the text without a ``;`` at its very end, and whether there was one."""
    stripped = text.rstrip()
    return (stripped[:-1], True) if stripped.endswith(";") else (text, False)


def fill_words(words: Iterable[Word], names: Mapping[str, object]) -> list[Word]:
    """Put variables into the words of a line; a variable's text is never a flag."""
    filled = ((word, fill(word.text, names)) for word in words)
    return [Word(text, word.is_quoted or text != word.text) for word, text in filled]


def _texts(value: object) -> list[str]:
    return [str(text) for text in value] if isinstance(value, tuple) else []
