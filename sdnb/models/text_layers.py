"""Inside a text encoder: its table of tokens, and what each of its layers makes of a text.

How a prompt becomes what the U-Net reads is in `sdnb.models.text`.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from sdnb.conditioning import Token
from sdnb.models.components import TextEncoder


def token_names(encoder: TextEncoder) -> tuple[str, ...]:
    """Return the vocabulary's name of each id: ``"red</w>"`` ends a word, ``"re"`` does not."""
    ids = list(range(len(token_table(encoder))))
    return tuple(map(str, encoder.tokenizer.convert_ids_to_tokens(ids)))


def token_table(encoder: TextEncoder) -> Float[Tensor, "V D"]:
    """Return the learned vector of each of V tokens, float32 on the CPU."""
    table: Tensor = encoder.network.get_input_embeddings().weight
    return table.detach().float().cpu()


def text_layers(encoder: TextEncoder, tokens: Sequence[Token]) -> list[Float[Tensor, "L D"]]:
    """Return the vectors of L tokens before the first layer and after each, float32 on the CPU.

    The first are those of the table, each plus that of its position.
    """
    ids = torch.tensor([[token.id for token in tokens]], device=encoder.network.device)
    with torch.no_grad():
        output = encoder.network(ids, output_hidden_states=True)
    return [state[0].float().cpu() for state in output.hidden_states]
