"""``%sd tokens``, ``%sd nearest``, ``%sd vae``: what texts and pictures are for the networks.

What is shown is computed in `sdnb.comparison` and drawn by `sdnb.plots`; both are imported when
a subcommand runs.
"""

from dataclasses import replace
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from sdnb.i18n import tr
from sdnb.magics.command import Call, CommandFlag, misused
from sdnb.magics.working import at_work, given, last_request
from sdnb.picture import Picture
from sdnb.prompt import SYNTAXES

if TYPE_CHECKING:
    import sdnb.comparison.tokens
    import sdnb.plots.figure


def _count(text: str) -> int:
    count = int(text)
    if count < 1:
        raise ValueError(f"{count} tokens")
    return count


_ENCODER = CommandFlag(
    name="--encoder",
    takes="I",
    help="which text encoder of the checkpoint, from 0 (default 0)",
    example="1",
    read=int,
)
TOKENS_FLAGS = (
    CommandFlag(
        name="--syntax",
        takes="SYNTAX",
        help=f"what brackets mean: {', '.join(SYNTAXES)} (default as drawing)",
        example="plain",
        values=lambda: tuple(SYNTAXES),
    ),
    _ENCODER,
)
NEAREST_FLAGS = (
    CommandFlag(
        name="--count",
        takes="N",
        help="how many tokens, 1 or more (default 8)",
        example="20",
        read=_count,
    ),
    _ENCODER,
)
VAE_FLAGS = (
    CommandFlag(
        name="--image",
        takes="FILE",
        help="a picture, at its own size (default the last one drawn, the first of its batch)",
        example="cat.png",
        read=Picture.read,
    ),
)


def show_tokens(call: Call) -> "sdnb.comparison.tokens.Split":
    """Show a text as characters, words and tokens; the last prompt, if none is given."""
    text, flags = _text_and_flags(call, "tokens", TOKENS_FLAGS)
    request = last_request(call)
    from sdnb.comparison.tokens import split_text

    with at_work(call, request, tr("live.tokens")) as pipe:
        return split_text(
            pipe,
            text or request.prompt,
            syntax=flags.get("syntax", request.syntax),
            encoder=flags.get("encoder", 0),
            embeddings=request.embeddings,
        )


def show_nearest(call: Call) -> "sdnb.plots.figure.Figure":
    """Draw which tokens of the vocabulary lie nearest to a word."""
    word, flags = _text_and_flags(call, "nearest", NEAREST_FLAGS)
    if not word:
        raise misused("nearest", call, "a word, or several", "%sd nearest red")
    from sdnb.comparison.text import nearest_tokens
    from sdnb.plots.vectors import plot_nearest

    count, encoder = flags.get("count", 8), flags.get("encoder", 0)
    with at_work(call, last_request(call), tr("live.nearest")) as pipe:
        found = nearest_tokens(pipe, word, count=count, encoder=encoder)
    return plot_nearest(found, title=tr("vectors.nearest", word=word))


def show_vae(call: Call) -> "sdnb.plots.figure.Figure":
    """Draw a picture, its latents, and what the VAE makes of them again."""
    flags = given(call, "vae", VAE_FLAGS)
    from sdnb.comparison.latent_space import round_trip
    from sdnb.plots.latent_space import plot_round_trip

    own = None if "image" in flags else call.session.last_result().images[0]
    picture = own or flags["image"].open()
    with at_work(call, last_request(call), tr("live.vae")) as pipe:
        return plot_round_trip(round_trip(pipe, picture))


# The values are those that the flags' own `read` gave: of as many types.
def _text_and_flags(
    call: Call, name: str, flags: tuple[CommandFlag, ...]
) -> tuple[str, dict[str, Any]]:
    """Return the words before the first flag as one text, and the flags."""
    words = list(takewhile(lambda word: not word.is_flag, call.words))
    rest = replace(call, words=call.words[len(words) :])
    return " ".join(word.text for word in words), given(rest, name, flags)
