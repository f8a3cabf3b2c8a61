"""``%sd film``, ``%sd latents``, ``%sd inspect``, ``%sd tree``: on the real model, small."""

import gc
from pathlib import Path

import pytest
import torch
from PIL import Image

from sdnb.comparison.microscope import Inspection
from sdnb.comparison.tree import Tree
from sdnb.errors import InvalidField, SdnbError, UnknownName
from sdnb.magics.commands import COMMANDS
from sdnb.magics.complete import proposals
from sdnb.pipeline import Pipeline
from sdnb.plots.figure import Figure
from sdnb.result import Result
from tests.magics.conftest import Notebook

LOOKING = ("film", "latents", "attention", "inspect")
DRAW = "%sd a red circle --seed 7 --steps 4 --batch 2"


def test_film_shows_the_last_picture_forming(real: Notebook) -> None:
    # given
    real.run(DRAW)
    # when
    figure = real.run("%sd film")
    # then
    assert isinstance(figure, Figure)
    assert len(figure.layout.images) == 4
    assert figure.data[0].text[0] == "step 0<br>σ 14.6"


def test_film_shows_as_many_frames_as_asked_of_the_image_asked(real: Notebook) -> None:
    # given
    real.run(DRAW)
    # when
    first, second = real.run("%sd film --frames 2"), real.run("%sd film --frames 2 --index 1")
    # then
    assert [text.split("<br>")[0] for text in first.data[0].text] == ["step 0", "step 3"]
    assert first.layout.images[1].source != second.layout.images[1].source


def test_latents_shows_the_channels_at_the_end_or_after_a_step(real: Notebook) -> None:
    # given
    result = real.run(DRAW)
    # when
    end, start = real.run("%sd latents"), real.run("%sd latents --step 0 --index 1")
    # then
    assert isinstance(result, Result)
    for figure, latents in ((end, result.latents[0]), (start, result.trace.x[0, 1])):
        drawn = torch.tensor([trace.z for trace in figure.data if trace.type == "heatmap"])
        assert torch.allclose(drawn, latents, rtol=0.01)
    assert "σ 14.6" in start.layout.title.text


def test_attention_has_a_map_for_each_word_of_the_last_prompt(real: Notebook) -> None:
    # given
    real.run(DRAW)
    # when
    figure, chosen = real.run("%sd attention"), real.run("%sd attention --words circle --index 1")
    # then
    assert [trace.meta for trace in figure.data if trace.type == "heatmap"] == [
        "a",
        "red",
        "circle",
    ]
    (heat,) = [trace for trace in chosen.data if trace.type == "heatmap"]
    assert max(max(row) for row in heat.z) == 1.0


def test_attention_is_shown_step_by_step(real: Notebook) -> None:
    # given
    real.run(DRAW)
    # when
    figure = real.run("%sd attention --words red,circle --steps")
    # then
    assert [text.split("<")[0] for text in figure.layout.yaxis.ticktext] == ["red", "circle"]
    assert list(figure.layout.xaxis.ticktext) == ["0", "1", "2", "3"]


def test_attention_of_a_word_that_is_not_there_names_those_that_are(real: Notebook) -> None:
    # given
    real.run(DRAW)
    # when / then
    with pytest.raises(UnknownName, match="circle"):
        real.run("%sd attention --words circel")
    with pytest.raises(InvalidField, match="no such image"):
        real.run("%sd attention --index 5")


def test_attention_takes_words_as_they_are_written(real: Notebook) -> None:
    # given
    real.run('%sd "un niño rojo, don\'t (1.2)" --steps 1')
    # when
    figure = real.run("%sd attention")
    # then
    words = [trace.meta for trace in figure.data if trace.type == "heatmap"]
    assert words == ["un", "niño", "rojo", "don't", "1", "2"]
    assert isinstance(real.run("%sd attention --words NIÑO,don't"), Figure)


def test_attention_is_seen_through_the_notebook_s_own_hooks(real: Notebook) -> None:
    # given
    real.run("def shift(event): return event.x_next.roll(2, dims=-1)")
    real.run("%sd a red circle --seed 7 --steps 2 --on step:shift@1")
    # when / then
    assert isinstance(real.run("%sd attention"), Figure)


@pytest.mark.parametrize("flags", ["", " --steps", " --index 0"])
def test_an_empty_prompt_has_nothing_to_attend_to(real: Notebook, flags: str) -> None:
    # given
    real.run('%sd "" --steps 1')
    # when / then
    with pytest.raises(InvalidField, match="no words"):
        real.run(f"%sd attention{flags}")


def test_inspect_looks_at_the_last_result(real: Notebook) -> None:
    # given
    real.run(DRAW)
    # when
    seen = real.run("%sd inspect --t 200")
    # then
    assert isinstance(seen, Inspection)
    assert seen.t == 200
    assert seen.parts["x"].shape == (1, 4, 4, 4)


def test_inspect_takes_a_file_before_anything_was_drawn(real: Notebook, tmp_path: Path) -> None:
    # given
    Image.new("RGB", (50, 40), "red").save(tmp_path / "red.png")
    # when
    seen = real.run(f'%sd inspect --image {tmp_path}/red.png --prompt "a red circle"')
    # then
    assert seen.t == 500
    assert seen.parts["x"].shape == (1, 4, 4, 4)


