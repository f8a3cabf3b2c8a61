"""Nodes of ComfyUI as its documentation lists them: outputs, and inputs with types and values.

Sources: docs.comfy.org, "Built-in nodes" (one page a node, names and types of inputs and outputs,
ranges where it gives them), and the community manual at blenderneko.github.io/ComfyUI-docs. An
input is a type that a link must have, a range, a set of words, or free text.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sdnb.records.comfyui_nodes import SAMPLERS_THERE, SCHEDULES_THERE


@dataclass(frozen=True)
class Number:
    low: float
    high: float
    is_whole: bool = False


def whole(low: int, high: int) -> Number:
    return Number(low, high, is_whole=True)


TEXT, FLAG = "text", "flag"
SEED, STEPS, CFG = whole(0, 2**64 - 1), whole(1, 10_000), Number(0, 100)
SIDE, SHARE, ANY = whole(16, 16384), Number(0, 1), Number(0, 100)
SIGMA = Number(0, 5000)
LATENT_WAYS = {"nearest-exact", "bilinear", "area", "bicubic", "bislerp"}
PIXEL_WAYS = {"nearest-exact", "bilinear", "area", "bicubic", "lanczos"}
CROPS = {"disabled", "center"}
DEVICES = {"gpu", "cpu"}
SWITCH = {"enable", "disable"}
GUIDED = {"model": "MODEL", "positive": "CONDITIONING", "negative": "CONDITIONING"}
NAMED = {"sampler_name": set(SAMPLERS_THERE), "scheduler": set(SCHEDULES_THERE)}
LORA = {"lora_name": TEXT, "strength_model": Number(-100, 100)}
RANGE = {"steps": STEPS, "sigma_max": SIGMA, "sigma_min": SIGMA, "rho": ANY}
SDE = {"eta": ANY, "s_noise": ANY}
CONTROLLED = {"control_net": "CONTROL_NET", "image": "IMAGE", "strength": Number(0, 10)}

# kind -> types of its outputs, required inputs
NODES: Mapping[str, tuple[tuple[str, ...], Mapping[str, Any]]] = {
    "CheckpointLoaderSimple": (("MODEL", "CLIP", "VAE"), {"ckpt_name": TEXT}),
    "LoraLoader": (
        ("MODEL", "CLIP"),
        {**LORA, "strength_clip": Number(-100, 100), "model": "MODEL", "clip": "CLIP"},
    ),
    "CLIPSetLastLayer": (("CLIP",), {"clip": "CLIP", "stop_at_clip_layer": whole(-24, -1)}),
    "CLIPTextEncode": (("CONDITIONING",), {"text": TEXT, "clip": "CLIP"}),
    "ConditioningConcat": (
        ("CONDITIONING",),
        {"conditioning_to": "CONDITIONING", "conditioning_from": "CONDITIONING"},
    ),
    "ControlNetLoader": (("CONTROL_NET",), {"control_net_name": TEXT}),
    "ControlNetApplyAdvanced": (
        ("CONDITIONING", "CONDITIONING"),
        {
            "positive": "CONDITIONING",
            "negative": "CONDITIONING",
            **CONTROLLED,
            "start_percent": SHARE,
            "end_percent": SHARE,
        },
    ),
    "EmptyLatentImage": (
        ("LATENT",),
        {"width": SIDE, "height": SIDE, "batch_size": whole(1, 4096)},
    ),
    "RepeatLatentBatch": (("LATENT",), {"samples": "LATENT", "amount": whole(1, 64)}),
    "LoadImage": (("IMAGE", "MASK"), {"image": TEXT}),
    "LoadImageMask": (
        ("MASK",),
        {"image": TEXT, "channel": {"alpha", "red", "green", "blue"}},
    ),
    "ImageScale": (
        ("IMAGE",),
        {
            "image": "IMAGE",
            "upscale_method": PIXEL_WAYS,
            "width": whole(0, 16384),
            "height": whole(0, 16384),
            "crop": CROPS,
        },
    ),
    "ImageScaleBy": (
        ("IMAGE",),
        {"image": "IMAGE", "upscale_method": PIXEL_WAYS, "scale_by": Number(0.01, 8)},
    ),
    "LatentUpscaleBy": (
        ("LATENT",),
        {"samples": "LATENT", "upscale_method": LATENT_WAYS, "scale_by": Number(0.01, 8)},
    ),
    "VAEEncode": (("LATENT",), {"pixels": "IMAGE", "vae": "VAE"}),
    "VAEDecode": (("IMAGE",), {"samples": "LATENT", "vae": "VAE"}),
    "SetLatentNoiseMask": (("LATENT",), {"samples": "LATENT", "mask": "MASK"}),
    "KSampler": (
        ("LATENT",),
        {
            **GUIDED,
            **NAMED,
            "seed": SEED,
            "steps": STEPS,
            "cfg": CFG,
            "latent_image": "LATENT",
            "denoise": SHARE,
        },
    ),
    "KSamplerAdvanced": (
        ("LATENT",),
        {
            **GUIDED,
            **NAMED,
            "add_noise": SWITCH,
            "noise_seed": SEED,
            "steps": STEPS,
            "cfg": CFG,
            "latent_image": "LATENT",
            "start_at_step": whole(0, 10_000),
            "end_at_step": whole(0, 10_000),
            "return_with_leftover_noise": SWITCH,
        },
    ),
    "SamplerCustom": (
        ("LATENT", "LATENT"),
        {
            **GUIDED,
            "add_noise": FLAG,
            "noise_seed": SEED,
            "cfg": CFG,
            "sampler": "SAMPLER",
            "sigmas": "SIGMAS",
            "latent_image": "LATENT",
        },
    ),
    "KSamplerSelect": (("SAMPLER",), {"sampler_name": set(SAMPLERS_THERE)}),
    "SamplerEulerAncestral": (("SAMPLER",), SDE),
    "SamplerDPMPP_2S_Ancestral": (("SAMPLER",), SDE),
    "SamplerDPMPP_SDE": (("SAMPLER",), {**SDE, "r": ANY, "noise_device": DEVICES}),
    "SamplerDPMPP_2M_SDE": (
        ("SAMPLER",),
        {**SDE, "solver_type": {"midpoint", "heun"}, "noise_device": DEVICES},
    ),
    "SamplerDPMPP_3M_SDE": (("SAMPLER",), {**SDE, "noise_device": DEVICES}),
    "SamplerLMS": (("SAMPLER",), {"order": whole(1, 100)}),
    "SamplerDPMAdaptative": (
        ("SAMPLER",),
        {
            **SDE,
            "order": whole(2, 3),
            **dict.fromkeys(("rtol", "atol", "h_init", "pcoeff", "icoeff", "dcoeff"), ANY),
            "accept_safety": ANY,
        },
    ),
    "BasicScheduler": (
        ("SIGMAS",),
        {
            "model": "MODEL",
            "scheduler": set(SCHEDULES_THERE),
            "steps": STEPS,
            "denoise": SHARE,
        },
    ),
    "KarrasScheduler": (("SIGMAS",), RANGE),
    "PolyexponentialScheduler": (("SIGMAS",), RANGE),
    "BetaSamplingScheduler": (
        ("SIGMAS",),
        {"model": "MODEL", "steps": STEPS, "alpha": Number(0, 50), "beta": Number(0, 50)},
    ),
    "AlignYourStepsScheduler": (
        ("SIGMAS",),
        {"model_type": {"SD1", "SDXL", "SVD"}, "steps": STEPS, "denoise": SHARE},
    ),
    "ManualSigmas": (("SIGMAS",), {"sigmas": TEXT}),
    "SplitSigmas": (("SIGMAS", "SIGMAS"), {"sigmas": "SIGMAS", "step": whole(0, 10_000)}),
    "SaveImage": ((), {"images": "IMAGE", "filename_prefix": TEXT}),
}


def check(nodes: Mapping[str, Any]) -> None:
    """Fail unless every node is documented, with just its inputs, of their types and values."""
    for node in nodes.values():
        kind, inputs = node["class_type"], node["inputs"]
        allowed = NODES[kind][1]
        assert inputs.keys() == allowed.keys(), kind
        for name, value in inputs.items():
            assert _fits(value, allowed[name], nodes), (kind, name, value)


def _fits(value: Any, allowed: Any, nodes: Mapping[str, Any]) -> bool:
    if isinstance(allowed, Number):
        is_number = isinstance(value, int if allowed.is_whole else int | float)
        return is_number and not isinstance(value, bool) and allowed.low <= value <= allowed.high
    if isinstance(allowed, set):
        return value in allowed
    if allowed in (TEXT, FLAG):
        return isinstance(value, str if allowed == TEXT else bool)
    number, output = value
    outputs = NODES[nodes[number]["class_type"]][0]
    return outputs[output] == allowed
