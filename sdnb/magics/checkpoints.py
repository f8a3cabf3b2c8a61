"""Which checkpoint draws: load one, see what is loaded and what there is, free the memory."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from sdnb.errors import UnknownName
from sdnb.magics.command import Call, CommandFlag, misused, read_flags
from sdnb.magics.page import Page, aligned
from sdnb.magics.words import Word

if TYPE_CHECKING:
    import sdnb.models.library

LOAD_FLAGS = (
    CommandFlag(
        name="--vae",
        takes="REF",
        help="another VAE than its own: a file or folder",
        example="f.safetensors",
    ),
    CommandFlag(
        name="--device",
        takes="NAME",
        help="where it computes; else the first that is there",
        example="cpu",
        values=lambda: ("cuda", "mps", "cpu"),
    ),
    CommandFlag(
        name="--dtype",
        takes="NAME",
        help="of the U-Net; else float16, on a CPU float32",
        example="bfloat16",
        values=lambda: ("float16", "bfloat16", "float32"),
    ),
    CommandFlag(name="--compile", takes="", help="compile the U-Net: slow at first, then faster"),
    CommandFlag(
        name="--offload", takes="", help="for small cards: only what computes is on the device"
    ),
    CommandFlag(
        name="--allow-pickle", takes="", help="read tensors out of a .ckpt, if you trust it"
    ),
)


def load_model(call: Call) -> Page:
    """Load a checkpoint; it is drawn with from now on."""
    reference, options = _reference(call)
    session = call.session
    pipeline = session.load(reference, **options)
    session.checkpoint = reference
    request = session.defaults.request.changed(checkpoint=None)  # a default would win over it
    session.defaults = replace(session.defaults, request=request)
    return Page(aligned(dict(pipeline.info())))


def unload_model(call: Call) -> Page:
    """Let go of the loaded checkpoint and free its memory."""
    read_flags(call, "unload", ())
    loaded = call.session.loaded
    if loaded is None:
        return Page("nothing is loaded")
    if call.session.unload():
        return Page(f"{loaded} is unloaded; the next cell loads it again")
    return Page(
        f"{loaded} is unloaded here, but something of this notebook still holds it: "
        "a pipeline or run in a variable, or a comparison"
    )


def list_checkpoints(call: Call) -> "sdnb.models.library.Checkpoints":
    """List what can be loaded: of a folder, or of the model folders."""
    if len(call.words) > 1:
        allowed = "%sd checkpoints [FOLDER]; a folder with spaces in its name in quotes"
        raise misused("checkpoints", call, allowed, "%sd checkpoints ~/models")
    from sdnb.models.library import checkpoints

    return checkpoints(*(word.text for word in call.words))


def _reference(call: Call) -> tuple[str, dict[str, object]]:
    """Part the words into a reference and flags, in any order."""
    known = [flag.name for flag in LOAD_FLAGS]
    for word in call.words:
        if word.is_flag:
            UnknownName.check("flag of %sd load", word.text, known, fix="%sd help load")
    names = [
        i for i, word in enumerate(call.words) if not word.is_flag and not _is_value(call.words, i)
    ]
    if len(names) != 1:
        allowed = "tiny, a file, a folder, a name that %sd checkpoints lists, org/name of the hub"
        raise misused("load", call, allowed, "%sd load tiny")
    (place,) = names
    words = [*call.words[:place], *call.words[place + 1 :]]
    options = read_flags(replace(call, words=words), "load", LOAD_FLAGS)
    options = {name.replace("-", "_"): value for name, value in options.items()}
    return call.words[place].text, options


def _is_value(words: Sequence[Word], place: int) -> bool:
    """Whether a word is what the flag before it takes."""
    taking = {flag.name for flag in LOAD_FLAGS if flag.takes}
    return place > 0 and words[place - 1].text in taking
