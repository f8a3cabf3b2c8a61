from collections.abc import Callable

import pytest
import torch

from sdnb.diffusion.analytic import GaussianMixture, spiral, three_blobs, two_moons
from sdnb.diffusion.samplers.loop import sample
from sdnb.diffusion.sigma_schedules import sigmas
from sdnb.errors import InvalidField
from tests import reference


def reference_mixture(name: str) -> GaussianMixture:
    parts = ("weights", "means", "vars")
    weights, means, variances = (reference.array(f"{name}/cond_{part}") for part in parts)
    return GaussianMixture(weights, means, variances)


def test_it_answers_as_the_reference_denoiser() -> None:
    # given
    problem = reference.problem("A")
    x = problem.start(14.6)
    # when / then
    for sigma in (14.6, 1.0, 0.03):
        answer = reference_mixture("A")(x, sigma)
        assert torch.allclose(answer, problem(x, sigma)[0], rtol=1e-12, atol=1e-12)


def test_its_endpoint_is_the_reference_s() -> None:
    # given
    mixture, meta = reference_mixture("A"), reference.INDEX["meta"]
    x = reference.problem("A").start(meta["sigma_max"])
    # when / then
    for sigma_end, name in ((0.0, "exact_sigma0"), (meta["sigma_min"], "exact_sigmamin")):
        end = mixture.endpoint(x, meta["sigma_max"], sigma_end)
        assert torch.allclose(end, reference.array(f"A/{name}"), rtol=0, atol=1e-9)


def test_one_gaussian_s_closed_form_is_what_integration_gives() -> None:
    # given
    one = torch.ones(1, dtype=torch.float64)
    mean = torch.tensor([[0.3, -1.0]], dtype=torch.float64)
    variance = torch.tensor([[0.8, 0.1]], dtype=torch.float64)
    single = GaussianMixture(one, mean, variance)
    twice = GaussianMixture(one.repeat(2), mean.repeat(2, 1), variance.repeat(2, 1))
    x = single.start(5, 14.6)
    # when / then
    closed, integrated = single.endpoint(x, 14.6, 0.1), twice.endpoint(x, 14.6, 0.1)
    assert torch.allclose(closed, integrated, rtol=0, atol=1e-10)


def test_a_fine_run_reaches_the_endpoint() -> None:
    # given
    mixture, levels = three_blobs(), sigmas("karras", 400)[:-1].tolist()
    x = mixture.start(8, levels[0])
    # when
    end = sample(mixture, x, levels, "heun")
    # then
    assert torch.allclose(end, mixture.endpoint(x, levels[0], levels[-1]), atol=2e-3)


def test_without_noise_the_answer_is_the_question() -> None:
    x = three_blobs().start(4, 1.0)
    assert torch.equal(three_blobs()(x, 0.0), x)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_it_keeps_shape_and_dtype(dtype: torch.dtype) -> None:
    # given
    mixture = three_blobs()
    x = mixture.start(3, 10.0).to(dtype).reshape(3, 1, 2)
    # when / then
    for said in (mixture(x, 10.0), mixture.endpoint(x, 10.0)):
        assert (said.shape, said.dtype) == (x.shape, dtype)


@pytest.mark.parametrize(
    ("weights", "variances"), [((1.0, -1.0), (1.0, 1.0)), ((1.0, 1.0), (0.0, 1.0))]
)
def test_what_is_no_mixture_is_refused(
    weights: tuple[float, ...], variances: tuple[float, ...]
) -> None:
    with pytest.raises(InvalidField, match="mixture"):
        GaussianMixture(torch.tensor(weights), torch.zeros(2, 1), torch.tensor([variances]).T)


@pytest.mark.parametrize("made", [three_blobs, two_moons, spiral])
def test_the_score_is_the_gradient_of_the_density_and_gives_the_answer(
    made: Callable[[], GaussianMixture],
) -> None:
    # given
    mixture, sigma = made(), 0.4
    x = mixture.start(20, sigma).requires_grad_()
    # when
    spread = mixture.variances + sigma**2
    logs = -0.5 * ((x[:, None] - mixture.means) ** 2 / spread + spread.log()).sum(-1)
    density = (logs + mixture.weights.log()).logsumexp(1).sum()
    (gradient,) = torch.autograd.grad(density, x)
    x = x.detach()
    # then
    assert torch.allclose(mixture.score(x, sigma), gradient)
    assert torch.allclose(mixture(x, sigma), x + sigma**2 * gradient)


@pytest.mark.parametrize("made", [two_moons, spiral])
def test_data_of_the_plane_have_mean_0_and_a_mean_variance_of_1(
    made: Callable[[], GaussianMixture],
) -> None:
    data = made().draw(20_000, seed=3)
    assert torch.allclose(data.mean(0), torch.zeros(2, dtype=data.dtype), atol=0.03)
    assert float(data.square().mean()) == pytest.approx(1, abs=0.03)


def test_what_is_drawn_has_the_shares_and_widths_of_the_mixture() -> None:
    # given
    mixture = GaussianMixture(
        torch.tensor([1.0, 3.0]), torch.tensor([[-9.0], [9.0]]), torch.tensor([[0.25], [1.0]])
    )
    # when
    drawn, again = mixture.draw(8000), mixture.draw(8000)
    # then
    assert torch.equal(drawn, again)
    right = drawn[drawn > 0]
    assert len(right) / 8000 == pytest.approx(0.75, abs=0.02)
    assert float(right.std()) == pytest.approx(1, abs=0.04)
    assert float(drawn[drawn < 0].std()) == pytest.approx(0.5, abs=0.03)
