"""The reference numbers (see README.md here), and the analytic denoiser they were made with."""

import json
from functools import cache
from pathlib import Path

import numpy as np
import torch

HERE = Path(__file__).parent
INDEX = json.loads((HERE / "reference_public.json").read_text())
ARRAYS = np.load(HERE / "reference_public.npz")


def rows(table: str) -> list[dict]:
    """Read a table of the index as one dictionary a row."""
    return [dict(zip(INDEX[f"{table}_cols"], row, strict=True)) for row in INDEX[f"{table}_rows"]]


@cache
def array(name: str) -> torch.Tensor:
    return torch.from_numpy(ARRAYS[name])


def levels(offset: int, length: int) -> list[float]:
    return array("sigmas_flat")[offset : offset + length].tolist()


@cache
def problem(name: str) -> "Problem":
    return Problem(name)


class Problem:
    """A Gaussian mixture, whose best denoiser is known in closed form (README, section 2)."""

    def __init__(self, name: str) -> None:
        self.cfg = INDEX["problems"][name]["cfg"]
        self.name = name

    def _expected(self, branch: str, x: torch.Tensor, sigma: float) -> torch.Tensor:
        parts = ("weights", "means", "vars")
        weights, means, variances = (array(f"{self.name}/{branch}_{part}") for part in parts)
        flat = x.flatten(1)[:, None]
        spread = variances + sigma**2
        logs = weights.log() - 0.5 * ((flat - means) ** 2 / spread + spread.log()).sum(-1)
        best = means + variances / spread * (flat - means)
        return (logs.softmax(1)[..., None] * best).sum(1).reshape(x.shape)

    def __call__(self, x: torch.Tensor, sigma: float) -> tuple[torch.Tensor, torch.Tensor]:
        """Answer with guidance, and without (CFG++ samplers use both, the others the first)."""
        cond = self._expected("cond", x, sigma)
        uncond = self._expected("uncond", x, sigma)
        return uncond + self.cfg * (cond - uncond), uncond

    def start(self, sigma: float) -> torch.Tensor:
        """Scale the stored noise to the first level (README, section 3)."""
        full = sigma >= INDEX["meta"]["sigma_max"] * (1 - 1e-5)
        return array(f"{self.name}/noise") * ((1 + sigma**2) ** 0.5 if full else sigma)

    def noise(self):
        """Take the stored draws in the order they are asked for."""
        draws = iter(array(f"{self.name}/seq"))
        return lambda _sigma, _sigma_next: next(draws)
