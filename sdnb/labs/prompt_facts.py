"""What a prompt is to a checkpoint, before anything is drawn: its tokens, and unknown words."""

from dataclasses import dataclass

from sdnb.models.components import Components
from sdnb.models.text import NOWHERE, tokenize, unknown_words
from sdnb.prompt import edited


@dataclass(frozen=True)
class PromptFacts:
    """How long a prompt is.

    Parameters
    ----------
    count : int
        Tokens, of the longest text that it becomes in a run.
    room : int
        What the chunks it is split into have room for, 75 each.
    unknown : tuple of str
        Words that a small checkpoint has never seen.
    """

    count: int
    room: int
    unknown: tuple[str, ...] = ()


def read_prompt(components: Components, prompt: str) -> PromptFacts:
    """Count a prompt's tokens as a run would."""
    encoder = components.texts[0]
    each = encoder.tokenizer.model_max_length - 2
    texts = [text for _, text in edited(prompt, 20, "comfyui")]
    rows = [row for text in texts for row in tokenize(encoder, [text])]
    counts = [sum(token.span != NOWHERE for token in row) for row in rows]
    chunks = max(len(row) // encoder.tokenizer.model_max_length for row in rows)
    return PromptFacts(max(counts), each * chunks, unknown_words(components, prompt))
