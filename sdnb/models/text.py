"""Text to vectors: tokens in chunks, and what cross-attention reads.

A text encoder has room for 75 tokens between its two marks. Longer prompts are encoded chunk by
chunk, and the network reads all chunks one behind the other.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

import torch
from jaxtyping import Float
from torch import Tensor

from sdnb.conditioning import Conditioning, Token
from sdnb.embedding import Embedding, find_mentions
from sdnb.errors import InvalidField, UnknownName
from sdnb.models.components import Components, Network, TextEncoder, Tokenizer
from sdnb.models.embeddings import Learned, standing_in
from sdnb.prompt import Piece, read_runs
from sdnb.shapes import Embeds, Pooled

Tokens = tuple[Token, ...]

NOWHERE = (0, 0)
"""Span of a mark that is no text."""

NOTHING_LEARNED: Learned = {}


def encode_text(
    components: Components,
    prompts: Sequence[str],
    clip_skip: int = 0,
    syntax: str = "comfyui",
    embeddings: Sequence[Embedding] = (),
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
    embeddings : sequence of Embedding
        Those that the prompts name, as `Embeddings.resolved` returns them.

    Returns
    -------
    Conditioning
        ``embeds`` [B, 77 n, D], float32, of n chunks: as many as the longest prompt has; of
        several encoders side by side along D. ``pooled`` is the last encoder's summary of the
        first chunk. The tokens are the first encoder's: all share a vocabulary.
    """
    components.bring(*(encoder.network for encoder in components.texts))
    read = [
        _read(encoder, tokenize(encoder, prompts, syntax, learned), clip_skip, syntax, learned)
        for encoder in components.texts
        for learned in [components.embeddings.learned(embeddings, encoder.spec.folder)]
    ]
    embeds = torch.cat([each.embeds for each in read], dim=-1)
    return Conditioning(embeds, read[-1].pooled, read[0].tokens)


def _read(
    encoder: TextEncoder,
    rows: tuple[Tokens, ...],
    clip_skip: int,
    syntax: str,
    learned: Learned,
) -> Conditioning:
    """Encode the tokens of prompts with one of the text encoders."""
    layers = encoder.network.config.num_hidden_layers - encoder.spec.skipped
    if clip_skip >= layers:
        raise InvalidField(
            "clip_skip leaves no layer of the text encoder.",
            given=clip_skip,
            allowed=f"0 … {layers - 1}",
        )
    room = encoder.tokenizer.model_max_length
    chunks = [tokens[i : i + room] for tokens in rows for i in range(0, len(tokens), room)]
    embeds, pooled = _vectors(encoder, chunks, clip_skip, learned)
    weights = torch.tensor([[token.weight for token in tokens] for tokens in chunks])
    if not bool((weights == 1).all()):
        embeds = WEIGHINGS[syntax](encoder, embeds, weights[..., None].to(embeds), clip_skip)
    count = len(chunks) // len(rows)
    return Conditioning(embeds.unflatten(0, (-1, count)).flatten(1, 2), pooled[::count], rows)


def _vectors(
    encoder: TextEncoder,
    chunks: Sequence[Sequence[Token]],
    clip_skip: int,
    learned: Learned = NOTHING_LEARNED,
) -> tuple[Embeds, Pooled]:
    """Ask a text encoder about some chunks."""
    network, spec = encoder.network, encoder.spec
    ids = torch.tensor([[max(token.id, 0) for token in tokens] for tokens in chunks])
    with torch.no_grad(), standing_in(network, chunks, learned):
        output = network(ids.to(network.device), output_hidden_states=True)
    embeds = output.hidden_states[-1 - spec.skipped - clip_skip]
    if spec.is_normed:
        # transformers moved the norm out of an inner module in 5.6
        inner: Network = getattr(network, "text_model", network)
        embeds = inner.final_layer_norm(embeds)
    pooled = output.text_embeds if spec.is_projected else output.pooler_output
    return embeds.detach().float(), pooled.detach().float()


def from_nothing(
    encoder: TextEncoder, embeds: Embeds, weights: Float[Tensor, "N L 1"], clip_skip: int
) -> Embeds:
    """Move each vector away from the one that no text at all has there: ComfyUI's meaning."""
    nothing, _ = _vectors(encoder, [_padded(encoder, [])], clip_skip)
    return nothing + weights * (embeds - nothing)


def from_zero(
    _encoder: TextEncoder, embeds: Embeds, weights: Float[Tensor, "N L 1"], _clip_skip: int
) -> Embeds:
    """Scale each vector, then all of a chunk back to their mean: A1111's meaning."""
    scaled = embeds * weights
    return scaled * embeds.mean((1, 2), keepdim=True) / scaled.mean((1, 2), keepdim=True)


