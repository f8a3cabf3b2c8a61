from threading import current_thread, main_thread

import numpy as np
import pytest

from sdnb.errors import ModelError, PipelineBusy
from sdnb.pipeline import load
from sdnb.training.evaluate import evaluate, score_prompts, tabulate, unseen_scenes
from sdnb.training.generate import generator_of
from sdnb.training.world import draw, sample_pair


def test_prompts_together_give_the_pictures_they_give_alone(made):
    # given
    pipe = load(str(made[1]))
    prompts, seeds = ["a red circle", "a blue cat in the snow, left of a tree", ""], [3, 4, 5]
    # when
    together = generator_of(pipe, steps=3)(prompts, seeds)
    alone = [
        np.asarray(pipe.run(prompt, seed=seed, steps=3, cfg_scale=4.0).images[0])
        for prompt, seed in zip(prompts, seeds, strict=True)
    ]
    # then
    assert np.abs(together.astype(int) - np.stack(alone)).max() <= 1


def test_pictures_are_made_in_the_pipelines_turn(made, monkeypatch):
    # given
    pipe, busy = load(str(made[1])), []
    forward = pipe.components.unet.forward

    def watched(*args, **kwargs):
        if current_thread() is not main_thread():
            with pytest.raises(PipelineBusy), pipe.turn(wait=False):
                pass
            busy.append(True)
        return forward(*args, **kwargs)

    monkeypatch.setattr(pipe.components.unet, "forward", watched)
    # when
    generator_of(pipe, steps=2)(["a red circle"], [3])
    # then
    assert busy


def test_an_error_in_the_first_round_is_raised(made, monkeypatch):
    # given
    pipe, fails = load(str(made[1])), iter([True])
    forward = pipe.components.unet.forward

    def failing_once(*args, **kwargs):
        if next(fails, False):
            raise RuntimeError("no")
        return forward(*args, **kwargs)

    monkeypatch.setattr(pipe.components.unet, "forward", failing_once)
    # when / then
    with pytest.raises(ModelError, match="no"):
        generator_of(pipe, steps=2)(["a red circle"], [3])


def test_a_perfect_model_gets_every_point(tmp_path):
    # given
    scenes = unseen_scenes(sample_pair, 24, seed=1)
    asked = []

    def generate(prompts, seeds):
        asked.extend(prompts)
        return np.stack([draw(scene).picture for scene in scenes])

    # when
    score = score_prompts(generate, scenes, tmp_path / "sheet.png")
    # then
    assert all(
        f"{s.things[0].colour} {s.things[0].kind}" in p for s, p in zip(scenes, asked, strict=True)
    )
    assert score.parts()["relation"] == score.parts()["kinds"] == 1.0
    assert (tmp_path / "sheet.png").exists()


def test_an_untrained_model_is_measured_and_found_wanting(made):
    # given
    pipe = load(str(made[1]))
    # when
    report = evaluate(pipe, 2)
    # then
    assert report["vae_psnr"] < 25
    assert report["one_object"]["all_right"] < 1
    assert set(tabulate(report)) > {"VAE PSNR on unseen scenes"}
