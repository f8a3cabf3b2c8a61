"""The reference numbers (see README.md here), and the analytic denoiser they were made with."""

import json
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch.nn.utils.rnn import pad_sequence

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
        # both branches at once, the shorter one filled up with parts of weight 0
        self._logs = self._both("weights").log()[:, None]
        self._means = self._both("means")[:, None]
        self._variances = self._both("vars", filling=1.0)[:, None]

    def _both(self, part: str, filling: float = 0.0) -> torch.Tensor:
        branches = [array(f"{self.name}/{branch}_{part}") for branch in ("cond", "uncond")]
        return pad_sequence(branches, batch_first=True, padding_value=filling)

    def __call__(self, x: torch.Tensor, sigma: float) -> tuple[torch.Tensor, torch.Tensor]:
        """Answer with guidance, and without (CFG++ samplers use both, the others the first)."""
        away = x.flatten(1)[:, None] - self._means
        spread = self._variances + sigma**2
        logs = self._logs - 0.5 * (away**2 / spread + spread.log()).sum(-1)
        best = self._means + self._variances / spread * away
        cond, uncond = (logs.softmax(-1)[..., None] * best).sum(-2).reshape(2, *x.shape)
        return uncond + self.cfg * (cond - uncond), uncond

    def start(self, sigma: float) -> torch.Tensor:
        """Scale the stored noise to the first level (README, section 3)."""
        full = sigma >= INDEX["meta"]["sigma_max"] * (1 - 1e-5)
        return array(f"{self.name}/noise") * ((1 + sigma**2) ** 0.5 if full else sigma)

    def noise(self):
        """Take the stored draws in the order they are asked for."""
        draws = iter(array(f"{self.name}/seq"))
        return lambda _sigma, _sigma_next: next(draws)
