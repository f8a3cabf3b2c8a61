"""Which values an option may have: the same name means the same in every sampler of sdnb."""

from collections.abc import Mapping
from math import inf, isfinite

from sdnb.errors import InvalidField

RANGES: dict[str, tuple[float, float, str]] = {
    "eta": (0.0, inf, "0 and more, usually 0 … 1"),
    "s_noise": (0.0, inf, "0 and more, usually 1"),
    "s_churn": (0.0, inf, "0 and more"),
    "s_tmin": (0.0, inf, "a level, 0 and more"),
    "tau_start": (0.0, 1.0, "0 … 1"),
    "tau_end": (0.0, 1.0, "0 … 1"),
    "rtol": (0.0, inf, "0 and more"),
    "atol": (0.0, inf, "0 and more"),
    "icoeff": (0.0, inf, "0 and more"),
    "pcoeff": (0.0, inf, "0 and more"),
    "dcoeff": (0.0, inf, "0 and more"),
    "ge_gamma": (-inf, inf, "a number, usually 1 … 5"),
}
"""Lowest and highest value, both allowed, and how that is said."""

WORDS = {
    "solver_type": ("midpoint", "heun"),
    "uncond": ("midpoint", "start"),
    "deis_mode": ("tab", "rhoab"),
    "noise_scale": ("exponential", "reciprocal", "logarithmic", "square"),
}
"""Options that are one of a few words."""

SHARES = {"r": "0.5", "r_1": "0.333", "r_2": "0.667", "accept_safety": "0.81"}
"""Options between 0 and 1 that may be neither, with a usual value."""


def check_options(name: str, options: Mapping[str, object]) -> None:
    """Refuse an option that is out of its range or none of its words; NaN is in no range.

    Parameters
    ----------
    name : str
        The sampler's.
    """
    for key, value in options.items():
        if key in WORDS and value not in WORDS[key]:
            raise _out_of_range(name, key, value, ", ".join(WORDS[key]), WORDS[key][0])
        if not isinstance(value, int | float):
            continue
        if key in SHARES and not 0 < value < 1:
            raise _out_of_range(name, key, value, "over 0 and under 1", SHARES[key])
        if key in RANGES:
            low, high, said = RANGES[key]
            if not (low <= value <= high and isfinite(value)):
                raise _out_of_range(name, key, value, said, "1")


def _out_of_range(name: str, key: str, value: object, allowed: str, usual: str) -> InvalidField:
    return InvalidField(
        f"option {key} of {name} has no such value.",
        given=value,
        allowed=allowed,
        fix=f"{name} {key}={usual}",
    )
