"""What ``%sd help`` says: the flags from the request's fields, the subcommands from their table."""

import dataclasses
from collections.abc import Mapping
from inspect import cleandoc, unwrap
from textwrap import fill

from sdnb.choice import Choice, Plain
from sdnb.errors import UnknownName
from sdnb.flags import FLAGS, Flag, example_of
from sdnb.magics.page import aligned
from sdnb.picture import FromNoise
from sdnb.registry import HOOKS, SAMPLERS, SCHEDULES, Registry
from sdnb.request import GenerationRequest

_OPENING = """\
Draw a picture from a prompt.

    %%sd [flags]                  %sd [prompt] [flags]
    a red circle on white         on one line; the prompt in quotes or not
    negative: blurry

The lines below %%sd are the prompt, as typed. A line "negative: ..." is the negative prompt; so
are all lines below a line "---". {{name}} stands for a variable of the notebook (a text or a
number), in the prompt and in flags; nothing else is replaced or evaluated. (word:1.3), BREAK and
[red:blue:0.5] weigh, part and change words; --syntax says in whose meaning. A ";" at the very end
shows nothing. The result is the value of the cell (_, x = %sd ...), and _sd holds the last one."""

_SEEDS = """\
Seeds: --seed always wins. Without it a run takes the seed that the last run left by its
--after, else the one of "%sd set --seed", else a drawn one.
  --after fixed      leaves the seed just used
  --after increment  leaves the seed after the batch's last one (image i uses seed + i)
  --after decrement  leaves the seed one batch before
  --after randomize  leaves none
So "%%sd --seed 7 --after increment" draws 7 each time, and cells without --seed go on from 8."""


def overview(commands: Mapping[str, str]) -> str:
    """Return the whole help.

    Parameters
    ----------
    commands : Mapping of str to str
        Usage of a subcommand -> one line about it.
    """
    flags = {_usage(flag): _described(flag) for flag in FLAGS.values()}
    names = {
        "samplers": _listed(SAMPLERS),
        "schedules": _listed(SCHEDULES),
        "hooks": _listed(HOOKS) or "none registered; any function of the notebook",
    }
    sections = [
        _OPENING,
        'Flags ("none" empties those that may stay open, such as --seed):\n' + aligned(flags, "  "),
        _SEEDS,
        "Subcommands (quote a prompt that starts like one):\n" + aligned(commands, "  "),
        "Names (%sd help NAME says more):\n" + aligned(names, "  "),
    ]
    return "\n\n".join(sections)


def explain(name: str, commands: Mapping[str, str]) -> str:
    """Return what there is to say about a flag, subcommand, sampler, schedule or hook."""
    dashed = next((flag for flag in (name, f"--{name}", f"-{name}") if flag in FLAGS), None)
    if dashed is not None:
        flag = FLAGS[dashed]
        rows = {
            _usage(flag): _described(flag),
            "for example": f"%sd a red circle {example_of(flag)}",
        }
        if flag.values():
            rows["values"] = ", ".join(flag.values())
        return aligned(rows) + ("\n\n" + _SEEDS if dashed in ("--seed", "--after") else "")
    for usage, text in commands.items():
        if usage.split()[1] == name:
            return f"{usage}\n{text}"
    for registry in (SAMPLERS, SCHEDULES, HOOKS):
        if registry.knows(name):
            return _entry(registry, name)
    known = [*FLAGS, *(usage.split()[1] for usage in commands)]
    known += [*SAMPLERS.names(), *SCHEDULES.names(), *HOOKS.names()]
    raise UnknownName.among("flag, subcommand, sampler, schedule or hook", name, known)


def _entry(registry: Registry, name: str) -> str:
    lines = [f"{name}, a {registry.kind}", "", cleandoc(unwrap(registry[name]).__doc__ or "")]
    if options := registry.options(name):
        written = Choice(name, tuple((key, _shown(value)) for key, value in options.items()))
        how = f'--on "POINT:{written}"' if registry is HOOKS else f'--{registry.kind} "{written}"'
        lines += ["", f"options: {how}"]
    return "\n".join(lines)


def _listed(registry: Registry) -> str:
    return fill(", ".join(registry.names()), width=84, break_on_hyphens=False)


def _shown(default: object) -> Plain:
    return default if isinstance(default, bool | int | float | str) else "…"


def _usage(flag: Flag) -> str:
    return f"{flag.name} {flag.takes}"


def _described(flag: Flag) -> str:
    field = _FIELDS.get(flag.sets[0]) if len(flag.sets) == 1 else None
    if field is None or field.default in (None, "", (), FromNoise()):
        return flag.help
    return f"{flag.help} (default {field.default})"


_FIELDS = {field.name: field for field in dataclasses.fields(GenerationRequest)}
