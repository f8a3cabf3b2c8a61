"""SA-Solver: stochastic Adams, predicted and corrected."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from math import expm1, log, sqrt

from sdnb.diffusion.noise import Noise
from sdnb.diffusion.noise_schedules import NoiseSchedule
from sdnb.diffusion.samplers.contract import Evaluate, Proposals, Step, sampler
from sdnb.diffusion.samplers.multistep import check_order, exponential_weights, weighed, weights_of
from sdnb.shapes import State

Weights = Callable[[Sequence[float], float, float, float], list[float]]
"""``(lambdas, begin, end, tau)`` -> the weight of each answer."""


@sampler("sa_solver", family="SA-Solver", order=2, nominal_order=3, history=3, stochastic=True)
def sa_solver(
    x: State,
    sigmas: Sequence[float],
    noise: Noise,
    *,
    noise_schedule: NoiseSchedule,
    predictor_order: int = 3,
    corrector_order: int = 4,
    eta: float = 1.0,
    tau_start: float = 0.2,
    tau_end: float = 0.8,
    s_noise: float = 1.0,
    simple_order_2: bool = False,
) -> Proposals:
    """Predictor-corrector in the clean estimate; one evaluation per step.

    The correction uses the answer at the predicted point, which is not asked for again.

    Parameters
    ----------
    predictor_order, corrector_order : int
        Answers used, the present one included.
    eta : float
        The paper's tau in the middle of the run: 0 is deterministic.
    tau_start, tau_end : float
        The middle, as shares of training's timesteps counted from the noisy end; outside tau
        is 0.
    s_noise : float
        Factor on the noise added.
    simple_order_2 : bool
        Whether steps with two answers use `simple_weights`.

    Source: Xue et al. 2023 (arXiv:2309.05019), Algorithm 1.
    """
    tau = tau_between(noise_schedule, eta, tau_start, tau_end)
    orders = (predictor_order, corrector_order)
    weights = simple_weights if simple_order_2 else exponential_weights
    return _stochastic_adams(x, sigmas, noise, tau, orders, s_noise, weights, asks=1)


@sampler("sa_solver_pece", family="SA-Solver", order=2, nominal_order=3, history=3, stochastic=True)
def sa_solver_pece(
    x: State,
    sigmas: Sequence[float],
    noise: Noise,
    *,
    noise_schedule: NoiseSchedule,
    predictor_order: int = 3,
    corrector_order: int = 4,
    eta: float = 1.0,
    tau_start: float = 0.2,
    tau_end: float = 0.8,
    s_noise: float = 1.0,
    simple_order_2: bool = False,
) -> Proposals:
    """`sa_solver` that asks again at the corrected point; two evaluations per step.

    Parameters
    ----------
    predictor_order, corrector_order, eta, tau_start, tau_end, s_noise, simple_order_2
        As there.

    Source: Xue et al. 2023 (arXiv:2309.05019), Algorithm 1, evaluated again (PECE).
    """
    tau = tau_between(noise_schedule, eta, tau_start, tau_end)
    orders = (predictor_order, corrector_order)
    weights = simple_weights if simple_order_2 else exponential_weights
    return _stochastic_adams(x, sigmas, noise, tau, orders, s_noise, weights, asks=2)


def simple_weights(lambdas: Sequence[float], begin: float, end: float, tau: float) -> list[float]:
    """Weights as `exponential_weights`, but of two answers with a plain slope.

    The slope between them counts ``(1 + tau**2) * h**2 / 2``, where the integral differs from
    that by a term in ``h**3``: the order stays.

    Source: Xue et al. 2023 (arXiv:2309.05019), on few steps.
    """
    if len(lambdas) != 2:
        return exponential_weights(lambdas, begin, end, tau)
    h = end - begin
    rate = (1 + tau**2) * h
    return weights_of([(value - begin) / h for value in lambdas], [-expm1(-rate), rate / 2])


def tau_between(
    noise_schedule: NoiseSchedule, eta: float, start: float, end: float
) -> Callable[[float], float]:
    """Give ``eta`` at levels between two shares of the timesteps, else 0."""
    last = len(noise_schedule.alphas_cumprod) - 1
    high, low = (noise_schedule.sigma((1 - share) * last) for share in (start, end))
    edge = 1 + 1e-6  # levels computed in float32 may lie on an end
    return lambda sigma: eta if low / edge <= sigma <= high * edge else 0.0


def _stochastic_adams(
    x: State,
    sigmas: Sequence[float],
    noise: Noise,
    tau: Callable[[float], float],
    orders: tuple[int, int],
    s_noise: float,
    weights: Weights,
    asks: int,
) -> Proposals:
    for name, order in zip(("predictor_order", "corrector_order"), orders, strict=True):
        check_order(name, order, 4)
    predictor_order, corrector_order = orders
    answers: list[State] = []
    lambdas: list[float] = []
    begin, predicted = x, x
    fresh: State | float = 0.0
    nonzero = sum(sigma > 0 for sigma in sigmas)
    for i, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        denoised = yield Evaluate(x, sigma)
        kept = max(orders) - 1
        answers, lambdas = [denoised, *answers[:kept]], [-log(sigma), *lambdas[:kept]]
        if len(answers) > 1 and (sigma_next > 0 or asks == 2):
            order = min(corrector_order, len(answers), nonzero - i)
            shares = weights(lambdas[:order], lambdas[1], lambdas[0], tau(sigma))
            # what a hook changed in x stays changed
            x = x + (_adams(begin, answers, shares) + fresh - predicted)
            if asks == 2:
                answers[0] = denoised = yield Evaluate(x, sigma)
        if sigma_next == 0:
            x = yield Step(denoised, denoised, sigma_next)
            continue
        order = min(predictor_order, len(answers), nonzero - i - 1)
        lambda_next = -log(sigma_next)
        fresh = 0.0
        if rate := tau(sigma_next) ** 2 * (lambda_next - lambdas[0]):
            spread = sigma_next * sqrt(-expm1(-2 * rate))
            fresh = noise(sigma, sigma_next) * (s_noise * spread)
        begin = x
        shares = weights(lambdas[:order], lambdas[0], lambda_next, tau(sigma_next))
        predicted = _adams(x, answers, shares) + fresh
        x = yield Step(denoised, predicted, sigma_next)


def _adams(x: State, answers: Sequence[State], weights: Sequence[float]) -> State:
    # along the polynomial through the newest answers; without the noise
    return weighed([x, *answers[: len(weights)]], [1 - sum(weights), *weights])
