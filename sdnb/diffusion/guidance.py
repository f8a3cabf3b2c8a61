"""Guidance: how the answers of the branches become one."""

from collections.abc import Mapping

from sdnb.shapes import State


def classifier_free(eps: Mapping[str, State], cfg_scale: float) -> State:
    """Push the conditional answer away from the unconditional one.

    ``eps["uncond"] + cfg_scale * (eps["cond"] - eps["uncond"])``; without an unconditional
    branch (``cfg_scale`` 1 needs none) the conditional answer itself.

    Source: Ho & Salimans 2022 (arXiv:2207.12598), eq. 6, with ``cfg_scale = 1 + w``.
    """
    if "uncond" not in eps:
        return eps["cond"]
    return eps["uncond"] + cfg_scale * (eps["cond"] - eps["uncond"])
