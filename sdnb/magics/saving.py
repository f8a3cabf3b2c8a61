"""``%sd save``: what was drawn last, as files that carry its request, or as a ComfyUI workflow."""

from dataclasses import replace

from sdnb.errors import InvalidField
from sdnb.magics.command import Call, CommandFlag, misused, read_flags
from sdnb.magics.page import Page
from sdnb.magics.session import Session

_WORKFLOW = "workflow.json"
SAVE_FLAGS = (
    CommandFlag(
        name="--workflow",
        takes="",
        help=f"a ComfyUI workflow that draws the same, in their place (default {_WORKFLOW})",
    ),
)


def save_result(call: Call) -> Page:
    """Write the last pictures as files that carry their request; a comparison as one."""
    names = [word.text for word in call.words if not word.is_flag]
    if len(names) > 1:
        raise misused("save", call, "%sd save [FOLDER or FILE] [--workflow]", "%sd save pictures")
    flags = [word for word in call.words if word.is_flag]
    write = _save_workflow if read_flags(replace(call, words=flags), "save", SAVE_FLAGS) else _save
    return write(names[0] if names else "", call.session)


def _save(name: str, session: Session) -> Page:
    place, comparison = name or "pictures", session.comparison
    if comparison is not None and session.latest is comparison:
        is_file = place.lower().endswith((".png", ".webp"))
        paths = comparison.save(place if is_file else f"{place}/comparison.png")
    else:
        paths = session.last_result().save(place)
    return Page("\n".join(map(str, paths)))


def _save_workflow(name: str, session: Session) -> Page:
    """Write the last request as a workflow, with its pictures; say what cannot match there."""
    if session.comparison is not None and session.latest is session.comparison:
        raise InvalidField(
            "a workflow draws one picture, and what was drawn last is a comparison.",
            given="%sd save --workflow",
            allowed="one picture",
            fix="save a cell of it, then in Python sdnb.read(PICTURE).workflow().save(FILE)",
        )
    request = session.last_result().request
    from sdnb.records.comfyui_export import write_workflow
    from sdnb.records.report import as_text

    exported = write_workflow(request)
    is_file = not name or name.lower().endswith(".json")
    paths = exported.save(name or _WORKFLOW if is_file else f"{name}/{_WORKFLOW}")
    return Page("\n\n".join(["\n".join(map(str, paths)), *as_text(exported.differences)]))
