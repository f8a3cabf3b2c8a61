"""A picture under noise of one level: what the network sees in it, in maps and in numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import torch
from torch import Tensor

from sdnb.comparison.microscope import Inspection
from sdnb.labs.grids import Grids, Maps, signed_grids
from sdnb.labs.seen import Film
from sdnb.result import Result

DOWN, ACROSS = 3, 4
"""Size of the part of channel 0 that is shown in numbers."""

LARGEST = 128
"""Pixels of a longer side on the film, at most."""

UNITS = ("x", "added", "seen")
"""Maps that are about a unit Gaussian."""

Numbers = tuple[tuple[float, ...], ...]


@dataclass(frozen=True, eq=False)
class Level:
    """A picture under noise of one level.

    Parameters
    ----------
    seen : Inspection
        What the network was shown and what it said, without guidance.
    run : Result or None
        On from here to a clean picture; None while that is not made. It begins at ``sigma`` to
        five digits, and at the noisiest level as all runs do (`sdnb.start.Opening.noised`).
    """

    seen: Inspection
    run: Result | None = None

    @property
    def alpha_cumprod(self) -> float:
        """The picture's share of the variance that the network is shown."""
        return 1 / (1 + self.seen.sigma**2)

    @property
    def snr(self) -> float:
        """The signal-to-noise ratio, ``1 / sigma**2``."""
        return self.seen.sigma**-2

    @property
    def correlation(self) -> float:
        """Of the noise that was added with that which the network sees."""
        both = [self.seen.parts[name].flatten() for name in ("eps_true", "eps_cond")]
        return float(torch.corrcoef(torch.stack(both))[0, 1])

    @property
    def missed(self) -> float:
        """How far the estimate is from the picture's latents, root of the mean square."""
        return self.seen.sigma * sqrt(self.seen.error)

    @property
    def numbers(self) -> dict[str, Numbers]:
        """The middle of channel 0, [3][4], in hundredths that add up.

        ``picture + added = noisy`` and ``noisy - seen = estimate``.
        """
        sigma, parts = self.seen.sigma, self.seen.parts
        added, seen = sigma * parts["eps_true"], sigma * parts["eps_cond"]
        picture, added, seen = map(_middle, (parts["x"] - added, added, seen))
        noisy = picture + added
        terms = {"picture": picture, "added": added, "noisy": noisy, "seen": seen}
        return {name: _rows(term) for name, term in {**terms, "estimate": noisy - seen}.items()}


def _middle(latents: Tensor) -> Tensor:
    """Return part of channel 0, in whole hundredths."""
    top, left = (
        max(0, (size - part) // 2)
        for size, part in zip(latents.shape[-2:], (DOWN, ACROSS), strict=True)
    )
    return (100 * latents[0, 0, top : top + DOWN, left : left + ACROSS].double()).round()


def _rows(hundredths: Tensor) -> Numbers:
    return tuple(tuple(value / 100 + 0.0 for value in row) for row in hundredths.tolist())


def grids_of(levels: Sequence[Level]) -> Grids:
    """Return a frame a level: noisy latents as the network is shown them, both noises, x0."""

    def of(name: str) -> Maps:
        return torch.cat([level.seen.parts[name].float() for level in levels])

    shares = torch.tensor([level.alpha_cumprod for level in levels])
    added, seen = of("eps_true"), of("eps_cond")
    noisy = of("x") * shares.sqrt()[:, None, None, None]
    parts = {"x": noisy, "added": added, "seen": seen, "missed": seen - added, "x0": of("x0")}
    return signed_grids(parts, UNITS)


def film_of_levels(levels: Sequence[Level]) -> Film:
    """Return the noisy latents as pictures, from the least noise to the most."""
    frames = [level.seen.decoded["x"].copy() for level in levels]
    for frame in frames:
        frame.thumbnail((LARGEST, LARGEST))
    return Film(
        frames=tuple(frames),
        sigmas=tuple(level.seen.sigma for level in levels),
        times=tuple(level.seen.t for level in levels),
        exact=frozenset(range(len(levels))),
        at=len(levels) // 2,
    )
