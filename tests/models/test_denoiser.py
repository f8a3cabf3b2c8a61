"""The network's one entry: many questions in one call equal each alone."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from sdnb.diffusion.prediction import PREDICTIONS, input_scale
from sdnb.models.denoiser import Denoiser, Question
from sdnb.models.text import encode_text


def questions(pipe):
    generator = torch.Generator().manual_seed(3)
    cond, uncond = (encode_text(pipe.components, [text]) for text in ("a red cat", ""))
    for sigma, branches in ((9.0, {"uncond": uncond, "cond": cond}), (0.5, {"cond": cond})):
        x = torch.randn(1, 4, 16, 16, generator=generator) * sigma
        yield Question(x, sigma, pipe.components.noise_schedule.t(sigma), branches)


def test_questions_at_different_levels_share_one_call(pipe):
    # given
    denoiser, asked = Denoiser(pipe.components), list(questions(pipe))

    # when
    together = denoiser(asked)
    alone = [denoiser([question])[0] for question in asked]

    # then
    for joint, single in zip(together, alone, strict=True):
        assert joint.keys() == single.keys()
        for name, eps in joint.items():
            assert torch.allclose(eps, single[name], atol=1e-4)


def test_gradients_flow_only_where_asked(pipe):
    # given
    denoiser, question = Denoiser(pipe.components), next(iter(questions(pipe)))
    question.x.requires_grad_()

    # when
    quiet, loud = denoiser([question])[0], denoiser.differentiable([question])[0]
    loud["cond"].sum().backward()

    # then
    assert not quiet["cond"].requires_grad
    assert question.x.grad.abs().sum() > 0


def test_a_network_that_predicts_velocity_is_understood(pipe):
    # given
    generator = torch.Generator().manual_seed(2)
    x0, eps = torch.randn(2, 1, 4, 16, 16, generator=generator)
    sigma = 3.0

    class Velocity(torch.nn.Module):
        dtype = torch.float32
        config = pipe.components.unet.config

        def forward(self, x, _t, **_text):
            v = (eps - sigma * x0) / (1 + sigma**2) ** 0.5
            return SimpleNamespace(sample=v.expand_as(x))

    parts = replace(pipe.components, unet=Velocity(), prediction="v_prediction")
    cond = encode_text(pipe.components, ["a cat"])
    question = Question(x0 + sigma * eps, sigma, 500.0, {"cond": cond})

    # when
    (answer,) = Denoiser(parts)([question])

    # then
    assert torch.allclose(answer["cond"], eps, atol=1e-5)


@pytest.mark.parametrize("prediction", PREDICTIONS)
def test_every_prediction_type_leads_to_the_same_noise(prediction):
    # given
    generator = torch.Generator().manual_seed(1)
    x0, eps = torch.randn(2, 3, 4, 4, 4, generator=generator, dtype=torch.float64)
    sigma = torch.tensor([0.3, 2.0, 14.0], dtype=torch.float64).reshape(-1, 1, 1, 1)
    x = x0 + sigma * eps
    predicted = {
        "epsilon": eps,
        "v_prediction": (eps - sigma * x0) * input_scale(sigma),
        "sample": x0,
    }

    # when
    found = PREDICTIONS[prediction](predicted[prediction], x, sigma)

    # then
    assert torch.allclose(found, eps)
