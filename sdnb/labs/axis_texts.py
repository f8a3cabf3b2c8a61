"""The rows of a panel in which axes are typed, valid or not: what they say, what is wrong where."""

from collections.abc import Sequence
from dataclasses import dataclass

from sdnb.comparison.axes import Axes, completed_axes, read_axes
from sdnb.errors import InvalidField, SdnbError
from sdnb.flags import AXES, example_of
from sdnb.labs.form import READ
from sdnb.request import GenerationRequest

ROWS = 3
"""How many axes there is room for."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What was typed for a comparison.

    Parameters
    ----------
    request : GenerationRequest
        What all cells have in common, with the seed that was drawn.
    rows : tuple of str
        The axes as they were typed.
    axes : tuple of (str, tuple)
        As they were read.
    """

    request: GenerationRequest
    rows: tuple[str, ...]
    axes: Axes


def read_rows(rows: Sequence[str]) -> tuple[Axes, dict[str, SdnbError]]:
    """Read axes from rows such as ``"steps=5,10"``; those without values yet are none.

    Returns the axes, and what is wrong, by row: ``axis_0``, ….
    """
    axes: dict[str, tuple[object, ...]] = {}
    errors: dict[str, SdnbError] = {}
    for number, row in enumerate(rows):
        if not row.partition("=")[2].strip():
            continue
        try:
            ((field, values),) = read_axes([row])
            if field in axes:
                raise InvalidField(
                    "this is compared in another row already.",
                    given=row,
                    allowed="one row for each field",
                    fix="put all values in one row",
                )
            for value in values:
                GenerationRequest().changed(**{field: READ.get(field, _as_it_is)(value)})
        except SdnbError as error:
            errors[f"axis_{number}"] = error
        else:
            axes[field] = values
    return tuple(axes.items()), errors


def offered(row: str) -> list[str]:
    """Return what the values of a row could become, where there are names for them."""
    name, equals, _ = row.partition("=")
    if not equals or name not in AXES or not AXES[name].values():
        return []
    return [each.partition("=")[2] for each in completed_axes(row)]


def example(row: str) -> str:
    """Return a value that a row could have, to be shown where none is typed."""
    name = row.partition("=")[0]
    if name not in AXES:
        return ""
    names = list(AXES[name].values())[:2]
    return ",".join(names) or example_of(AXES[name]).partition(" ")[2].strip('"')


def _as_it_is(value: object) -> object:
    return value
