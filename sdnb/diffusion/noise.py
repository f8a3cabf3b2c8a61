"""Noise from explicit generators, one set for each image; the global generator is never touched.

Image i is drawn on the CPU in float32 from seed + i, so it is the same alone, in a batch and on
any device. The noise inside the loop comes from a second stream, independent of every start.
torch's CPU generator reads the low 32 bits of a seed: seeds that share them share their noise.

No other program draws the same noise inside the loop: with a stochastic sampler a seed gives
sdnb's picture, not ComfyUI's.
"""

from collections.abc import Callable, Sequence
from hashlib import blake2b
from math import log, sqrt

import torch

from sdnb.errors import InvalidField
from sdnb.shapes import State

Noise = Callable[[float, float], State]
"""``(sigma, sigma_next)`` -> a unit draw of x's shape."""

PATH_STEP = 1 / 8
"""Stretch of ``log sigma`` down to which a Brownian path is the same whatever the steps."""

PATH_END = 16.0
"""Brownian paths reach over levels from ``exp(-16)`` to ``exp(16)``."""

_CACHE = 45  # torchsde's own; it cuts a path into pieces of 0.8 * cache_size * dt


def batch_seeds(seed: int, batch_size: int) -> tuple[int, ...]:
    """Return each image's own seed, ``seed + i`` (in 64 bits, as generators take them)."""
    return tuple((seed + i) % 2**64 for i in range(batch_size))


def start_noise(seeds: Sequence[int], shape: tuple[int, ...]) -> State:
    """Draw one unit-variance start for each seed; ``shape`` is one image's, ``(C, h, w)``."""
    return torch.stack([torch.randn(shape, generator=_generator(seed)) for seed in seeds])


def step_noise(seeds: Sequence[int], like: State, *, begin: int = 0) -> Noise:
    """Make the noise of a stochastic sampler: a fresh draw a call, the same at every replay.

    A sampler that begins in the middle of a run, at step ``begin``, has a stream of its own.
    """
    stream = f"steps from {begin}" if begin else "steps"
    generators = [_generator(_stream_seed(seed, stream)) for seed in seeds]

    def draw(_sigma: float, _sigma_next: float) -> State:
        draws = [torch.randn(like.shape[1:], generator=generator) for generator in generators]
        return torch.stack(draws).to(like)

    return draw


def renoise(x: State, noise: Noise, sigma: float, sigma_next: float, spread: float) -> State:
    """Add a draw of standard deviation ``spread``; for 0 nothing is drawn."""
    return x + noise(sigma, sigma_next) * spread if spread > 0 else x


def brownian_noise(seeds: Sequence[int], like: State) -> Noise:
    """Make the noise of an SDE solver: each image's draws are parts of one Brownian path.

    The path runs over ``log sigma``: draws over overlapping stretches are correlated as they
    must be, and a run with other steps follows the same path up to wiggles finer than
    `PATH_STEP`. Raises `InvalidField` for levels outside `PATH_END`.

    Source: Kidger et al. 2021 (arXiv:2105.13493), section 4, by torchsde.
    """
    from torchsde import BrownianInterval

    paths = [
        BrownianInterval(
            -PATH_END,
            PATH_END,
            size=tuple(like.shape[1:]),
            dtype=torch.float32,
            entropy=_stream_seed(seed, "path"),
            dt=PATH_STEP / (0.8 * _CACHE),
            cache_size=_CACHE,
        )
        for seed in seeds
    ]

    def draw(sigma: float, sigma_next: float) -> State:
        begin, end = -log(sigma), -log(sigma_next)
        if not -PATH_END <= begin < end <= PATH_END:
            raise InvalidField(
                "noise is drawn over a stretch of falling levels.",
                given=(sigma, sigma_next),
                allowed="levels from 1.2e-7 to 8.8e6",
                fix="another schedule",
            )
        draws = [path(begin, end) / sqrt(end - begin) for path in paths]
        return torch.stack(draws).to(like)

    return draw


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _stream_seed(seed: int, stream: str) -> int:
    digest = blake2b(f"{seed}/{stream}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little")
