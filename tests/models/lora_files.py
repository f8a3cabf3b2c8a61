"""LoRAs of random factors in every layout, and what shows whether they left a trace."""

import torch

PROMPT = "a red circle on a meadow"
RANK, ALPHA = 4, 2.0
PREFIXES = {"unet": "lora_unet_", "text_encoder": "lora_te_"}


def in_full(network, path):
    """Return the path that files write: transformers leaves a part of it out."""
    return path if network == "unet" else f"text_model.{path}"


def kohya(factors):
    tensors = {}
    for (network, path), (down, up) in factors.items():
        name = PREFIXES[network] + in_full(network, path).replace(".", "_")
        tensors |= {f"{name}.lora_down.weight": down, f"{name}.lora_up.weight": up}
        tensors[f"{name}.alpha"] = torch.tensor(ALPHA)
    return tensors


def peft(factors):
    tensors = {}
    for (network, path), (down, up) in factors.items():
        name = f"{network}.{in_full(network, path)}"
        tensors |= {f"{name}.lora_A.weight": down, f"{name}.lora_B.weight": up * ALPHA / RANK}
    return tensors


def older_diffusers(factors):
    tensors = {}
    for (network, path), (down, up) in factors.items():
        name = f"{network}.{in_full(network, path)}"
        name += ".lora" if network == "unet" else ".lora_linear_layer"
        for end in ("to_q", "to_k", "to_v", "to_out.0"):
            if path.endswith(f".{end}"):
                holder = f"{network}.{path.removesuffix(end)}processor"
                name = f"{holder}.{end.removesuffix('.0')}_lora"
        tensors |= {f"{name}.down.weight": down, f"{name}.up.weight": up * ALPHA / RANK}
    return tensors


def draw(pipe, *loras, **fields):
    return pipe.run(PROMPT, seed=3, steps=3, width=64, height=64, loras=loras, **fields).latents


def weights_of(networks):
    return {
        (name, path): (id(weight), weight.detach().clone())
        for name, network in networks.items()
        for path, weight in network.named_parameters()
    }


def assert_untouched(networks, before):
    for key, (identity, weight) in weights_of(networks).items():
        assert identity == before[key][0]
        assert torch.equal(weight, before[key][1])
