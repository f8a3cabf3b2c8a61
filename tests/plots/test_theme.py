from itertools import combinations

import numpy as np
import pytest

from sdnb.plots.theme import INK, PALETTE, sampler_mark, schedule_mark
from sdnb.registry import SAMPLERS, SCHEDULES

LIGHT, DARK = "#ffffff", "#111111"
"""JupyterLab's pages."""

# Viénot, Brettel & Mollon 1999, on linear RGB: what a reader without red or green cones sees.
BLIND = {
    "protan": [[0.11238, 0.88762, 0], [0.11238, 0.88762, 0], [0.00401, -0.00401, 1]],
    "deutan": [[0.29275, 0.70725, 0], [0.29275, 0.70725, 0], [-0.02234, 0.02234, 1]],
}


def linear(colour: str) -> np.ndarray:
    rgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def lab(rgb: np.ndarray) -> np.ndarray:
    """CIE L*a*b* of linear RGB, D65."""
    to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    xyz = np.array(to_xyz) @ np.clip(rgb, 0, 1) / np.array([0.9505, 1, 1.089])
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def contrast(one: str, other: str) -> float:
    weights = np.array([0.2126, 0.7152, 0.0722])
    low, high = sorted(float(linear(colour) @ weights) for colour in (one, other))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("sight", [None, *BLIND])
def test_colours_are_told_apart_by_every_reader(sight: str | None) -> None:
    seen = np.eye(3) if sight is None else np.array(BLIND[sight])
    for one, other in combinations(PALETTE, 2):
        apart = np.linalg.norm(lab(seen @ linear(one)) - lab(seen @ linear(other)))
        assert apart > 12, (one, other)


@pytest.mark.parametrize("page", [LIGHT, DARK])
def test_text_and_lines_are_seen_on_light_and_dark_pages(page: str) -> None:
    assert contrast(INK, page) > 4
    assert all(contrast(colour, page) > 2.1 for colour in PALETTE)


def test_no_two_samplers_look_alike() -> None:
    names = SAMPLERS.names()
    assert len({sampler_mark(name) for name in names}) == len(names)


def test_no_two_schedules_look_alike() -> None:
    names = SCHEDULES.names()
    assert len({schedule_mark(name) for name in names}) == len(names)


def test_an_unregistered_name_has_a_look_of_its_own_every_time() -> None:
    assert schedule_mark("karras rho=5") == schedule_mark("karras rho=5")
