"""``%sd history``: what was drawn before, and whether what is drawn now is kept."""

from dataclasses import replace
from typing import TYPE_CHECKING

from sdnb.errors import InvalidField, SdnbError
from sdnb.magics.command import Call, CommandFlag, read_flags
from sdnb.magics.session import Session
from sdnb.registry import SAMPLERS

if TYPE_CHECKING:
    import sdnb.records.entries
    from sdnb.comparison.compare import Comparison
    from sdnb.result import Result

LIMIT = 20
HISTORY_FLAGS = (
    CommandFlag(
        name="--sampler",
        takes="NAME",
        help="only those of this sampler",
        example="heun",
        values=SAMPLERS.names,
    ),
    CommandFlag(
        name="--limit",
        takes="N",
        help=f"how many, the newest first (default {LIMIT})",
        example="50",
        read=int,
    ),
)


def show_history(call: Call) -> "sdnb.records.entries.Entries":
    """List what was drawn before, of all notebooks, by words of its prompt."""
    from sdnb.records.history import history

    is_flag = [word.is_flag for word in call.words]
    begin = is_flag.index(True) if True in is_flag else len(is_flag)
    text = " ".join(word.text for word in call.words[:begin])
    flags = read_flags(replace(call, words=call.words[begin:]), "history", HISTORY_FLAGS)
    sampler, limit = str(flags.get("sampler", "")), flags.get("limit", LIMIT)
    if not isinstance(limit, int):
        raise InvalidField("limit is a whole number.", given=limit, fix="--limit 50")
    return history.search(text, sampler=sampler, limit=limit)


def keep_result(result: "Result", session: Session) -> "Result":
    """Keep a result in the history, unless that is off; why it could not be is a notice."""
    try:
        why_not = _history().keep(result) if session.history_budget else ""
    except SdnbError as error:
        why_not = error.what
    return replace(result, notices=(*result.notices, why_not)) if why_not else result


def keep_cells(comparison: "Comparison", session: Session) -> str:
    """Have a comparison keep its cells as they end, unless that is off; return why it cannot."""
    try:
        comparison.history = _history() if session.history_budget else None
    except SdnbError as error:
        comparison.history = None
        return error.what
    return ""


def _history() -> "sdnb.records.history.History":
    from sdnb.records.history import history

    return history
