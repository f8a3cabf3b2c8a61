"""``%sd compare``, ``%sd sweep`` and what follows them: many runs in one grid that fills.

What is computed is in `sdnb.comparison`, how it is watched in `sdnb.magics.drawing`; that is
imported when a subcommand runs.
"""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sdnb.comparison.axes import read_axes
from sdnb.errors import InvalidField
from sdnb.i18n import tr
from sdnb.magics.command import Call, CommandFlag
from sdnb.magics.parse import Order
from sdnb.magics.working import given, last_request

if TYPE_CHECKING:
    import sdnb.comparison.best
    import sdnb.comparison.compare
    import sdnb.comparison.scores
    import sdnb.pipeline
    import sdnb.plots.figure

_ZIPPED = CommandFlag(
    name="--zipped",
    takes="",
    help="first values together, then second ones, ..., in place of all combinations",
)
COMPARE_FLAGS = (
    _ZIPPED,
    CommandFlag(
        name="--exact",
        takes="",
        help="each cell alone: equal to its lone run to the last bit, and as slow",
    ),
)
SWEEP_FLAGS = (
    CommandFlag(
        name="--dask",
        takes="ADDRESS",
        help="of a cluster's scheduler (default processes of this machine)",
        example="tcp://10.0.0.1:8786",
    ),
    _ZIPPED,
)
SCORES_FLAGS = (
    CommandFlag(name="--plot", takes="", help="error against evaluations, in place of the table"),
    CommandFlag(
        name="--best",
        takes="N",
        help="the nearest of those with at most N evaluations, in words",
        example="20",
        read=int,
    ),
)


def show_comparison(call: Call) -> "sdnb.comparison.compare.Comparison":
    """Draw the last picture's request with all combinations of some values."""
    order, flags = _read(call, "compare", COMPARE_FLAGS)
    from sdnb.comparison.engine import Engine, Lockstep
    from sdnb.magics.drawing import compare

    def here(pipe: "sdnb.pipeline.Pipeline") -> Engine:
        return Lockstep(pipe, exact="exact" in flags)

    return compare(order, call.session, call.names, engine=here, zipped="zipped" in flags)


def show_sweep(call: Call) -> "sdnb.comparison.compare.Comparison":
    """Draw the same on a Dask cluster."""
    order, flags = _read(call, "sweep", SWEEP_FLAGS)
    from sdnb.comparison.engine import Engine
    from sdnb.comparison.sweep import Workers
    from sdnb.magics.drawing import compare

    def there(pipe: "sdnb.pipeline.Pipeline") -> Engine:
        return Workers(pipe, flags.get("dask"), keep="steps")

    return compare(order, call.session, call.names, engine=there, zipped="zipped" in flags)


def resume_comparison(call: Call) -> "sdnb.comparison.compare.Comparison":
    """Compute what an interrupt left of the last comparison."""
    given(call, "resume", ())
    comparison = call.session.latest = _last(call)
    from sdnb.magics.drawing import fill, replaced_output

    with replaced_output() as show:
        fill(comparison, call.session, show)
    return comparison


def show_scores(
    call: Call,
) -> "sdnb.comparison.scores.Scores | sdnb.comparison.best.Best | sdnb.plots.figure.Figure":
    """Show the last comparison in numbers: its table, its best cell, or its errors as a plot."""
    flags = given(call, "scores", SCORES_FLAGS)
    comparison = _last(call)
    from sdnb.magics.drawing import waiting

    with waiting(tr("live.scores")):
        if "best" in flags:
            return comparison.best(evaluations=flags["best"])
        scores = comparison.scores()
    if "plot" not in flags:
        return scores
    from sdnb.plots.compare import plot_scores

    return plot_scores(scores)


def show_flip_book(call: Call) -> "sdnb.plots.figure.Figure":
    """Show the last comparison with a slider for each axis and one for the step."""
    given(call, "flip", ())
    comparison = _last(call)
    from sdnb.comparison.flip_book import make_flip_book
    from sdnb.magics.drawing import waiting
    from sdnb.plots.flip_book import plot_flip_book

    with waiting(tr("live.flip_book")):
        return plot_flip_book(make_flip_book(comparison))


def _read(call: Call, name: str, flags: tuple[CommandFlag, ...]) -> tuple[Order, dict[str, Any]]:
    """Return the last request with what is compared, and the subcommand's flags."""
    texts: list[str] = []
    words = list(call.words)
    while words and not words[0].is_flag:
        texts.append(words.pop(0).text)
    axes = read_axes(texts)
    if not axes:
        raise InvalidField(
            f"%sd {name} needs what to compare.",
            given=" ".join(word.text for word in call.words),
            allowed="FLAG=A,B: a flag without its dashes, and values",
            fix=f"%sd {name} sampler=ddim,heun steps=5,10",
        )
    return Order(last_request(call), axes=axes), given(replace(call, words=words), name, flags)


def _last(call: Call) -> "sdnb.comparison.compare.Comparison":
    if call.session.comparison is None:
        raise InvalidField(
            "nothing was compared yet.",
            given="no comparison",
            allowed="what --compare, %sd compare or %sd sweep began",
            fix="%sd compare sampler=ddim,heun steps=5,10",
        )
    return call.session.comparison