WEIGHINGS = {"comfyui": from_nothing, "a1111": from_zero}


def tokenize(
    encoder: TextEncoder,
    prompts: Sequence[str],
    syntax: str = "comfyui",
    learned: Learned = NOTHING_LEARNED,
) -> tuple[Tokens, ...]:
    """Split prompts into an encoder's tokens: as many chunks of 77 for each, with their marks."""
    parted = [_chunks(encoder.tokenizer, prompt, syntax, learned) for prompt in prompts]
    count = max(map(len, parted), default=1)
    return tuple(
        tuple(
            token
            for chunk in [*chunks, *[[]] * (count - len(chunks))]
            for token in _padded(encoder, chunk)
        )
        for chunks in parted
    )


def _chunks(tokenizer: Tokenizer, prompt: str, syntax: str, learned: Learned) -> list[list[Token]]:
    """Part a prompt's tokens; a word begins a new chunk where it would be cut, if it fits there."""
    room = tokenizer.model_max_length - 2
    chunks: list[list[Token]] = []
    for runs in read_runs(prompt, syntax):
        chunks.append([])
        tokens = (_tokens(tokenizer, run, syntax, learned) for run in runs)
        for word in _words(chain.from_iterable(tokens)):
            if len(chunks[-1]) + len(word) > room and len(word) <= room:
                chunks.append([])
            for token in word:
                if len(chunks[-1]) == room:
                    chunks.append([])
                chunks[-1].append(token)
    return chunks


def _tokens(
    tokenizer: Tokenizer, pieces: Sequence[Piece], syntax: str, learned: Learned
) -> Iterator[Token]:
    """Give the tokens of pieces of one weight, with their places in the prompt.

    They are read together, as the same text without backslashes would be.
    """
    text = "".join(piece.text for piece in pieces)
    places = [piece.start + i for piece in pieces for i in range(len(piece.text))]
    begin = 0
    for mention in find_mentions(text, syntax, learned):
        UnknownName.check("embedding", mention.name, learned, "name it to the run: --embedding")
        yield from _plain_tokens(tokenizer, text[begin : mention.start], places[begin:], pieces[0])
        begin = mention.end
        span = places[mention.start], places[mention.end - 1] + 1
        count = len(learned[mention.name])
        for i in range(count):
            end = "</w>" if i == count - 1 else ""  # it is one word
            which, piece = (mention.name, i), text[mention.start : mention.end]
            yield Token(-1, f"{mention.name}{end}", span, pieces[0].weight, piece, which)
    yield from _plain_tokens(tokenizer, text[begin:], places[begin:], pieces[0])


def _plain_tokens(
    tokenizer: Tokenizer, text: str, places: Sequence[int], piece: Piece
) -> Iterator[Token]:
    encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
    ids = encoded["input_ids"]
    names = tokenizer.convert_ids_to_tokens(ids)
    for id, name, (start, end) in zip(ids, names, encoded["offset_mapping"], strict=True):
        span = (places[start], places[end - 1] + 1) if end > start else NOWHERE
        yield Token(id, name, span, piece.weight, text[start:end])


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


def _padded(encoder: TextEncoder, tokens: Sequence[Token]) -> list[Token]:
    """Return a chunk with its marks, filled up to the encoder's positions."""
    tokenizer = encoder.tokenizer
    marks = {
        id: Token(id, tokenizer.convert_ids_to_tokens(id), NOWHERE)
        for id in (tokenizer.bos_token_id, tokenizer.eos_token_id, encoder.pad)
    }
    begun = [marks[tokenizer.bos_token_id], *tokens, marks[tokenizer.eos_token_id]]
    padding = [marks[encoder.pad]] * (tokenizer.model_max_length - len(begun))
    return [*begun, *padding]


def unknown_words(
    components: Components,
    prompt: str,
    syntax: str = "comfyui",
    embeddings: Sequence[Embedding] = (),
) -> tuple[str, ...]:
    """Return the words of a prompt that a small model has never seen, in their order."""
    if components.words is None:
        return ()
    learned = [each.name for each in embeddings]
    said = []
    for run in chain.from_iterable(read_runs(prompt, syntax)):
        text, begin = "".join(piece.text for piece in run), 0
        for mention in find_mentions(text, syntax, learned):
            said.append(text[begin : mention.start])
            begin = mention.end
        said.append(text[begin:])
    words = dict.fromkeys(re.findall(r"[^\W\d_]+", " ".join(said).lower()))
    return tuple(word for word in words if word not in components.words)
