"""Quantiles of the Beta distribution, which two sigma schedules place their levels by."""

from math import inf

import torch
from jaxtyping import Float
from torch import Tensor

from sdnb.errors import InvalidField


def quantiles(shares: Float[Tensor, " S"], alpha: float, beta: float) -> Float[Tensor, " S"]:
    """Return the values in 0 … 1 below which the ``shares`` of Beta(alpha, beta) lie."""
    from scipy.special import betaincinv  # heavy, and few schedules need it

    if not (0 < alpha < inf and 0 < beta < inf):
        raise InvalidField(
            "a Beta distribution has two positive shapes.",
            given={"alpha": alpha, "beta": beta},
            allowed="finite numbers over 0",
            fix="alpha=0.6 beta=0.6",
        )
    return torch.from_numpy(betaincinv(alpha, beta, shares.double().numpy()))