def test_inspect_brings_a_file_to_the_size_that_is_drawn(real: Notebook, tmp_path: Path) -> None:
    # given
    picture = Image.linear_gradient("L").resize((300, 100)).convert("RGB")
    picture.save(tmp_path / "wide.png")
    real.run("%sd set --size 96x32")
    # when
    seen = real.run(f"%sd inspect --image {tmp_path}/wide.png --t 0")
    # then
    begun = real.run(f"%sd --image {tmp_path}/wide.png --denoise 0.5 --steps 2")
    assert seen.parts["x"].shape == begun.latents.shape == (1, 4, 4, 12)


def test_film_of_a_pipeline_that_lives_leaves_the_loaded_model(
    real: Notebook, tiny: Pipeline
) -> None:
    # given
    result = real.run(DRAW)
    real.session._load = {"other": Pipeline(tiny.components)}.__getitem__
    real.run("%sd load other")
    # when
    figure = real.run("%sd film --frames 2")
    # then
    assert result.decoder() is tiny
    assert len(figure.layout.images) == 2
    assert real.session.loaded == "other"


def test_that_a_model_took_the_place_of_another_is_said(real: Notebook, tiny: Pipeline) -> None:
    # given
    real.run(DRAW)
    pipelines = {"other": Pipeline(tiny.components), "tiny": tiny}
    real.session._load = pipelines.__getitem__
    real.run("%sd load other")
    # when
    real.run("%sd inspect --t 200")
    # then
    said = "tiny was loaded in the place of other."
    assert sum(said in html for html in real.html) == 1


def test_the_tree_has_what_was_drawn_and_what_branched_from_it(
    real: Notebook, tiny: Pipeline
) -> None:
    # given
    real.names["pipe"] = tiny
    first = real.run("%sd a red circle --steps 4 -o first")
    other = real.run("%sd a blue star --steps 2")
    branch = real.run("twig = pipe.branch(first, 2, steps=6).finish(); twig")
    # when
    shown = real.run("%sd tree")
    # then
    assert isinstance(shown, Tree)
    assert {each.id for each in shown.children(None)} == {first.id, other.id}
    assert [each.id for each in shown.children(first)] == [branch.id]


def test_the_tree_keeps_no_result_alive(real: Notebook) -> None:
    # given
    forgotten = real.run("%sd a red circle --steps 1;")
    kept = real.run("%sd a blue star --steps 1")
    # when
    gc.collect()
    # then
    assert forgotten is None
    assert [each.id for each in real.session.results] == [kept.id]


@pytest.mark.parametrize("line", ["film", "latents", "attention", "inspect", "tree"])
def test_there_is_nothing_to_look_at_at_first(notebook: Notebook, line: str) -> None:
    with pytest.raises(InvalidField) as caught:
        notebook.run(f"%sd {line}")
    assert "draw first" in caught.value.fix


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("film --frames 0", "another value"),
        ("film --frames 101", "another value"),
        ("film --index 2", "no such image"),
        ("latents --step 9", "no such step"),
        ("latents --index 2", "no such image"),
        ("inspect --t 2000", "training timestep"),
        ("inspect --t high", "another value"),
        ("inspect --index 5", "no such image"),
        ("film --frames -3", "another value"),
        ("latents --step -1", "no such step"),
        ("inspect red.png", "flags only"),
        ("tree first", "subcommand"),
    ],
)
def test_a_misuse_says_how_to_write_it(real: Notebook, line: str, said: str) -> None:
    # given
    real.run(DRAW)
    # when
    with pytest.raises(InvalidField, match=said) as caught:
        real.run(f"%sd {line}")
    # then
    assert caught.value.fix
    assert caught.value.allowed
    assert "=" not in caught.value.fix


def test_a_file_and_a_place_in_the_batch_exclude_each_other(real: Notebook, tmp_path: Path) -> None:
    Image.new("RGB", (32, 32), "red").save(tmp_path / "red.png")
    with pytest.raises(InvalidField, match="--index"):
        real.run(f"%sd inspect --image {tmp_path}/red.png --index 0")


def test_an_unknown_flag_lists_the_nearest_and_a_missing_file_is_our_error(real: Notebook) -> None:
    real.run(DRAW)
    with pytest.raises(UnknownName) as caught:
        real.run("%sd film --frame 3")
    assert "--frames" in caught.value.fix
    with pytest.raises(SdnbError, match="cannot be read"):
        real.run("%sd inspect --image nowhere.png")


@pytest.mark.parametrize("name", LOOKING)
def test_help_tells_the_flags_and_examples_that_can_be_read(notebook: Notebook, name: str) -> None:
    text = repr(notebook.run(f"%sd help {name}"))
    for flag in COMMANDS[name].flags:
        assert flag.usage in text
        if not flag.example.endswith(".png"):
            flag.read(flag.example)


def test_a_prompt_that_begins_like_them_stands_in_quotes(real: Notebook) -> None:
    result = real.run('%sd "tree at night" --steps 1')
    assert isinstance(result, Result)
    assert result.request.prompt == "tree at night"


@pytest.mark.parametrize(
    ("rest", "found"),
    [
        ("film ", ["--frames", "--index"]),
        ("latents --s", ["--step"]),
        ("inspect --", ["--t", "--image", "--prompt", "--index"]),
        ("tr", ["tree"]),
    ],
)
def test_tab_completes_them(rest: str, found: list[str]) -> None:
    assert proposals(rest, {}) == found
