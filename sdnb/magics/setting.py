"""``%sd set``: the defaults of the notebook, and what is the user's own and no request's.

Where defaults are kept for later notebooks is in `settings`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from sdnb.errors import InvalidField
from sdnb.i18n import LANGUAGES, keep_language, set_language
from sdnb.magics.command import Call
from sdnb.magics.options import read_options
from sdnb.magics.page import Page
from sdnb.magics.parse import order_of
from sdnb.magics.session import Session
from sdnb.magics.settings import write_settings
from sdnb.magics.words import Word
from sdnb.models.model_folders import keep_models, model_folders, use_models
from sdnb.picture import FromNoise, Inpaint
from sdnb.records.budget import BUDGET, keep_budget, kept_budget, read_budget
from sdnb.request import GenerationRequest
from sdnb.written import format_flags

KEEP = Word("--keep")


def set_models(_session: Session, value: str, is_kept: bool) -> Iterator[str]:
    """Add a folder whose checkpoints load by their names."""
    if is_kept:
        yield f"kept in {keep_models(Path(value))}"
    use_models(Path(value))
    yield f"models: {', '.join(map(str, model_folders()))}"


def set_spoken(_session: Session, value: str, is_kept: bool) -> Iterator[str]:
    """Speak another language in panels and plots."""
    set_language(value)
    yield f"language: {value}"
    if is_kept:
        yield f"kept in {keep_language(value)}"


def set_history(session: Session, value: str, is_kept: bool) -> Iterator[str]:
    """Remember results, or not. Their budget is one for all notebooks: it changes when kept."""
    budget = read_budget(value)
    if is_kept:
        yield f"kept in {keep_budget(budget)}"
    session.history_budget = budget
    if not budget:
        yield "history: off"
        return
    most = kept_budget() or BUDGET
    why = "" if most == budget else "; another size needs --keep: it holds for all notebooks"
    yield f"history: up to {most:g} MB{why}"


@dataclass(frozen=True)
class Own:
    """A flag of ``%sd set`` that is no request's: what it takes, and what it does."""

    takes: str
    allowed: str
    example: str
    apply: Callable[[Session, str, bool], Iterator[str]]


OWN: Mapping[str, Own] = MappingProxyType(
    {
        "--models": Own(
            "a folder",
            "a folder whose checkpoints then load by their names",
            "~/stable-diffusion-webui/models",
            set_models,
        ),
        "--language": Own("a language", ", ".join(LANGUAGES), "es", set_spoken),
        "--history": Own("a budget", "on, off or a number of MB", "off", set_history),
    }
)


def set_defaults(call: Call) -> Page:
    """Change the defaults of this notebook; ``--keep``: of later ones too."""
    is_kept = KEEP in call.words
    words: Sequence[Word] = [word for word in call.words if word != KEEP]
    given: dict[str, str] = {}
    for flag in OWN:
        words = _taken(words, flag, given)
    options, rest = read_options(words)
    if rest or {"name", "axes"} & options.keys():
        raise InvalidField(
            "%sd set takes flags of the request.",
            given=" ".join(word.text for word in (rest or call.words)),
            allowed=f"every flag but -o and --compare, and {', '.join(OWN)}, --keep",
            fix="%sd set --steps 30",
        )
    session = call.session
    defaults = order_of(options, session.defaults)
    lines = [line for flag in given for line in OWN[flag].apply(session, given[flag], is_kept)]
    session.defaults = defaults
    if "seed" in options:
        session.next_seed = None
    lines.append(f"defaults: {told_defaults(session)}")
    if is_kept and (options or not given):
        lines.append(f"kept in {write_settings(session.defaults)}")
    return Page("\n".join(lines))


def _taken(words: Sequence[Word], flag: str, given: dict[str, str]) -> Sequence[Word]:
    """Take a flag with its value out of some words."""
    if Word(flag) not in words:
        return words
    place = words.index(Word(flag))
    if place + 1 == len(words) or words[place + 1].is_flag:
        own = OWN[flag]
        raise InvalidField(
            f"{flag} needs {own.takes}.",
            allowed=own.allowed,
            fix=f"%sd set {flag} {own.example} --keep",
        )
    given[flag] = words[place + 1].text
    return [*words[:place], *words[place + 2 :]]


def told_defaults(session: Session) -> str:
    """Return the defaults of a notebook as flags."""
    order = session.defaults
    flags = format_flags(order.request, beside=GenerationRequest())
    start = order.request.start
    image = "" if start == FromNoise() else "--image (a picture)"
    mask = "--mask (a picture)" if isinstance(start, Inpaint) else ""
    controls = [f"--control (a picture):{each}" for each in order.request.controls]
    controls += [f"--ip-adapter (a picture):{each}" for each in order.request.ip_adapters]
    after = "" if order.after == "randomize" else f"--after {order.after}"
    return " ".join(filter(None, (flags, image, mask, *controls, after))) or "the built-in ones"
