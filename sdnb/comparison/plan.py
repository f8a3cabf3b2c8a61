"""What is compared: axes of a request's fields, and the cells where they cross."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from secrets import randbelow
from typing import Any

from sdnb.errors import InvalidField, UnknownName
from sdnb.events import During, Hooks
from sdnb.hook_use import HookUse
from sdnb.request import GenerationRequest

NO_HOOKS = Hooks()

Values = Mapping[str, Sequence[object]]
"""Field of the request, or ``hooks`` -> the values that it takes."""


@dataclass(frozen=True, kw_only=True)
class Axis:
    """Settings that are tried one after another, each of one field or of several together."""

    name: str
    settings: tuple[Mapping[str, object], ...]

    @property
    def labels(self) -> tuple[str, ...]:
        """The settings in words."""
        return tuple(" + ".join(map(label, each.values())) for each in self.settings)

    @property
    def captions(self) -> tuple[str, ...]:
        """The settings in words, after the axis's name."""
        return tuple(f"{self.name} {each}".strip() for each in self.labels)


NO_AXIS = Axis(name="", settings=({},))
"""One setting that changes nothing."""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One run of a plan, with its label on each axis."""

    labels: tuple[str, ...]
    request: GenerationRequest
    hooks: Hooks = field(default=NO_HOOKS)
    settings: Mapping[str, object] = field(default_factory=dict)

    @property
    def work(self) -> object:
        """What decides its result: cells with equal work are computed once."""
        return self.request, tuple((point, id(hook)) for point, hook in self.hooks.at_points())


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Axes and their cells, one for each combination, the last axis fastest."""

    axes: tuple[Axis, ...]
    cells: tuple[Cell, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The cells in words, numbers with their axis: ``"heun, steps 10"``."""
        return tuple(
            ", ".join(
                f"{axis.name} {each}" if _is_number(each) else each
                for axis, each in zip(self.axes, cell.labels, strict=True)
            )
            for cell in self.cells
        )

    def find(self, values: Mapping[str, object]) -> int:
        """Return the number of the one cell with these values.

        Raises `UnknownName` for an axis or a value that is not there, `InvalidField` where
        several cells fit.
        """
        fields = {name for cell in self.cells for name in cell.settings}
        for name, value in values.items():
            UnknownName.check("axis", name, fields)
            known = {label(cell.settings[name]) for cell in self.cells}
            UnknownName.check(f"value of {name}", label(value), known)
        found = [
            number
            for number, cell in enumerate(self.cells)
            if all(_is_same(cell.settings[name], value) for name, value in values.items())
        ]
        if len(found) != 1:
            raise InvalidField(
                f"{len(found)} cells have these values.",
                given=values,
                allowed=repr(self),
                fix="give a value for each axis",
            )
        return found[0]

    def __repr__(self) -> str:
        axes = (f"{axis.name}: {', '.join(axis.labels)}" for axis in self.axes)
        return f"<Plan of {len(self.cells)} cells; {'; '.join(axes)}>"


def cross(request: GenerationRequest, values: Values, hooks: Hooks = NO_HOOKS) -> Plan:
    """Plan a cell for each combination of the values; each field is an axis.

    ``hooks`` are those of all cells, beside the request's; an axis of hooks replaces both.
    Without a seed one is drawn, the same for all. Raises `InvalidField` or `UnknownName` for
    what no request can be.
    """
    axes = tuple(
        Axis(name=name, settings=tuple({name: value} for value in each))
        for name, each in values.items()
    )
    return _plan(request, axes, hooks)


def pair(request: GenerationRequest, values: Values, hooks: Hooks = NO_HOOKS) -> Plan:
    """Plan a cell for the first values of all fields, one for the second, ...: one axis.

    Raises `InvalidField` where the lists are not of one length, and as `cross` does.
    """
    counts = {name: len(each) for name, each in values.items()}
    if len(set(counts.values())) > 1:
        raise InvalidField(
            "values that go side by side are as many for each field.",
            given=counts,
            allowed="lists of one length",
            fix="leave zipped out for all combinations",
        )
    rows = zip(*values.values(), strict=True)
    settings = tuple(dict(zip(values, row, strict=True)) for row in rows)
    return _plan(request, (Axis(name=" + ".join(values), settings=settings),), hooks)


def plan_fields(
    request: GenerationRequest | str, fields: Mapping[str, Any], *, zipped: bool
) -> Plan:
    """Plan a request's cells from fields: a list is an axis, anything else holds for all.

    ``zipped`` pairs the lists, else they are crossed.
    """
    if isinstance(request, str):
        request = GenerationRequest(prompt=request)
    axes = {name: each for name, each in fields.items() if isinstance(each, list)}
    fixed = {name: each for name, each in fields.items() if name not in axes}
    hooks = fixed.pop("hooks", NO_HOOKS)
    return (pair if zipped else cross)(request.changed(**fixed), axes, hooks)


def _plan(request: GenerationRequest, axes: tuple[Axis, ...], hooks: Hooks) -> Plan:
    for axis in axes:
        if not axis.settings:
            raise InvalidField(
                "an axis has values.",
                given=f"{axis.name}=[]",
                allowed="a list of one value or more",
                fix=f"leave {axis.name} out",
            )
    if request.seed is None:
        request = request.changed(seed=randbelow(2**32))
    cells = (
        _cell(request, dict(item for each in chosen for item in each.items()), labels, hooks)
        for chosen, labels in zip(
            product(*(axis.settings for axis in axes)),
            product(*(axis.labels for axis in axes)),
            strict=True,
        )
    )
    return Plan(axes=axes, cells=tuple(cells))


def _cell(
    request: GenerationRequest,
    settings: dict[str, object],
    labels: tuple[str, ...],
    hooks: Hooks,
) -> Cell:
    fields = dict(settings)
    match settings.get("hooks", ()):
        case Hooks() as hooks:
            fields["hooks"] = ()
        case tuple() as uses if all(isinstance(use, HookUse) for use in uses):
            hooks = NO_HOOKS if "hooks" in settings else hooks
        case other:
            raise InvalidField(
                "hooks takes Hooks.",
                given=other,
                allowed="Hooks, or a tuple of HookUse",
                fix="sdnb.Hooks(on_step=(my_function,))",
            )
    asked = request.changed(**fields)
    return Cell(labels=labels, request=asked, hooks=hooks, settings=settings)


def _is_same(setting: object, value: object) -> bool:
    """Whether a cell's setting is what was asked for, or is called so: ``"heun"``."""
    return setting == value or (not isinstance(value, Hooks) and label(setting) == label(value))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def label(value: object) -> str:
    """Return a setting's value in words, as a flag has it; of hooks, where they stand."""
    if isinstance(value, Hooks):
        names = (f"{point}:{_name(hook)}" for point, hook in value.at_points())
        return ", ".join(names) or "no hooks"
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _name(hook: object) -> str:
    inner = hook.hook if isinstance(hook, During) else hook
    return str(getattr(inner, "__name__", type(inner).__name__))
