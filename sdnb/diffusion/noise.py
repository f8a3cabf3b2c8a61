"""Noise from explicit generators, one set for each image; the global generator is never touched.

Image i is drawn on the CPU in float32 from seed + i, so it is the same alone, in a batch and on
any device. The noise inside the loop comes from a second stream, independent of every start.
torch's CPU generator reads the low 32 bits of a seed: seeds that share them share their noise.

No other program draws the same noise inside the loop: with a stochastic sampler a seed gives
sdnb's picture, not ComfyUI's.
"""

from bisect import bisect_left
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
        return on_device(torch.stack(draws), like)

    return draw


def renoise(x: State, noise: Noise, sigma: float, sigma_next: float, spread: float) -> State:
    """Add a draw of standard deviation ``spread``; for 0 nothing is drawn."""
    return x + noise(sigma, sigma_next) * spread if spread > 0 else x


def brownian_noise(seeds: Sequence[int], like: State) -> Noise:
    """Make the noise of an SDE solver: each image's draws are parts of one Brownian path.

    The path runs over ``log sigma``: draws over overlapping stretches are correlated as they
    must be, and a run with other steps follows the same path up to wiggles finer than
    `PATH_STEP`. Raises `InvalidField` for levels outside `PATH_END`.
    """
    path = BrownianPath(seeds, tuple(like.shape[1:]))

    def draw(sigma: float, sigma_next: float) -> State:
        begin, end = -log(sigma), -log(sigma_next)
        if not -PATH_END <= begin < end <= PATH_END:
            raise InvalidField(
                "noise is drawn over a stretch of falling levels.",
                given=(sigma, sigma_next),
                allowed="levels from 1.2e-7 to 8.8e6",
                fix="another schedule",
            )
        return on_device((path(end) - path(begin)) / sqrt(end - begin), like)

    return draw


class BrownianPath:
    """One Brownian path for each seed, drawn where it is asked for and nowhere else.

    Between two points that are known, the path's value is normal about the line that joins
    them. Stretches are halved so down to `PATH_STEP`; the points of that grid depend on the seed
    alone. A point between them depends on which others of its stretch were asked for before.
    Every value asked for is kept.

    Source: Lévy's construction; as a tree that is grown on demand, Li et al. 2020
    (arXiv:2001.01328).
    """

    def __init__(self, seeds: Sequence[int], shape: tuple[int, ...]) -> None:
        self._seeds = seeds
        self._generator = torch.Generator()
        self._shape = shape
        self._times = [-PATH_END, PATH_END]
        start = torch.zeros(len(seeds), *shape)
        self._values = [start, start + self._eps(PATH_END) * sqrt(2 * PATH_END)]

    def __call__(self, time: float) -> State:
        """Return the paths' values at a time from ``-PATH_END`` to ``PATH_END``, [B, ...]."""
        i = bisect_left(self._times, time)
        while self._times[i] != time:
            left, right = self._times[i - 1 : i + 1]
            between = time if right - left <= PATH_STEP else (left + right) / 2
            share = (between - left) / (right - left)
            line = torch.lerp(self._values[i - 1], self._values[i], share)
            self._values.insert(i, line + self._eps(between) * sqrt(share * (right - between)))
            self._times.insert(i, between)
            i = bisect_left(self._times, time)
        return self._values[i]

    def _eps(self, time: float) -> State:
        # rounded: a level that another machine computes with another last digit draws the same
        streams = [_stream_seed(seed, f"path at {time:.8f}") for seed in self._seeds]
        draws = [
            torch.randn(self._shape, generator=self._generator.manual_seed(stream))
            for stream in streams
        ]
        return torch.stack(draws)


def on_device(drawn: State, like: State) -> State:
    """Bring noise to where ``like`` is and to its dtype, while the device computes on."""
    pinned = drawn.pin_memory() if like.is_cuda else drawn
    return pinned.to(like, non_blocking=True)


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _stream_seed(seed: int, stream: str) -> int:
    digest = blake2b(f"{seed}/{stream}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little")
