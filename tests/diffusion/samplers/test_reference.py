"""Every sampler against the stored numbers: endpoints, evaluation counts, evaluated points."""

from collections import defaultdict

import pytest
import torch

from sdnb.diffusion.samplers.loop import sample
from sdnb.inpaint import KnownRegion
from sdnb.registry import SAMPLERS
from tests.reference import array, levels, problem, rows

KNOWN = set(SAMPLERS.names())
ALLOWED = {"er_sde": 1e-7}  # its stored numbers take the integral's points in float32
SIGMAS = {row["id"]: row for row in rows("sigma")}


def by_sampler(table: str) -> list:
    """Return the rows of each sampler on each problem: one test for them all."""
    found = defaultdict(list)
    for row in rows(table):
        if row["sampler"] in KNOWN:
            found[row["problem"], row["sampler"]].append(row)
    return [pytest.param(together, id="-".join(key)) for key, together in found.items()]


def test_every_sampler_of_the_reference_is_known():
    tables = ("main", "extra", "traj")
    assert {row["sampler"] for table in tables for row in rows(table)} <= KNOWN


def relative_error(found: torch.Tensor, stored: torch.Tensor) -> float:
    return float((found - stored).norm() / stored.norm())


class Counting:
    """A denoiser that remembers what it was asked."""

    def __init__(self, denoiser):
        self.denoiser, self.asked = denoiser, []

    def __call__(self, x, sigma):
        self.asked.append((x, sigma))
        return self.denoiser(x, sigma)


@pytest.mark.parametrize("together", by_sampler("main"))
def test_full_runs_end_where_the_reference_ends(together):
    off = []
    for row in together:
        # given
        mixture, stored = problem(row["problem"]), SIGMAS[row["sigma_id"]]
        sigmas = levels(stored["offset"], stored["len"])
        denoiser = Counting(mixture)

        # when
        end = sample(denoiser, mixture.start(sigmas[0]), sigmas, row["sampler"], mixture.noise())

        # then
        error = relative_error(end, array(f"{row['problem']}/end")[row["row"]])
        asked = len(denoiser.asked)
        if not (error < ALLOWED.get(row["sampler"], 1e-9) and asked == row["nfe"]):
            off.append((row, error, asked))
    assert off == []


@pytest.mark.parametrize("together", by_sampler("extra"))
def test_runs_from_latents_end_where_the_reference_ends(together):
    errors = [(row, error_from_latents(row)) for row in together]

    assert [each for each in errors if not each[1] < ALLOWED.get(each[0]["sampler"], 1e-9)] == []


def error_from_latents(row):
    name = row["problem"]
    mixture = problem(name)
    sigmas = levels(row["sigma_offset"], row["sigma_len"])
    latent = array(f"{name}/latent")
    start = mixture.start(sigmas[0]) + latent
    denoiser = mixture
    if row["what"] == "inpaint":
        noise = array(f"{name}/{'ddim_inpaint_noise' if row['sampler'] == 'ddim' else 'noise'}")
        known = KnownRegion(latent, noise, array(f"{name}/mask"))

        def denoiser(x, sigma):
            denoised, denoised_uncond = mixture(known.show(x, sigma), sigma)
            return known.keep(denoised), denoised_uncond

    end = sample(denoiser, start, sigmas, row["sampler"], mixture.noise())
    return relative_error(end, array(f"{name}/extra_end")[row["row"]])


@pytest.mark.parametrize(
    "row",
    [
        pytest.param(row, id=f"{row['problem']}-{row['sampler']}")
        for row in rows("traj")
        if row["sampler"] in KNOWN
    ],
)
def test_every_evaluated_point_equals_the_reference(row):
    # given
    name = row["problem"]
    mixture = problem(name)
    main = next(
        other
        for other in rows("main")
        if all(other[key] == row[key] for key in ("problem", "sampler", "scheduler", "steps"))
    )
    stored = SIGMAS[main["sigma_id"]]
    sigmas = levels(stored["offset"], stored["len"])
    denoiser = Counting(mixture)

    # when
    sample(denoiser, mixture.start(sigmas[0]), sigmas, row["sampler"], mixture.noise())

    # then
    here = slice(row["offset"], row["offset"] + row["nfe"])
    asked_sigmas = torch.tensor([sigma for _, sigma in denoiser.asked], dtype=torch.float64)
    asked_x = torch.stack([x for x, _ in denoiser.asked])
    allowed = ALLOWED.get(row["sampler"], 1e-9)
    assert relative_error(asked_sigmas, array(f"{name}/traj_sigma")[here]) < allowed
    assert relative_error(asked_x, array(f"{name}/traj_x")[here]) < allowed
