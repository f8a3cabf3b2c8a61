"""The subcommands of ``%sd``: one function each, and the table that names them.

A new one is a function and its line in `COMMANDS`: help and completion read the table.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sdnb.magics.checkpoints import LOAD_FLAGS, list_checkpoints, load_model, unload_model
from sdnb.magics.command import Call, Command, misused
from sdnb.magics.comparing import (
    COMPARE_FLAGS,
    SCORES_FLAGS,
    SWEEP_FLAGS,
    resume_comparison,
    show_comparison,
    show_flip_book,
    show_scores,
    show_sweep,
)
from sdnb.magics.encoding import (
    NEAREST_FLAGS,
    TOKENS_FLAGS,
    VAE_FLAGS,
    show_nearest,
    show_tokens,
    show_vae,
)
from sdnb.magics.help import explain, overview
from sdnb.magics.looking import (
    ATTENTION_FLAGS,
    FILM_FLAGS,
    INSPECT_FLAGS,
    LATENTS_FLAGS,
    results_at_hand,
    show_attention,
    show_film,
    show_inspection,
    show_latents,
)
from sdnb.magics.measuring import (
    CONVERGENCE_FLAGS,
    SAMPLERS_FLAGS,
    SCHEDULES_FLAGS,
    show_convergence,
    show_samplers,
    show_schedules,
)
from sdnb.magics.page import Page, aligned
from sdnb.magics.panel import PANELS, open_panel
from sdnb.magics.recalling import RECALL_FLAGS, recall
from sdnb.magics.remembering import HISTORY_FLAGS, show_history
from sdnb.magics.saving import SAVE_FLAGS, save_result
from sdnb.magics.setting import set_defaults, told_defaults
from sdnb.magics.words import Word

if TYPE_CHECKING:
    import sdnb.comparison.tree


def show_info(call: Call) -> Page:
    """Show what is loaded, and the defaults."""
    _texts(call, "%sd info", most=0)
    session = call.session
    facts = dict(session.pipeline(session.defaults.request.checkpoint).info())
    return Page(aligned({**facts, "defaults": told_defaults(session)}))


def show_tree(call: Call) -> "sdnb.comparison.tree.Tree":
    """Draw the results of this notebook under those they branched from."""
    _texts(call, "%sd tree", most=0)
    from sdnb.comparison.tree import tree

    return tree(results_at_hand(call))


def show_help(call: Call) -> Page:
    """Show the whole help, or about one name."""
    names = [word.text for word in call.words]
    if len(names) > 1:
        _texts(call, "%sd help sampler")
    if names and names[0] in COMMANDS:
        return Page(_explained(names[0]))
    return Page(explain(names[0], usages()) if names else overview(usages()))


def _explained(name: str) -> str:
    command = COMMANDS[name]
    lines = [f"%sd {name} {command.takes}".strip(), command.help]
    if command.flags:
        lines += ["", aligned({flag.usage: flag.help for flag in command.flags}, "  ")]
        used = (f"{flag.name} {flag.example}" for flag in command.flags if flag.example)
        lines += ["", f"for example %sd {name} {command.example or next(used)}"]
    return "\n".join(lines)


COMMANDS: dict[str, Command] = {
    "load": Command(
        load_model,
        "REF [FLAGS]",
        "draw with another checkpoint from now on",
        LOAD_FLAGS,
        example="tiny",
    ),
    "unload": Command(unload_model, "", "free the memory of the loaded checkpoint"),
    "checkpoints": Command(
        list_checkpoints, "[FOLDER]", "what can be loaded, here or in the model folders"
    ),
    "info": Command(show_info, "", "what is loaded, and the defaults"),
    "panel": Command(open_panel, "[NAME=studio]", ", ".join(PANELS)),
    "set": Command(
        set_defaults,
        "[FLAGS] [--keep]",
        "defaults, --models DIR, --language es, --history off; --keep: for later notebooks",
    ),
    "save": Command(
        save_result,
        "[PATH] [FLAGS]",
        "the last pictures, as PNG (.webp, .jpg) with their request; --workflow: for ComfyUI",
        SAVE_FLAGS,
        example="cats/cat.json --workflow",
    ),
    "recall": Command(
        recall,
        "FILE [FLAGS]",
        "how a picture or workflow was made; fills in the cell that draws it",
        RECALL_FLAGS,
        example="sdnb-7.png",
    ),
    "history": Command(
        show_history,
        "[TEXT] [FLAGS]",
        "what was drawn before, in any notebook; recall #7 gives number 7 back",
        HISTORY_FLAGS,
        example="red circle --limit 50",
    ),
    "schedules": Command(
        show_schedules, "[FLAGS]", "which noise levels schedules visit", SCHEDULES_FLAGS
    ),
    "samplers": Command(
        show_samplers, "[FLAGS]", "the table of samplers; --measure: their cost", SAMPLERS_FLAGS
    ),
    "convergence": Command(
        show_convergence, "[FLAGS]", "error against the number of evaluations", CONVERGENCE_FLAGS
    ),
    "compare": Command(
        show_comparison,
        "FLAG=A,B ... [FLAGS]",
        "the last picture's request with all combinations of these values",
        COMPARE_FLAGS,
        example="sampler=ddim,heun steps=5,10,20",
    ),
    "sweep": Command(
        show_sweep,
        "FLAG=A,B ... [FLAGS]",
        "the same on a Dask cluster, or by one process per core",
        SWEEP_FLAGS,
        example="sampler=ddim,heun steps=5,10,20",
    ),
    "resume": Command(resume_comparison, "", "what an interrupt left of the last comparison"),
    "scores": Command(
        show_scores,
        "[FLAGS]",
        "the last comparison in numbers: cost, and distance to where all cells want to go",
        SCORES_FLAGS,
    ),
    "flip": Command(
        show_flip_book, "", "the last comparison, a slider for each axis and one for the step"
    ),
    "film": Command(show_film, "[FLAGS]", "the last picture forming, step by step", FILM_FLAGS),
    "latents": Command(
        show_latents, "[FLAGS]", "the channels of the last picture's latents", LATENTS_FLAGS
    ),
    "attention": Command(
        show_attention,
        "[FLAGS]",
        "which places attend to the words of the last prompt (makes the run again)",
        ATTENTION_FLAGS,
    ),
    "inspect": Command(
        show_inspection, "[FLAGS]", "one question to the network, from all sides", INSPECT_FLAGS
    ),
    "tokens": Command(
        show_tokens,
        "[TEXT] [FLAGS]",
        "a text, or the last prompt, as characters, words and tokens",
        TOKENS_FLAGS,
        example="a large blue house",
    ),
    "nearest": Command(
        show_nearest, "WORD [FLAGS]", "the tokens nearest to a word", NEAREST_FLAGS, example="red"
    ),
    "vae": Command(
        show_vae, "[FLAGS]", "a picture, its latents, and what the VAE loses of it", VAE_FLAGS
    ),
    "tree": Command(show_tree, "", "which results branched from which"),
    "help": Command(show_help, "[NAME]", "this text, or about one flag, sampler, schedule"),
}
_HELP = (Word("--help"), Word("-h"))


def find_command(words: Sequence[Word]) -> tuple[Command, Sequence[Word]] | None:
    """Return the subcommand that a line starts with, and its words; None for a prompt.

    An empty line and ``--help`` anywhere ask for help. A quoted word is a prompt's.
    """
    if not words or any(word in _HELP for word in words):
        return COMMANDS["help"], ()
    first = words[0]
    if first.is_quoted or first.text not in COMMANDS:
        return None
    return COMMANDS[first.text], words[1:]


def usages() -> dict[str, str]:
    """Return usage -> help of every subcommand."""
    return {
        f"%sd {name} {command.takes}".strip(): command.help for name, command in COMMANDS.items()
    }


def _texts(call: Call, example: str, *, least: int = 0, most: int = 1) -> list[str]:
    texts = [word.text for word in call.words]
    flags = [word.text for word in call.words if word.is_flag]
    if flags or not least <= len(texts) <= most:
        raise misused(example.split()[1], call, ", ".join(usages()), example)
    return texts
