"""DPM adaptive: DPM-Solver that chooses its own steps by the error it sees."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import atan, exp, inf, isfinite, log, sqrt

import torch

from sdnb.diffusion.noise import Noise, renoise
from sdnb.diffusion.samplers.ancestral import ancestral_split
from sdnb.diffusion.samplers.contract import Evaluate, Proposals, Step, sampler
from sdnb.diffusion.samplers.dpm_solver import STEPS
from sdnb.errors import InvalidField, ModelError
from sdnb.shapes import State

NEAR_END = 1e-5
"""Distance to the end, in ``log sigma``, that counts as there."""

SHORTEST = 1e-6
"""Length of a step, in ``log sigma``, under which the search for one is given up."""

TINY = 1e-12
"""Error that is always allowed."""


@sampler("dpm_adaptive", family="DPM-Solver", order=None, nominal_order=3, adaptive=True)
def dpm_adaptive(
    x: State,
    sigmas: Sequence[float],
    noise: Noise,
    *,
    order: int = 3,
    rtol: float = 0.05,
    atol: float = 0.0078,
    h_init: float = 0.05,
    pcoeff: float = 0.0,
    icoeff: float = 1.0,
    dcoeff: float = 0.0,
    accept_safety: float = 0.81,
    eta: float = 0.0,
    s_noise: float = 1.0,
) -> Proposals:
    """Steps of order 3 (or 2), each tried, measured, and taken or tried again shorter.

    Only the ends of ``sigmas`` are used, so the number of steps asked for changes nothing. It
    stops at the last level over 0. The error is the distance between two orders from the same
    three (or two) evaluations.

    Parameters
    ----------
    order : int
        2 or 3.
    rtol, atol : float
        Error allowed in a step, relative to ``x`` and absolute.
    h_init : float
        First step tried, in ``log sigma``.
    pcoeff, icoeff, dcoeff : float
        Of the PID controller of the step's length.
    accept_safety : float
        A step is taken if the controller would shorten it no more than to this share.
    eta : float
        Share of ancestral noise: 0 is deterministic.
    s_noise : float
        Factor on the noise put back.

    Source: Lu et al. 2022 (arXiv:2206.00927), appendix C (DPM-Solver-23); the controller:
    Söderlind 2003, Digital filters in adaptive time-stepping, section 3.
    """
    _check_options(order, h_init)
    sigma, low = sigmas[0], min(level for level in sigmas if level > 0)
    coefficients = (pcoeff, icoeff, dcoeff)
    pid = StepLength(h_init, coefficients, 1.5 if eta else float(order), accept_safety)
    if sigma == low:
        denoised = yield Evaluate(x, sigma)
        yield Step(denoised, denoised, 0.0)
        return
    x_lower_last = x
    while sigma > low * exp(NEAR_END):
        sigma_next = max(low, sigma * exp(-pid.h))
        sigma_down = max(low, ancestral_split(sigma, sigma_next, eta)[0])
        denoised = yield Evaluate(x, sigma)
        x_next, x_lower = yield from STEPS[order](x, (x - denoised) / sigma, sigma, sigma_down)
        largest = torch.maximum(x_lower.abs(), x_lower_last.abs())
        allowed = largest.mul(rtol).clamp(min=max(atol, TINY))
        error = float(((x_lower - x_next) / allowed).square().mean().sqrt())
        _check_progress(error, sigma, pid.h)
        if pid.accepts(error):
            sigma_up = sqrt(max(sigma_next**2 - sigma_down**2, 0.0))
            x_next = renoise(x_next, noise, sigma, sigma_next, s_noise * sigma_up)
            x_lower_last = x_lower
            x = yield Step(denoised, x_next, sigma_next)
            sigma = sigma_next


def _check_options(order: int, h_init: float) -> None:
    if order not in (2, 3):
        raise InvalidField(
            "dpm_adaptive has two orders.", given=order, allowed="2, 3", fix="order=3"
        )
    if not 0 < h_init < inf:
        raise InvalidField(
            "h_init is the length of a step.", given=h_init, allowed="over 0", fix="h_init=0.05"
        )


def _check_progress(error: float, sigma: float, h: float) -> None:
    if not isfinite(error):
        raise ModelError(
            f"the network answered with NaN or infinity near sigma {sigma:.4g}.",
            given=f"a step of {h:.3g} in log sigma",
            allowed="finite numbers",
            fix="lower cfg_scale, or look at the checkpoint's weights",
        )
    if h < SHORTEST and error > 1:
        raise InvalidField(
            f"no step from sigma {sigma:.4g} is short enough for the tolerances.",
            given=f"an error of {error:.3g} of what is allowed",
            allowed="tolerances that the model's own roughness can meet",
            fix="rtol=0.05 atol=0.0078",
        )


@dataclass
class StepLength:
    """The length ``h`` of the next step, in ``log sigma``, ruled by the errors of the last.

    Source: Söderlind 2003, Digital filters in adaptive time-stepping, section 3.
    """

    h: float
    coefficients: tuple[float, float, float]
    order: float
    accept_safety: float
    inverse_errors: list[float] = field(default_factory=list)

    def accepts(self, error: float) -> bool:
        """Judge a tried step by its error (1 is just allowed) and set the next length."""
        inverse = 1 / (error + 1e-8)
        errors = [inverse, *(self.inverse_errors or [inverse, inverse])]
        p, i, d = self.coefficients
        powers = ((p + i + d) / self.order, -(p + 2 * d) / self.order, d / self.order)
        raw = exp(sum(power * log(e) for power, e in zip(powers, errors, strict=True)))
        factor = 1 + atan(raw - 1)
        accepted = factor >= self.accept_safety
        if accepted:
            self.inverse_errors = errors[:2]
        self.h *= factor
        return accepted
