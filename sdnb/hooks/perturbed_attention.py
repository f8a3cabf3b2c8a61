"""Guidance away from a network that cannot compare places: PAG."""

from dataclasses import replace
from typing import Any

from sdnb.errors import UnknownName
from sdnb.events import DenoiseEvent, Hooks, ModelEvent, ModuleEvent, on_module
from sdnb.pipeline import Pipeline
from sdnb.shapes import Activation, Latents

PERTURBED = "perturbed"


def perturbed_attention(pipe: Pipeline, *, scale: float = 3.0, layer: str = "mid_block") -> Hooks:
    """Ask a third branch, whose self-attention sees each place alone, and move away from it.

    Parameters
    ----------
    scale : float
        0 changes nothing; it adds to ``cfg_scale``.
    layer : str
        How the paths of the perturbed layers begin; `UnknownName` where none does.

    Source: Ahn et al. 2024 (arXiv:2403.17377).
    """

    def ask(event: ModelEvent) -> ModelEvent:
        return replace(event, branches={**event.branches, PERTURBED: event.branches["cond"]})

    def guide(event: DenoiseEvent) -> Latents:
        away = event.eps["cond"] - event.eps[PERTURBED]
        return event.denoised - event.sigma * scale * away

    paths = [path for path, _ in pipe.components.unet.named_modules() if path.endswith(".attn1")]
    perturbed = [path for path in paths if path.startswith(layer)]
    if not perturbed:
        raise UnknownName.among("layer with self-attention", layer, paths)
    taps = sum((on_module(path, _identity) for path in perturbed), Hooks())
    return Hooks(on_model=(ask,), on_denoise=(guide,)) + taps


def _identity(event: ModuleEvent) -> Activation | None:
    """Give each place of the perturbed branch its own value, as if it attended to itself alone."""
    if PERTURBED not in event.rows:
        return None
    rows, activation = event.rows[PERTURBED], event.activation.clone()
    layer: Any = event.module  # diffusers' attention layers are untyped
    activation[rows] = layer.to_out[0](layer.to_v(event.inputs[rows]))
    return activation
