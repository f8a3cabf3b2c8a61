"""Text to vectors: tokens, and what cross-attention reads."""

import re
from collections.abc import Sequence

import torch
from torch import Tensor

from sdnb.conditioning import Conditioning, Token
from sdnb.errors import InvalidField
from sdnb.models.components import Components, Network


def encode_text(components: Components, prompts: Sequence[str], clip_skip: int = 0) -> Conditioning:
    """Encode one prompt for each image.

    Parameters
    ----------
    prompts : sequence of str
        B texts; what goes beyond the encoder's positions (75 and two marks) is cut off.
    clip_skip : int
        How many of the encoder's last layers are left out.

    Returns
    -------
    Conditioning
        ``embeds`` [B, 77, D] after the final layer norm, float32.
    """
    encoder = components.text_encoder
    if clip_skip >= encoder.config.num_hidden_layers:
        raise InvalidField(
            "clip_skip leaves no layer of the text encoder.",
            given=clip_skip,
            allowed=f"0 … {encoder.config.num_hidden_layers - 1}",
        )
    ids, tokens = tokenize(components, prompts)
    with torch.no_grad():
        output = encoder(ids.to(components.device), output_hidden_states=True)
    # transformers moved the norm out of an inner module in 5.6
    inner: Network = getattr(encoder, "text_model", encoder)
    embeds = inner.final_layer_norm(output.hidden_states[-1 - clip_skip]).detach()
    return Conditioning(embeds.float(), output.pooler_output.float(), tokens)


def tokenize(
    components: Components, prompts: Sequence[str]
) -> tuple[Tensor, tuple[tuple[Token, ...], ...]]:
    """Split prompts into the encoder's tokens, padded to its positions: ids [B, 77], tokens."""
    tokenizer = components.tokenizer
    encoded = tokenizer(
        list(prompts),
        padding="max_length",
        max_length=tokenizer.model_max_length,
        truncation=True,
        return_offsets_mapping=True,
        return_tensors="pt",
    )
    ids, spans = encoded["input_ids"], encoded["offset_mapping"].tolist()
    tokens = tuple(
        tuple(
            Token(id, text, (start, end), piece=prompt[start:end])
            for id, text, (start, end) in zip(
                row, tokenizer.convert_ids_to_tokens(row), row_spans, strict=True
            )
        )
        for prompt, row, row_spans in zip(prompts, ids.tolist(), spans, strict=True)
    )
    return ids, tokens


def truncated_text(components: Components, prompt: str) -> str:
    """Return the end of a prompt that the encoder will not see; empty if all fits."""
    encoded = components.tokenizer(prompt, return_offsets_mapping=True, verbose=False)
    room = components.tokenizer.model_max_length
    spans = encoded["offset_mapping"]
    return prompt[spans[room - 1][0] :] if len(spans) > room else ""


def unknown_words(components: Components, prompt: str) -> tuple[str, ...]:
    """Return the words of a prompt that a small model has never seen, in their order."""
    if components.words is None:
        return ()
    words = dict.fromkeys(re.findall(r"[^\W\d_]+", prompt.lower()))
    return tuple(word for word in words if word not in components.words)
