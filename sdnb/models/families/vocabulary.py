"""CLIP's tokenizer, for checkpoints that come as one file and bring none.

All families of this folder share its 49,408 tokens. The merges are CLIP's own, under the
license that lies beside them.
"""

import gzip
from functools import cache
from pathlib import Path
from typing import Any

from transformers import CLIPTokenizer

MERGES = Path(__file__).parent / "clip" / "merges.txt.gz"

START, END = "<|startoftext|>", "<|endoftext|>"

CLIP_TOKENS = 49408
END_ID = CLIP_TOKENS - 1


def clip_tokenizer() -> CLIPTokenizer:
    """Make the tokenizer. What fills a text up to 77 differs between families: see `TextSpec`.

    Source: Radford et al. 2021 (arXiv:2103.00020), section 2.4: byte pairs in lower case.
    """
    vocabulary, merges = read_vocabulary()
    return CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=77)


@cache
def read_vocabulary() -> tuple[dict[str, int], Any]:
    """Each token's number, and the pairs that are joined, in their order."""
    lines = gzip.decompress(MERGES.read_bytes()).decode().splitlines()
    merges = [tuple(line.split(" ")) for line in lines]
    letters = byte_letters()
    words = ["".join(merge) for merge in merges]
    tokens = [*letters, *(f"{letter}</w>" for letter in letters), *words, START, END]
    return {token: number for number, token in enumerate(tokens)}, merges


def byte_letters() -> list[str]:
    """Return a printable letter for each byte, in the vocabulary's order.

    Bytes that print stand for themselves and come first; the others are written with the
    letters from U+0100 on.
    """
    printing = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = 256 - len(printing)
    return [chr(code) for code in printing] + [chr(0x100 + i) for i in range(others)]
