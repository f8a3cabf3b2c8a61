"""What a text becomes on its way to the U-Net: vectors of tokens, of each layer, of the whole.

How it is split into tokens is in `sdnb.comparison.tokens`; what can be asked of vectors that have
names, in `sdnb.comparison.vectors`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

import torch
from jaxtyping import Float
from torch import Tensor

from sdnb.comparison.tokens import Split, check_encoder, split_text
from sdnb.comparison.vectors import Near, Vectors, nearest
from sdnb.errors import InvalidField, UnknownName
from sdnb.models.text import encode_text
from sdnb.models.text_layers import text_layers, token_names, token_table
from sdnb.pipeline import Pipeline


@dataclass(frozen=True, eq=False, kw_only=True)
class TextStages:
    """The vectors of a text's first chunk of L tokens on their way through a text encoder.

    Parameters
    ----------
    split : Split
        The text and its tokens.
    stages : Mapping of str to Tensor [L, D]
        ``"embedding"`` (the table's), ``"with position"``, ``"layer 1"`` … ``"layer n"``, and
        ``"output"``, what the U-Net reads.
    """

    split: Split
    stages: Mapping[str, Float[Tensor, "L D"]]

    @property
    def width(self) -> int:
        """D, the numbers of each vector."""
        return self.stages["embedding"].shape[1]


@dataclass(frozen=True, eq=False, kw_only=True)
class TextDistances:
    """How far the vectors of other prompts are from those of one, token by token.

    Parameters
    ----------
    tokens : tuple of str, [L]
        What stands at each position of the prompt, from the start mark to the first end mark.
    others : tuple of str, [N]
    values : Tensor [N, L]
        Euclidean distances of the vectors that the U-Net reads, ≥ 0.
    """

    tokens: tuple[str, ...]
    others: tuple[str, ...]
    values: Float[Tensor, "N L"]


def follow_text(pipe: Pipeline, text: str, *, encoder: int = 0) -> TextStages:
    """Return the vectors of a text's tokens at each stage of a text encoder.

    Brackets are text here. Of a long text the first chunk is followed.

    Parameters
    ----------
    encoder : int
        Which of the checkpoint's text encoders, from 0; `InvalidField` for one that it has not.
    """
    split = split_text(pipe, text, syntax="plain", encoder=encoder)
    parts, tokens = pipe.components, split.chunks[0]
    asked = parts.texts[encoder]
    with pipe.turn():
        before, *after = text_layers(asked, tokens)
        embeds = encode_text(parts, [text], syntax="plain").embeds[0, : len(tokens)].cpu()
    widths = [each.network.config.hidden_size for each in parts.texts]
    layers = {f"layer {i}": state for i, state in enumerate(after, 1)}
    stages = {
        "embedding": token_table(asked)[[token.id for token in tokens]],
        "with position": before,
        **layers,
        "output": embeds.split(widths, dim=-1)[encoder],
    }
    return TextStages(split=split, stages=stages)


def token_vectors(pipe: Pipeline, *, encoder: int = 0) -> Vectors:
    """Return the vector of every token in the vocabulary, by its name: ``"red</w>"``."""
    check_encoder(pipe, encoder)
    asked = pipe.components.texts[encoder]
    return Vectors(token_names(asked), token_table(asked))


def stage_names(pipe: Pipeline, *, encoder: int = 0) -> tuple[str, ...]:
    """Return the stages of a text encoder, as `TextStages` names them."""
    check_encoder(pipe, encoder)
    count = pipe.components.texts[encoder].network.config.num_hidden_layers
    return ("embedding", "with position", *(f"layer {i}" for i in range(1, count + 1)), "output")


def word_vectors(pipe: Pipeline, words: Sequence[str], *, encoder: int = 0) -> Vectors:
    """Return a vector for each word before the transformer: the mean of its tokens' vectors.

    Raises `InvalidField` for a word without tokens.
    """
    check_encoder(pipe, encoder)
    table = token_table(pipe.components.texts[encoder])
    means = [table[_ids(pipe, word, encoder)].mean(dim=0) for word in words]
    return Vectors(tuple(words), torch.stack(means) if means else table[:0])


def words_at(followed: TextStages, stage: str) -> Vectors:
    """Return a vector for each word of a text at a stage: the mean of its tokens' vectors.

    A word that stands there twice has two, alike before the transformer and not behind it.

    Raises
    ------
    UnknownName, InvalidField
        For a stage that there is not, and for a text without words.
    """
    UnknownName.check("stage", stage, followed.stages)
    split, vectors = followed.split, followed.stages[stage]
    ends = list(accumulate(map(len, split.words), initial=1))  # the start mark comes first
    words = [
        (split.spelling(word), vectors[begin:end].mean(dim=0))
        for word, (begin, end) in zip(split.words, pairwise(ends), strict=True)
        if end <= split.counts[0] + 1
    ]
    if not words:
        raise InvalidField(
            "a text without words has no vectors of words.",
            given=split.text,
            allowed="a word, or several",
            fix='for example "a red circle"',
        )
    names, values = zip(*words, strict=True)
    return Vectors(names, torch.stack(values))


def text_vectors(pipe: Pipeline, texts: Sequence[str]) -> Vectors:
    """Return one vector for each whole text after the transformer, of any number of words.

    It is the one at the end mark, which has seen all words before it (Radford et al. 2021,
    arXiv:2103.00020, section 2.4); of several encoders the last one's.
    """
    with pipe.turn():
        pooled = encode_text(pipe.components, texts, syntax="plain").pooled if texts else None
    return Vectors(tuple(texts), torch.zeros(0, 1) if pooled is None else pooled.cpu())


def nearest_tokens(
    pipe: Pipeline, word: str, *, count: int = 8, encoder: int = 0
) -> tuple[Near, ...]:
    """Rank the vocabulary's tokens by their similarity to a word, without the word's own tokens."""
    vocabulary = token_vectors(pipe, encoder=encoder)
    own = {vocabulary.names[id] for id in _ids(pipe, word, encoder)}
    vector = word_vectors(pipe, [word], encoder=encoder).values[0]
    found = [each for each in nearest(vocabulary, vector) if each.name not in own][:count]
    return tuple(
        Near(name=each.name, rank=rank, similarity=each.similarity)
        for rank, each in enumerate(found, 1)
    )


def text_distances(
    pipe: Pipeline, prompt: str, others: Sequence[str], *, syntax: str = "comfyui"
) -> TextDistances:
    """Return how far the vectors of other prompts are from those of one, position by position.

    What is compared is what the U-Net reads: weights of words count, as ``syntax`` has it.
    """
    split = split_text(pipe, prompt, syntax=syntax)
    tokens = split.chunks[0][: split.counts[0] + 2]
    with pipe.turn():
        embeds = encode_text(pipe.components, [prompt, *others], syntax=syntax).embeds.cpu()
    own, rest = embeds[0, : len(tokens)], embeds[1:, : len(tokens)]
    return TextDistances(
        tokens=tuple(token.piece or token.text for token in tokens),
        others=tuple(others),
        values=(rest - own).norm(dim=-1),
    )


def _ids(pipe: Pipeline, word: str, encoder: int) -> list[int]:
    split = split_text(pipe, word, syntax="plain", encoder=encoder)
    if not split.tokens:
        raise InvalidField(
            "a word without letters has no token.",
            given=word,
            allowed="a word, or several",
            fix='for example "red"',
        )
    return [token.id for token in split.tokens]
