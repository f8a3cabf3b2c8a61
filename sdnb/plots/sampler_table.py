"""The table of samplers: HTML that sorts itself where scripts may run, and text."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from html import escape
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from sdnb.errors import UnknownName
from sdnb.i18n import tr
from sdnb.plots.theme import sampler_mark

if TYPE_CHECKING:
    import sdnb.comparison.samplers

_CELL = "padding:2px 8px;text-align:{}"
_NUMBERS = ("order", "nominal", "evaluations", "history", "counted", "relative", "time", "seconds")

# A cell holds a number, a text, or nothing.
Cell = int | float | str | None


@dataclass(frozen=True)
class Column:
    """A column: what `Table.by` calls it, and what stands in it."""

    key: str
    cell: Callable[[Any, Any], Cell]  # of a sampler's facts and its cost, or None

    @property
    def heading(self) -> str:
        """Its name, in the language that is set."""
        return tr(f"sampler_table.{self.key}")

    @property
    def help(self) -> str:
        """What the heading means."""
        return tr(f"sampler_table.{self.key}_help")


COLUMNS = (
    Column("sampler", lambda facts, _: facts.name),
    Column("family", lambda facts, _: facts.family),
    Column("order", lambda facts, _: facts.order),
    Column("nominal", lambda facts, _: facts.nominal_order),
    Column("evaluations", lambda facts, _: _asked(facts.evaluations)),
    Column("noise", lambda facts, _: _yes_or_no(facts.stochastic)),
    Column("history", lambda facts, _: facts.history),
    Column("paper", lambda facts, _: facts.paper),
)
COST_COLUMNS = (
    Column("counted", lambda _, cost: cost.evaluations),
    Column("relative", lambda _, cost: round(cost.evaluations_ratio, 2)),
    Column("time", lambda _, cost: round(cost.time_ratio, 2)),
    Column("seconds", lambda _, cost: round(cost.seconds, 3)),
)


@dataclass(frozen=True, eq=False)
class Table:
    """Rows of samplers, which draw themselves.

    Attributes
    ----------
    facts : tuple of SamplerFacts
    costs : tuple of Cost
        Empty where nothing was measured; else one for each sampler.
    """

    facts: "tuple[sdnb.comparison.samplers.SamplerFacts, ...]"
    costs: "tuple[sdnb.comparison.samplers.Cost, ...]" = ()

    @property
    def columns(self) -> tuple[Column, ...]:
        """What is shown."""
        return (*COLUMNS[:-1], *(COST_COLUMNS if self.costs else ()), COLUMNS[-1])

    @property
    def rows(self) -> list[list[Cell]]:
        """The cells of each sampler."""
        costs = {cost.sampler: cost for cost in self.costs}
        return [
            [column.cell(facts, costs.get(facts.name)) for column in self.columns]
            for facts in self.facts
        ]

    def by(self, key: str) -> "Table":
        """Return the table sorted by a column, numbers before words, nothing last."""
        keys = [column.key for column in self.columns]
        if key not in keys:
            raise UnknownName.among("column", key, keys)
        place = keys.index(key)
        cells = [row[place] for row in self.rows]
        order = sorted(range(len(cells)), key=lambda index: _rank(cells[index]))
        return replace(self, facts=tuple(self.facts[index] for index in order))

    def __repr__(self) -> str:
        headings = [column.heading for column in self.columns]
        rows = [[_written(cell) for cell in row] for row in self.rows]
        widths = [max(map(len, cells)) for cells in zip(headings, *rows, strict=True)]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in (headings, *rows)
        ]
        return "\n".join(lines)

    # IPython's display protocol: it passes what it wants included and excluded.
    def _repr_mimebundle_(self, *_wishes: Any, **_more: Any) -> dict[str, str]:
        return {"text/plain": repr(self), "text/html": self._html()}

    def _html(self) -> str:
        head = "".join(
            f'<th scope="col" title="{escape(column.help)}" style="{_style(column)}">'
            f"{escape(column.heading)}</th>"
            for column in self.columns
        )
        body = "".join(f"<tr>{self._row(row)}</tr>" for row in self.rows)
        return (
            '<div style="overflow-x:auto"><table class="sdnb-samplers">'
            f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
            f"<script>{{{_script()}}}</script>"
        )

    def _row(self, row: Sequence[Cell]) -> str:
        return "".join(
            f'<td data-value="{escape(_written(cell), quote=True)}"'
            f' style="{_style(column)};white-space:nowrap">{_shown(column.key, cell)}</td>'
            for column, cell in zip(self.columns, row, strict=True)
        )


def _asked(evaluations: float | None) -> Cell:
    return tr("sampler_table.chooses") if evaluations is None else evaluations


def _yes_or_no(answer: bool) -> str:
    return tr("sampler_table.yes") if answer else tr("sampler_table.no")


def _style(column: Column) -> str:
    return _CELL.format("right" if column.key in _NUMBERS else "left")


def _shown(key: str, cell: Cell) -> str:
    said = escape(_written(cell))
    if key == "sampler":
        colour = sampler_mark(str(cell)).colour
        return f'<span style="color:{colour}">●</span> <code>{said}</code>'
    if key == "paper" and said.startswith("arXiv:"):
        return f'<a href="https://arxiv.org/abs/{said.removeprefix("arXiv:")}">{said}</a>'
    return said


def _written(cell: Cell) -> str:
    return "" if cell is None else f"{cell:g}" if isinstance(cell, float) else str(cell)


def _rank(cell: Cell) -> tuple[int, float, str]:
    if cell is None:
        return 2, 0.0, ""
    return (1, 0.0, cell) if isinstance(cell, str) else (0, float(cell), "")


@cache
def _script() -> str:
    return files("sdnb.plots").joinpath("sortable.js").read_text(encoding="utf-8")
