"""The vocabulary: byte-level pairs learned from captions, in CLIP's manner.

Here the tokenizer is made and written; how text is encoded in use is in ``sdnb.models``.
"""

import json
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import Any

from jaxtyping import Int
from torch import Tensor

POSITIONS = 77
START, END = "<|startoftext|>", "<|endoftext|>"
CLIP_PATTERN = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
"""How CLIP cuts text into words before pairs are merged."""

# transformers and tokenizers ship no complete types: tokenizers are Any here.
Tokenizer = Any


def train_tokenizer(captions: Iterable[str], vocabulary: int = 1024) -> Tokenizer:
    """Byte-level pairs learned from captions; a word's last piece ends in ``</w>``.

    All 256 bytes are in the vocabulary, alone and at a word's end, so that an
    unknown word falls into pieces. Source: Sennrich et al. 2016 (arXiv:1508.07909).
    """
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

    raw = Tokenizer(models.BPE(unk_token=END, end_of_word_suffix="</w>"))
    raw.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    raw.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(CLIP_PATTERN), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        show_progress=False,
        initial_alphabet=alphabet,
        end_of_word_suffix="</w>",
    )
    raw.train_from_iterator(captions, trainer)
    learned = json.loads(raw.to_str())["model"]
    return make_tokenizer(complete_vocabulary(learned["vocab"], alphabet), learned["merges"])


def complete_vocabulary(learned: dict[str, int], alphabet: list[str]) -> dict[str, int]:
    """Bytes, bytes at a word's end, learned pieces, then start and end as the last two."""
    pieces = sorted(alphabet) + [letter + "</w>" for letter in sorted(alphabet)]
    pieces += [piece for piece in sorted(learned, key=learned.__getitem__) if piece not in pieces]
    return {piece: number for number, piece in enumerate([*pieces, START, END])}


def make_tokenizer(vocabulary: dict[str, int], merges: list[list[str]]) -> Tokenizer:
    """A CLIPTokenizer of 77 positions from a vocabulary and its merges."""
    transformers: Any = import_module("transformers")
    pairs = [(left, right) for left, right in merges]
    return transformers.CLIPTokenizer(vocab=vocabulary, merges=pairs, model_max_length=POSITIONS)


def encode_ids(tokenizer: Tokenizer, captions: list[str]) -> Int[Tensor, "B L"]:
    """Token ids of captions, padded to 77."""
    encoded = tokenizer(
        captions, padding="max_length", max_length=POSITIONS, truncation=True, return_tensors="pt"
    )
    ids: Tensor = encoded.input_ids
    return ids


def save_tokenizer(tokenizer: Tokenizer, folder: Path) -> None:
    """Write tokenizer.json and its config, and the classic vocab.json and merges.txt."""
    tokenizer.backend_tokenizer.no_padding()
    tokenizer.backend_tokenizer.no_truncation()
    tokenizer.save_pretrained(folder)
    stored = json.loads((folder / "tokenizer.json").read_text())["model"]
    (folder / "vocab.json").write_text(json.dumps(stored["vocab"], ensure_ascii=False))
    lines = ["#version: 0.2", *(" ".join(pair) for pair in stored["merges"])]
    (folder / "merges.txt").write_text("\n".join(lines) + "\n")
