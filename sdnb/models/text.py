"""Text to vectors: tokens in chunks, and what cross-attention reads.

A text encoder has room for 75 tokens between its two marks. Longer prompts are encoded chunk by
chunk, and the network reads all chunks one behind the other.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

import torch
from jaxtyping import Float, Int
from torch import Tensor

from sdnb.conditioning import Conditioning, Token
from sdnb.errors import InvalidField
from sdnb.models.components import Components, Network
from sdnb.prompt import Piece, read_chunks
from sdnb.shapes import Embeds, Pooled

Tokens = tuple[Token, ...]

NOWHERE = (0, 0)
"""Span of a mark that is no text."""


def encode_text(
    components: Components,
    prompts: Sequence[str],
    clip_skip: int = 0,
    syntax: str = "comfyui",
) -> Conditioning:
    """Encode one prompt for each image.

    Parameters
    ----------
    prompts : sequence of str
        B texts of any length.
    clip_skip : int
        How many of the encoder's last layers are left out.
    syntax : str
        What brackets mean: one of `sdnb.prompt.SYNTAXES`.

    Returns
    -------
    Conditioning
        ``embeds`` [B, 77 n, D] after the final layer norm, float32, of n chunks: as many as
        the longest prompt has. ``pooled`` is the first chunk's.
    """
    encoder = components.text_encoder
    if clip_skip >= encoder.config.num_hidden_layers:
        raise InvalidField(
            "clip_skip leaves no layer of the text encoder.",
            given=clip_skip,
            allowed=f"0 … {encoder.config.num_hidden_layers - 1}",
        )
    rows = tokenize(components, prompts, syntax)
    ids = torch.tensor([[token.id for token in tokens] for tokens in rows])
    room = components.tokenizer.model_max_length
    embeds, pooled = _vectors(components, ids.reshape(-1, room), clip_skip)
    weights = torch.tensor([[token.weight for token in tokens] for tokens in rows])
    if not bool((weights == 1).all()):
        weights = weights.reshape(-1, room, 1).to(embeds)
        embeds = WEIGHINGS[syntax](components, embeds, weights, clip_skip)
    chunks = ids.shape[1] // room
    return Conditioning(embeds.unflatten(0, (-1, chunks)).flatten(1, 2), pooled[::chunks], rows)


def _vectors(
    components: Components, ids: Int[Tensor, "N L"], clip_skip: int
) -> tuple[Embeds, Pooled]:
    """Ask the text encoder about some chunks."""
    encoder = components.text_encoder
    with torch.no_grad():
        output = encoder(ids.to(components.device), output_hidden_states=True)
    # transformers moved the norm out of an inner module in 5.6
    inner: Network = getattr(encoder, "text_model", encoder)
    embeds = inner.final_layer_norm(output.hidden_states[-1 - clip_skip]).detach()
    return embeds.float(), output.pooler_output.float()


def from_nothing(
    components: Components, embeds: Embeds, weights: Float[Tensor, "N L 1"], clip_skip: int
) -> Embeds:
    """Move each vector away from the one that no text at all has there: ComfyUI's meaning."""
    ids = torch.tensor([[token.id for token in _padded(components, [])]])
    nothing, _ = _vectors(components, ids, clip_skip)
    return nothing + weights * (embeds - nothing)


def from_zero(
    _components: Components, embeds: Embeds, weights: Float[Tensor, "N L 1"], _clip_skip: int
) -> Embeds:
    """Scale each vector, then all of a chunk back to their mean: A1111's meaning."""
    scaled = embeds * weights
    return scaled * embeds.mean((1, 2), keepdim=True) / scaled.mean((1, 2), keepdim=True)


WEIGHINGS = {"comfyui": from_nothing, "a1111": from_zero}


def tokenize(
    components: Components, prompts: Sequence[str], syntax: str = "comfyui"
) -> tuple[Tokens, ...]:
    """Split prompts into the encoder's tokens: as many chunks of 77 for each, with their marks."""
    parted = [_chunks(components, prompt, syntax) for prompt in prompts]
    count = max(map(len, parted), default=1)
    return tuple(
        tuple(
            token
            for chunk in [*chunks, *[[]] * (count - len(chunks))]
            for token in _padded(components, chunk)
        )
        for chunks in parted
    )


def _chunks(components: Components, prompt: str, syntax: str) -> list[list[Token]]:
    """Part a prompt's tokens; a word begins a new chunk where it would be cut, if it fits there."""
    room = components.tokenizer.model_max_length - 2
    chunks: list[list[Token]] = []
    for pieces in read_chunks(prompt, syntax):
        chunks.append([])
        runs = _touching(prompt, pieces)
        for word in _words(chain.from_iterable(_tokens(components, run) for run in runs)):
            if len(chunks[-1]) + len(word) > room and len(word) <= room:
                chunks.append([])
            for token in word:
                if len(chunks[-1]) == room:
                    chunks.append([])
                chunks[-1].append(token)
    return chunks


def _touching(prompt: str, pieces: Sequence[Piece]) -> list[list[Piece]]:
    """Gather pieces of one weight that have nothing between them but a dropped backslash."""
    runs: list[list[Piece]] = []
    end = 0
    for piece in pieces:
        touches = prompt[end : piece.start] in ("", "\\")
        if runs and touches and piece.weight == runs[-1][-1].weight:
            runs[-1].append(piece)
        else:
            runs.append([piece])
        end = piece.start + len(piece.text)
    return runs


def _tokens(components: Components, pieces: Sequence[Piece]) -> Iterator[Token]:
    """Give the tokens of pieces of one weight, with their places in the prompt.

    They are read together, as the same text without backslashes would be.
    """
    tokenizer, text = components.tokenizer, "".join(piece.text for piece in pieces)
    places = [piece.start + i for piece in pieces for i in range(len(piece.text))]
    encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
    ids = encoded["input_ids"]
    names = tokenizer.convert_ids_to_tokens(ids)
    for id, name, (start, end) in zip(ids, names, encoded["offset_mapping"], strict=True):
        span = (places[start], places[end - 1] + 1) if end > start else NOWHERE
        yield Token(id, name, span, pieces[0].weight, text[start:end])


def _words(tokens: Iterable[Token]) -> Iterator[list[Token]]:
    """Gather the tokens of each word: its last one says so, in CLIP's manner."""
    word: list[Token] = []
    for token in tokens:
        word.append(token)
        if token.text.endswith("</w>"):
            yield word
            word = []
    if word:
        yield word


def _padded(components: Components, tokens: Sequence[Token]) -> list[Token]:
    """Return a chunk with its marks, filled up to the encoder's positions."""
    tokenizer = components.tokenizer
    marks = {
        id: Token(id, tokenizer.convert_ids_to_tokens(id), NOWHERE)
        for id in (tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id)
    }
    begun = [marks[tokenizer.bos_token_id], *tokens, marks[tokenizer.eos_token_id]]
    padding = [marks[tokenizer.pad_token_id]] * (tokenizer.model_max_length - len(begun))
    return [*begun, *padding]


def unknown_words(components: Components, prompt: str, syntax: str = "comfyui") -> tuple[str, ...]:
    """Return the words of a prompt that a small model has never seen, in their order."""
    if components.words is None:
        return ()
    said = " ".join(piece.text for chunk in read_chunks(prompt, syntax) for piece in chunk)
    words = dict.fromkeys(re.findall(r"[^\W\d_]+", said.lower()))
    return tuple(word for word in words if word not in components.words)
