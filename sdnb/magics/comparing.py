"""``%sd compare`` and ``%sd resume``: many runs in one grid that fills.

What is computed is in `sdnb.comparison`, how it is watched in `sdnb.magics.drawing`; that is
imported when a subcommand runs.
"""

from dataclasses import replace
from typing import TYPE_CHECKING

from sdnb.errors import InvalidField
from sdnb.magics.axes import read_axes
from sdnb.magics.command import Call, CommandFlag
from sdnb.magics.parse import Order
from sdnb.magics.working import given, last_request

if TYPE_CHECKING:
    import sdnb.comparison.compare

COMPARE_FLAGS = (
    CommandFlag(
        name="--zipped",
        takes="",
        help="first values together, then second ones, ..., in place of all combinations",
    ),
    CommandFlag(
        name="--exact",
        takes="",
        help="each cell alone: equal to its lone run to the last bit, and as slow",
    ),
)


def show_comparison(call: Call) -> "sdnb.comparison.compare.Comparison":
    """Draw the last picture's request with all combinations of some values."""
    words = [word for word in call.words if not word.is_flag]
    flags = given(
        replace(call, words=[w for w in call.words if w.is_flag]), "compare", COMPARE_FLAGS
    )
    axes = read_axes(word.text for word in words)
    if not axes:
        raise InvalidField(
            "%sd compare needs what to compare.",
            allowed="FLAG=A,B: a flag without its dashes, and values",
            fix="%sd compare sampler=ddim,heun steps=5,10",
        )
    from sdnb.magics.drawing import compare

    return compare(
        Order(last_request(call), axes=axes),
        call.session,
        call.names,
        zipped="zipped" in flags,
        exact="exact" in flags,
    )


def resume_comparison(call: Call) -> "sdnb.comparison.compare.Comparison":
    """Compute what an interrupt left of the last comparison."""
    given(call, "resume", ())
    comparison = call.session.comparison
    if comparison is None:
        raise InvalidField(
            "nothing was compared yet.", fix="%sd compare sampler=ddim,heun steps=5,10"
        )
    from sdnb.magics.drawing import fill, replaced_output

    with replaced_output() as show:
        fill(comparison, show)
    return comparison
