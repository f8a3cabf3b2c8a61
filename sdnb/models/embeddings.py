"""Textual inversions: vectors that stand in a text where the vocabulary has no word.

Source: Gal et al. 2022 (arXiv:2208.01618). Files are read in `sdnb.models.embedding_file`; what
prompts call them is in `sdnb.embedding`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sdnb.conditioning import Token
from sdnb.embedding import Embedding, find_mentions
from sdnb.models.embedding_file import (
    Vectors,
    list_embeddings,
    locate_embedding,
    read_embedding,
)
from sdnb.models.named_files import NamedFiles
from sdnb.prompt import every_text, read_runs

Learned = Mapping[str, Vectors]
"""What prompts call an embedding -> its vectors for one text encoder."""

FILES = 64
"""How many embeddings stay in memory: those used last; of some kilobytes each."""


class Embeddings:
    """The textual inversions of one checkpoint.

    Parameters
    ----------
    widths : mapping
        Text encoder -> values of its vectors.
    allow_pickle : bool
        Whether tensors may be read out of pickles.
    """

    def __init__(self, widths: Mapping[str, int], *, allow_pickle: bool = False) -> None:
        self._files = NamedFiles[Embedding, Mapping[str, Vectors]](
            "embedding",
            lambda reference: locate_embedding(reference, list_embeddings()),
            partial(read_embedding, widths=widths, allow_pickle=allow_pickle),
            limit=FILES,
        )

    def resolved(
        self, given: Sequence[Embedding], prompts: Iterable[str], syntax: str
    ) -> tuple[Embedding, ...]:
        """Read the embeddings that prompts name, and return them with their hashes.

        ``given`` are known by the names of their files; others are looked for in model folders.

        Raises `LoadError` for one that is missing, broken or made for other networks, and for one
        that is not the file any more that its hash was taken of.
        """
        known = {name: each for each in reversed(given) for name in (each.name, each.reference)}
        here = list_embeddings() if syntax == "a1111" else None
        if here is not None:
            listed = {Path(name).name: Embedding(Path(name).name) for name in here}
            known = listed | {each.name: each for each in given}
        names = [
            mention.name
            for prompt in prompts
            for text in every_text(prompt, syntax)
            for run in chain.from_iterable(read_runs(text, syntax))
            for mention in find_mentions("".join(piece.text for piece in run), syntax, known)
        ]
        named = dict.fromkeys(known.get(name) or Embedding(name) for name in names)
        if named and here is None:
            here = list_embeddings()
        self._files.hold(len(named))
        return tuple(
            self._files.resolved(each, locate_embedding(each.reference, here or {}))
            for each in named
        )

    def learned(self, embeddings: Sequence[Embedding], encoder: str) -> Learned:
        """Return the vectors of resolved embeddings for one text encoder."""
        vectors = {each: self._files.of(each)[encoder] for each in embeddings}
        return {
            **{each.name: vectors[each] for each in embeddings},
            **{each.reference: vectors[each] for each in embeddings},
        }


@contextmanager
def standing_in(
    network: Any,  # transformers' text encoders are only partly typed
    chunks: Sequence[Sequence[Token]],
    learned: Learned,
) -> Iterator[None]:
    """Let learned vectors stand where tokens name them, for a call of a text encoder."""
    named = [[token.learned for token in tokens] for tokens in chunks]
    vectors = [learned[which[0]][which[1]] for row in named for which in row if which is not None]
    if not vectors:
        yield
        return
    where = torch.tensor([[which is not None for which in row] for row in named])

    def stand_in(_module: object, _given: object, output: Tensor) -> Tensor:
        output = output.clone()
        output[where.to(output.device)] = torch.stack(vectors).to(output)
        return output

    handle = network.get_input_embeddings().register_forward_hook(stand_in)
    try:
        yield
    finally:
        handle.remove()
