"""Sigma schedules that spread the training timesteps, and take the noise levels found there.

Those that spread the levels themselves are in `sdnb.diffusion.levels_by_sigma`.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from sdnb.diffusion.beta_distribution import quantiles
from sdnb.diffusion.noise_schedules import NoiseSchedule
from sdnb.diffusion.sigma_schedules import schedule, to_zero
from sdnb.shapes import Sigmas


@schedule("simple")
def simple(steps: int, noise_schedule: NoiseSchedule) -> Sigmas:
    """Evenly spaced training timesteps counted from the noisy end.

    Source: ComfyUI's documented scheduler of this name; checked against its numbers.
    """
    trained = noise_schedule.sigmas
    indices = [len(trained) - 1 - int(i * len(trained) / steps) for i in range(steps)]
    return to_zero(trained[indices])


@schedule("normal")
def normal(steps: int, noise_schedule: NoiseSchedule) -> Sigmas:
    """Evenly spaced (fractional) timesteps from the noisiest level to the cleanest, then 0.

    Source: the linear selection of Song et al. 2021 (arXiv:2010.02502), appendix D.2, from the
    last timestep to the first.
    """
    first = noise_schedule.t(noise_schedule.sigma_max)
    return _at(noise_schedule, torch.linspace(first, 0.0, steps, dtype=torch.float64))


@schedule("sgm_uniform")
def sgm_uniform(steps: int, noise_schedule: NoiseSchedule) -> Sigmas:
    """Evenly spaced (fractional) timesteps from the last one; the step from the first is to 0.

    So the last step is as long as the others, where that of `normal` begins at sigma_min.
    Source: the code released with Podell et al. 2023 (arXiv:2307.01952); checked against
    ComfyUI's numbers.
    """
    first = noise_schedule.t(noise_schedule.sigma_max)
    return _at(noise_schedule, torch.linspace(first, 0, steps + 1, dtype=torch.float64)[:-1])


@schedule("trailing")
def trailing(steps: int, noise_schedule: NoiseSchedule) -> Sigmas:
    """Every ``T / steps``-th training timestep counted from the last one, rounded.

    Source: Lin et al. 2023 (arXiv:2305.08891), table 2.
    """
    trained = noise_schedule.sigmas
    timesteps = [round(len(trained) * (steps - i) / steps) - 1 for i in range(steps)]
    return to_zero(trained[timesteps])


@schedule("ddim_uniform")
def ddim_uniform(steps: int, noise_schedule: NoiseSchedule) -> Sigmas:
    """Every ``T // steps``-th training timestep, starting from timestep 1.

    Gives more levels than asked where ``steps`` does not divide T.
    Source: Song et al. 2021 (arXiv:2010.02502), appendix D.2 ("linear" selection).
    """
    trained = noise_schedule.sigmas
    stride = max(len(trained) // steps, 1)
    return to_zero(trained[1::stride].flip(0))


@schedule("beta")
def beta(
    steps: int, noise_schedule: NoiseSchedule, *, alpha: float = 0.6, beta: float = 0.6
) -> Sigmas:
    """Training timesteps at even quantiles of Beta(alpha, beta): dense at both ends.

    Gives fewer levels than asked where quantiles round to the same timestep (at the defaults
    and T = 1000 from 139 steps on).
    Source: Lee et al. 2024 (arXiv:2407.12173), their Beta sampling by the distribution's inverse.
    """
    trained = noise_schedule.sigmas
    even = torch.arange(steps, 0, -1, dtype=torch.float64) / steps
    shares = quantiles(even, alpha, beta)
    timesteps = (shares * (len(trained) - 1)).round().long().unique(sorted=True)
    return to_zero(trained[timesteps.flip(0)])


def _at(noise_schedule: NoiseSchedule, timesteps: Float[Tensor, " S"]) -> Sigmas:
    levels = [noise_schedule.sigma(t) for t in timesteps.tolist()]
    return to_zero(torch.tensor(levels, dtype=torch.float64))
