import numpy as np
import pytest

from sdnb.control import Control
from sdnb.picture import Picture
from sdnb.pipeline import load
from sdnb.training.adherence import (
    KINDS,
    covered,
    depth,
    draw_steered,
    edges,
    measure_adherence,
    things_in,
)
from sdnb.training.checker import overlap
from sdnb.training.control import SteeredDiffusion, save_control
from sdnb.training.evaluate import unseen_scenes
from sdnb.training.export import load_diffusion
from sdnb.training.loop import TrainState
from sdnb.training.world import draw, sample_pair, sample_single


@pytest.fixture(scope="module")
def scenes():
    return unseen_scenes(sample_single, 10, 1) + unseen_scenes(sample_pair, 10, 1)


def test_depth_shows_every_thing_and_the_nearer_one_lighter(scenes):
    for scene in scenes:
        drawing = draw(scene)
        shown = depth(scene, drawing)
        greys = [int(shown[mask].min()) for mask in drawing.masks]
        assert np.array_equal(shown > 0, covered(drawing))
        assert [greys[i] for i in drawing.order] == sorted(greys)


def test_edges_run_along_the_borders_of_things(scenes):
    for scene in scenes:
        drawing = draw(scene)
        lines = edges(scene, drawing) > 0
        for mask in drawing.masks:
            across = mask[:, 1:] != mask[:, :-1]
            assert lines[:, 1:][across].all()
            assert lines[:, :-1][across].all()
        assert lines.mean() < 0.1


def test_things_are_found_where_they_were_drawn(scenes):
    drawings = [draw(scene) for scene in scenes]
    found = [overlap(things_in(each.picture), covered(each)) for each in drawings]
    assert min(found) > 0.85
    assert np.mean(found) > 0.95


@pytest.fixture
def untrained(made, tmp_path):
    path = tmp_path / "depth.safetensors"
    save_control(path, TrainState.begin(SteeredDiffusion(load_diffusion(made[1]))), "depth")
    return str(path)


def test_adherence_is_measured_on_what_is_drawn(made, untrained):
    measured = measure_adherence(load(str(made[1])), "depth", untrained, 3)
    assert measured.keys() == {"iou", "kept"}
    assert 0 <= measured["kept"] <= 1


def test_every_picture_is_steered_by_its_own_control(made, untrained, scenes):
    # given
    pipe = load(str(made[1]))
    shown = [Picture.of(_image(KINDS["edge"](scene, draw(scene)))) for scene in scenes[:2]]
    controls = [Control(picture=each, reference=untrained) for each in shown]

    # when
    together = draw_steered(pipe, ["a blue cat", "a red car"], controls)
    alone = pipe.run("a red car", seed=1001, controls=(controls[1],)).images[0]

    # then
    assert np.abs(together[1].astype(int) - np.asarray(alone)).max() <= 1


def _image(pixels):
    from PIL import Image

    return Image.fromarray(pixels)
