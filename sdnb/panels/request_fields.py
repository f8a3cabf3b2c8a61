"""The fields of a request on a page: which there are, what stands in them, what is said of them."""

from collections.abc import Callable, Container, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from sdnb.i18n import tr
from sdnb.panels.pictures import data_url, jpeg
from sdnb.picture import Picture
from sdnb.registry import SAMPLERS, SCHEDULES
from sdnb.seeds import AFTER

if TYPE_CHECKING:
    import sdnb.labs.form
    import sdnb.labs.prompt_facts

FIELDS: dict[str, dict[str, object]] = {
    "prompt": {"kind": "text", "rows": 3},
    "negative_prompt": {"kind": "text", "rows": 1},
    "width": {"kind": "number", "span": 3, "min": 8, "step": 8},
    "height": {"kind": "number", "span": 3, "min": 8, "step": 8},
    "steps": {"kind": "number", "span": 3, "min": 1, "step": 1},
    "cfg_scale": {"kind": "number", "span": 3, "step": 0.5},
    "sampler": {"kind": "choice", "has_options": True},
    "schedule": {"kind": "choice", "has_options": True},
    "checkpoint": {"kind": "choice"},
    "seed": {"kind": "number", "span": 6, "min": 0, "step": 1},
    "after": {"kind": "choice", "span": 6},
    "image": {"kind": "picture"},
    "mask": {"kind": "picture"},
    "denoise": {"kind": "number", "min": 0, "max": 1, "step": 0.05},
    "loras": {"kind": "text", "rows": 2},
}
GROUPS = {
    "": (
        *("prompt", "negative_prompt", "width", "height", "steps", "cfg_scale"),
        *("sampler", "schedule", "checkpoint", "seed", "after"),
    ),
    "start": ("image", "mask", "denoise"),
    "style": ("loras",),
}


def described_fields(checkpoints: Sequence[str]) -> list[dict[str, object]]:
    """Return groups of fields as `Surface.fields` takes them; ``checkpoints`` are offered."""
    offered = {"checkpoint": {"options": [(each, each) for each in checkpoints]}}
    return [
        _group(name, [{**described_field(each), **offered.get(each, {})} for each in fields])
        for name, fields in GROUPS.items()
    ]


def described_group(
    name: str, fields: Sequence[str], more: Sequence[dict[str, object]] = ()
) -> dict[str, object]:
    """Return a group of fields, and ``more`` of them; one without a name is always open."""
    return _group(name, [*map(described_field, fields), *more])


def _group(name: str, fields: list[dict[str, object]]) -> dict[str, object]:
    return {"name": name, "label": tr(f"studio.{name}") if name else "", "fields": fields}


def described_field(name: str) -> dict[str, object]:
    """Return a field of the request as `Surface.fields` takes it."""
    names = {"sampler": SAMPLERS.names(), "schedule": SCHEDULES.names()}.get(name, ())
    options = [(each, each) for each in names]
    if name == "after":
        options = [(each, tr(f"studio.after_{each}")) for each in AFTER]
    hint = tr(f"studio.{name}_hint") if name in ("seed", "loras") else None
    said = {"label": tr(f"studio.{name}"), "hint": hint, "options": options}
    return {"name": name, **said, **FIELDS[name]}


def type_into(
    form: "sdnb.labs.form.Form", message: Mapping[str, object], names: Container[object] = FIELDS
) -> None:
    """Type what a page says into a field, by one of the names; what no page of ours says, nowhere.

    Pages send texts; of a picture, only that there is none any more.
    """
    name, value = message.get("name"), message.get("value")
    if not isinstance(name, str) or name not in names:
        return
    if value is None if FIELDS[name]["kind"] == "picture" else isinstance(value, str):
        form.type({name: value})


def field_values(form: "sdnb.labs.form.Form") -> dict[str, object]:
    """Return what stands in the fields; a picture as its small image."""
    values = {name: getattr(form, name) for name in FIELDS}
    for name in ("image", "mask"):
        picture = values[name]
        values[name] = None if picture is None else _thumbnail(picture)
    return values


def field_notes(
    form: "sdnb.labs.form.Form", read: "Callable[[str], sdnb.labs.prompt_facts.PromptFacts]"
) -> dict[str, object]:
    """Return what there is to say of the fields; ``read`` counts a prompt's tokens."""
    notes: dict[str, object] = {}
    for name in ("prompt", "negative_prompt"):
        facts = read(str(getattr(form, name)))
        notes[name] = {
            "count": facts.count,
            "room": facts.room,
            "text": tr("studio.tokens", count=facts.count, room=facts.room),
            "marked": facts.unknown,
            "about": tr("studio.unknown"),
        }
    for name in ("sampler", "schedule"):
        options = form.options(name).items()
        written = " ".join(f"{key}={value}" for key, value in options if value is not None)
        notes[name] = {"placeholder": written or tr("studio.no_options")}
    return notes


@lru_cache(maxsize=8)  # asked for with each key that is typed
def _thumbnail(picture: Picture) -> str:
    return data_url(jpeg(picture.open(), widest=128))
