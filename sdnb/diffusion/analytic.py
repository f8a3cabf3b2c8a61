"""A denoiser that is right: data whose best denoiser is known as a formula.

With it a sampler can be run without a network, and its endpoint compared with the true one.
"""

from dataclasses import dataclass
from math import pi, sqrt

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sdnb.errors import InvalidField
from sdnb.shapes import State


@dataclass(frozen=True, eq=False)
class GaussianMixture:
    """A mixture of K Gaussians in D dimensions, as the denoiser that knows it.

    Called with ``(x, sigma)`` it gives the expectation of the clean data under ``x``, the best
    answer there is (Karras et al. 2022, arXiv:2206.00364, appendix B.3).

    Parameters
    ----------
    weights : Tensor [K]
        Shares, over 0; they are divided by their sum.
    means : Tensor [K, D]
        D is the size of one item: of a batch [B, C, h, w], ``C * h * w``.
    variances : Tensor [K, D]
        Over 0, for each coordinate.
    """

    weights: Float[Tensor, " K"]
    means: Float[Tensor, "K D"]
    variances: Float[Tensor, "K D"]

    def __post_init__(self) -> None:
        weights, means, variances = self.weights, self.means, self.variances
        fits = means.ndim == 2 and means.shape == variances.shape and len(weights) == len(means)
        if not (fits and len(weights) and bool((weights > 0).all() and (variances > 0).all())):
            shapes = [tuple(part.shape) for part in (weights, means, variances)]
            raise InvalidField(
                "a mixture has a weight, a mean and variances for each of its Gaussians.",
                given=f"weights, means, variances of shapes {shapes}",
                allowed="[K], [K, D], [K, D]; weights and variances over 0",
                fix="GaussianMixture(torch.ones(1), torch.zeros(1, 2), torch.ones(1, 2))",
            )

    def __call__(self, x: State, sigma: float) -> State:
        """Return the best estimate of the clean data under ``x``."""
        return x - sigma * self.slope(x, sigma)

    def slope(self, x: State, sigma: float) -> State:
        """Return ``dx / dsigma`` of the probability-flow ODE, 0 at ``sigma`` = 0.

        ``-sigma`` times the score of the noised mixture (Song et al. 2021, arXiv:2011.13456,
        eq. 13).
        """
        flat = x.flatten(1)[:, None]
        spread = self.variances.to(x) + sigma**2
        away = flat - self.means.to(x)
        logs = self.weights.to(x).log() - 0.5 * (away**2 / spread + spread.log()).sum(-1)
        pull = logs.softmax(1)[..., None] * away / spread
        return sigma * pull.sum(1).reshape(x.shape)

    def score(self, x: State, sigma: float) -> State:
        """Return the gradient of the log-density of the data noised to level ``sigma`` > 0.

        Tweedie's formula (Efron 2011, doi:10.1198/jasa.2011.tm11181) turns it into the
        denoised estimate, ``x + sigma**2 * score``.
        """
        return -self.slope(x, sigma) / sigma

    def endpoint(self, x: State, sigma: float, sigma_end: float = 0.0) -> State:
        """Follow the probability-flow ODE exactly from ``sigma`` to ``sigma_end``.

        One Gaussian: in closed form. A mixture: integrated in float64 (Dormand-Prince of order
        8), to about 1e-11.
        """
        if len(self.weights) > 1:
            return self._integrated(x, sigma, sigma_end)
        mean, variance = self.means[0].double(), self.variances[0].double()
        shrink = ((variance + sigma_end**2) / (variance + sigma**2)).sqrt()
        flat = mean + (x.flatten(1).double() - mean) * shrink
        return flat.reshape(x.shape).to(x)

    def _integrated(self, x: State, sigma: float, sigma_end: float) -> State:
        from scipy.integrate import solve_ivp

        def slope(level: float, flat: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> Tensor:
            state = torch.from_numpy(flat).reshape(x.shape)
            return self.slope(state, float(level)).flatten()

        start = x.double().cpu().flatten().numpy()
        span = (sigma, sigma_end)
        path = solve_ivp(slope, span, start, method="DOP853", rtol=1e-12, atol=1e-12)
        return torch.from_numpy(path.y[:, -1].copy()).reshape(x.shape).to(x)

    def draw(self, count: int, seed: int = 0) -> Float[Tensor, "N D"]:
        """Draw clean data [N, D] in float64."""
        generator = torch.Generator().manual_seed(seed)
        chosen = torch.multinomial(self.weights, count, replacement=True, generator=generator)
        eps = torch.randn(count, self.means.shape[1], dtype=torch.float64, generator=generator)
        return self.means[chosen].double() + self.variances[chosen].double().sqrt() * eps

    def start(self, batch_size: int, sigma: float, seed: int = 0) -> State:
        """Draw starts [B, D] in float64: noise of the variance that noised unit data has."""
        generator = torch.Generator().manual_seed(seed)
        shape = (batch_size, self.means.shape[1])
        eps = torch.randn(shape, dtype=torch.float64, generator=generator)
        return eps * sqrt(1 + sigma**2)


def three_blobs() -> GaussianMixture:
    """Three Gaussians in the plane, a third to a half as wide as they are apart."""
    return GaussianMixture(
        weights=torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64),
        means=torch.tensor([[-0.9, -0.4], [0.9, -0.2], [0.3, 1.2]], dtype=torch.float64),
        variances=torch.tensor([[0.2, 0.1], [0.1, 0.3], [0.2, 0.2]], dtype=torch.float64),
    )


def two_moons() -> GaussianMixture:
    """Two half circles that reach into each other, each a row of 24 small Gaussians."""
    angle = torch.linspace(0, pi, 24, dtype=torch.float64)
    upper = torch.stack([angle.cos(), angle.sin()], dim=1)
    lower = torch.stack([1 - angle.cos(), 0.5 - angle.sin()], dim=1)
    return _row_of_gaussians(torch.cat([upper, lower]), width=0.08)


def spiral() -> GaussianMixture:
    """A spiral of one turn, a row of 60 small Gaussians at about even distances."""
    turns = torch.linspace(0.35**2, 1, 60, dtype=torch.float64).sqrt()
    angle = 3 * pi * turns
    points = torch.stack([turns * angle.cos(), turns * angle.sin()], dim=1)
    return _row_of_gaussians(points, width=0.05)


def _row_of_gaussians(points: Float[Tensor, "K 2"], width: float) -> GaussianMixture:
    """Gaussians of one width at some points, brought to mean 0 and a mean variance of 1."""
    centred = points - points.mean(0)
    scaled = centred * sqrt(1 - width**2) / centred.square().mean().sqrt()
    return GaussianMixture(
        weights=torch.full((len(points),), 1 / len(points), dtype=torch.float64),
        means=scaled,
        variances=torch.full_like(scaled, width**2),
    )
