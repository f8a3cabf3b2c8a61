"""What ComfyUI calls samplers, schedules and ways to enlarge: read and written by these tables.

Source: ComfyUI's public documentation of its built-in nodes.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sdnb.choice import Plain

SAMPLERS_THERE = frozenset(
    [
        "euler",
        "euler_cfg_pp",
        "euler_ancestral",
        "euler_ancestral_cfg_pp",
        "heun",
        "heunpp2",
        "dpm_2",
        "dpm_2_ancestral",
        "lms",
        "dpm_fast",
        "dpm_adaptive",
        "dpmpp_2s_ancestral",
        "dpmpp_2s_ancestral_cfg_pp",
        "dpmpp_sde",
        "dpmpp_2m",
        "dpmpp_2m_cfg_pp",
        "dpmpp_2m_sde",
        "dpmpp_2m_sde_heun",
        "dpmpp_3m_sde",
        "ddpm",
        "lcm",
        "ipndm",
        "ipndm_v",
        "deis",
        "res_multistep",
        "res_multistep_cfg_pp",
        "res_multistep_ancestral",
        "res_multistep_ancestral_cfg_pp",
        "gradient_estimation",
        "gradient_estimation_cfg_pp",
        "er_sde",
        "seeds_2",
        "seeds_3",
        "sa_solver",
        "sa_solver_pece",
        "ddim",
        "uni_pc",
        "uni_pc_bh2",
    ]
)
"""Of sdnb's samplers, those that ComfyUI has under the same name."""

SCHEDULES_THERE = frozenset(
    [
        "simple",
        "sgm_uniform",
        "karras",
        "exponential",
        "ddim_uniform",
        "beta",
        "normal",
        "linear_quadratic",
        "kl_optimal",
    ]
)
"""Of sdnb's schedules, those that ComfyUI has under the same name."""

UPSCALES = {"latent": "bilinear", "latent_nearest": "nearest-exact", "latent_bicubic": "bicubic"}
"""Ways to enlarge latents, and what ComfyUI calls them."""

FULL_RANGE = {"sigma_max": 14.614642, "sigma_min": 0.0291675}
"""The levels of Stable Diffusion, which some nodes are told."""


def _same(value: Plain) -> Plain:
    return value


def _listed(value: Plain) -> Plain:
    return ", ".join(map(repr, value)) if isinstance(value, tuple) else str(value)


def _numbers(text: Plain) -> Plain:
    return tuple(float(part) for part in str(text).replace(",", " ").split())


@dataclass(frozen=True, kw_only=True)
class ChoiceNode:
    """A node that stands for a sampler or a schedule with its options.

    Parameters
    ----------
    kind : str
        Its class.
    options : Mapping of str to str
        Our option -> its input.
    told : Mapping of str to object
        What else it is told; what is read is not looked at there.
    write, read : callable
        An option's value -> the input's, and back; that raises ValueError for what is none.
    """

    kind: str
    options: Mapping[str, str]
    told: Mapping[str, object]
    write: Callable[[Plain], Plain] = _same
    read: Callable[[Plain], Plain] = _same


def _node(kind: str, *options: str, **told: object) -> ChoiceNode:
    return ChoiceNode(kind=kind, options={name: name for name in options}, told=told)


_ADAPTIVE = ("order", "rtol", "atol", "h_init", "pcoeff", "icoeff", "dcoeff", "accept_safety")

SAMPLER_NODES: Mapping[str, ChoiceNode] = {
    "euler_ancestral": _node("SamplerEulerAncestral", "eta", "s_noise"),
    "dpmpp_2s_ancestral": _node("SamplerDPMPP_2S_Ancestral", "eta", "s_noise"),
    "dpmpp_sde": _node("SamplerDPMPP_SDE", "eta", "s_noise", "r", noise_device="cpu"),
    "dpmpp_2m_sde": _node(
        "SamplerDPMPP_2M_SDE", "eta", "s_noise", "solver_type", noise_device="cpu"
    ),
    "dpmpp_3m_sde": _node("SamplerDPMPP_3M_SDE", "eta", "s_noise", noise_device="cpu"),
    "lms": _node("SamplerLMS", "order"),
    "dpm_adaptive": _node("SamplerDPMAdaptative", *_ADAPTIVE, "eta", "s_noise"),
}
"""Samplers whose options ComfyUI has, on nodes of their own."""

SCHEDULE_NODES: Mapping[str, ChoiceNode] = {
    "karras": _node("KarrasScheduler", "rho", **FULL_RANGE),
    "polyexponential": _node("PolyexponentialScheduler", "rho", **FULL_RANGE),
    "beta": _node("BetaSamplingScheduler", "alpha", "beta"),
    "align_your_steps": ChoiceNode(
        kind="AlignYourStepsScheduler",
        options={"table": "model_type"},
        told={"denoise": 1.0},
        write=lambda table: str(table).upper(),
        read=lambda kind: str(kind).lower(),
    ),
    "custom": ChoiceNode(
        kind="ManualSigmas", options={"sigmas": "sigmas"}, told={}, write=_listed, read=_numbers
    ),
}
"""Schedules whose options ComfyUI has, on nodes of their own."""
