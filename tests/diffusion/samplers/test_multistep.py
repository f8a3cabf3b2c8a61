"""Weights of multistep methods integrate polynomials exactly."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sdnb.diffusion.samplers.multistep import adams_weights, weighed, weights_of

NODES = st.lists(st.integers(-40, 40), min_size=1, max_size=6, unique=True)


@given(nodes=NODES)
def test_every_power_below_the_number_of_nodes_is_integrated_exactly(nodes):
    # given: shares of a step, as samplers have them
    shares = [node / 20 for node in nodes]
    moments = [1 / (k + 1) for k in range(len(shares))]

    # when
    weights = weights_of(shares, moments)

    # then
    size = max(map(abs, weights))
    for k, moment in enumerate(moments):
        found = sum(weight * share**k for weight, share in zip(weights, shares, strict=True))
        assert found == pytest.approx(moment, abs=1e-12 * max(1, size) * 2**k)


def test_two_answers_are_weighed_as_adams_and_bashforth_did():
    assert adams_weights([0.0, -1.0], 0.0, 1.0) == pytest.approx([3 / 2, -1 / 2])


def test_states_are_added_by_their_weights():
    # given
    states = [torch.full((1, 2), value, dtype=torch.float64) for value in (1.0, 10.0, 100.0)]

    # then
    assert weighed(states, [3.0, 0.5, -1.0]).tolist() == [[-92.0, -92.0]]
    assert states[0].tolist() == [[1.0, 1.0]]
