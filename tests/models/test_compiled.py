"""A compiled network answers where it can; what looks inside gets the plain one, and says so."""

import pytest
import torch

import sdnb


class Compiled:
    """Stands for a compiled network: it counts, and writes all its answers to one place."""

    def __init__(self, network):
        self.network, self.calls, self.place = network, 0, None

    def __call__(self, *inputs, **options):
        self.calls += 1
        answer = self.network(*inputs, **options)
        if self.place is None or self.place.shape != answer.sample.shape:
            self.place = torch.empty_like(answer.sample)
        self.place.copy_(answer.sample)
        answer.sample = self.place
        return answer


@pytest.fixture
def compiled(pipe, monkeypatch):
    monkeypatch.setattr(torch, "compile", lambda network, **_options: Compiled(network))
    return pipe.compiled()


def drawn(pipe, **fields):
    return pipe.run("a cat", seed=1, steps=2, **fields)


def test_a_compiled_network_draws_the_same_picture(pipe, compiled):
    result = drawn(compiled)
    assert torch.equal(result.trace.x, drawn(pipe).trace.x)
    assert compiled.components.compiled.calls == 2
    assert result.notices == ()
    assert "compiled" in compiled.info()["device"]
    assert "compiled" not in pipe.info()["device"]


def test_runs_in_lockstep_use_it_too(pipe, compiled):
    ours = sdnb.compare(compiled, "a cat", seed=1, steps=2, sampler=["euler", "ddim"])
    theirs = sdnb.compare(pipe, "a cat", seed=1, steps=2, sampler=["euler", "ddim"])
    assert compiled.components.compiled.calls == 2
    for first, second in zip(ours.results, theirs.results, strict=True):
        assert torch.equal(first.latents, second.latents)


def test_looking_inside_uses_the_plain_network_and_says_so(compiled):
    watched = drawn(compiled, attention=True)
    tapped = drawn(compiled, hooks=sdnb.Hooks.at("module.mid_block", lambda _event: None))
    assert compiled.components.compiled.calls == 0
    for result in (watched, tapped):
        assert any("compiled" in notice for notice in result.notices)


def test_gradients_come_from_the_plain_network(compiled):
    def look(event):
        x = event.x.clone().requires_grad_()
        assert torch.autograd.grad(event.denoise(x).sum(), x)[0].abs().sum() > 0

    drawn(compiled, hooks=sdnb.Hooks(on_denoise=(look,)))
    assert compiled.components.compiled.calls == 2


def test_a_real_compiler_gives_the_same_answer(pipe, monkeypatch):
    compile = torch.compile
    monkeypatch.setattr(torch, "compile", lambda network, **_: compile(network, backend="eager"))
    ours, theirs = drawn(pipe.compiled()), drawn(pipe)
    assert (ours.latents - theirs.latents).norm() < 1e-5 * theirs.latents.norm()
