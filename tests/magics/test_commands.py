from pathlib import Path
from threading import Event

import pytest
from PIL import Image

from sdnb import i18n
from sdnb.errors import InvalidField, SdnbError, UnknownName
from sdnb.flags import FLAGS
from sdnb.magics import panel as panel_module
from sdnb.magics.commands import COMMANDS
from sdnb.magics.session import load_pipeline
from sdnb.magics.settings import settings_path
from sdnb.picture import Inpaint
from sdnb.records.history import history
from sdnb.records.reading import read
from sdnb.registry import SAMPLERS, SCHEDULES
from tests.magics.conftest import Notebook


def test_load_makes_a_checkpoint_the_one_in_use(notebook: Notebook) -> None:
    # when
    page = notebook.run("%sd load other")
    notebook.run("%sd a cat")
    # then
    assert "other" in repr(page)
    assert [pipe.reference for pipe in notebook.pipelines] == ["other"]
    assert len(notebook.pipe.runs) == 1


def test_a_failed_load_leaves_the_checkpoint_before_in_use(notebook: Notebook) -> None:
    # given
    notebook.run("%sd load other")
    notebook.session._load, load = load_pipeline, notebook.session._load
    with pytest.raises(UnknownName):
        notebook.run("%sd load nowhere")
    notebook.session._load = load
    # when
    notebook.run("%sd a cat")
    # then
    assert [pipe.reference for pipe in notebook.pipelines] == ["other"]


def test_load_wins_over_a_default_checkpoint(notebook: Notebook) -> None:
    # given
    notebook.run("%sd set --checkpoint first")
    # when
    notebook.run("%sd load second")
    notebook.run("%sd a cat")
    # then
    assert [pipe.reference for pipe in notebook.pipelines] == ["second"]


def test_info_loads_what_would_be_drawn_with(notebook: Notebook) -> None:
    # when
    page = notebook.run("%sd info")
    # then
    assert "tiny" in repr(page)
    assert "defaults    the built-in ones" in repr(page)


def test_set_changes_the_defaults_of_this_notebook(notebook: Notebook) -> None:
    # when
    page = notebook.run('%sd set --steps 30 --sampler "euler_ancestral eta=0.5" --after fixed')
    notebook.run("%sd a cat")
    # then
    assert repr(page) == ('defaults: --steps 30 --sampler "euler_ancestral eta=0.5" --after fixed')
    assert notebook.pipe.request.steps == 30
    assert not settings_path().exists()


def test_set_without_flags_shows_the_defaults(notebook: Notebook) -> None:
    assert repr(notebook.run("%sd set")) == "defaults: the built-in ones"


def test_controls_can_be_defaults(notebook: Notebook, tmp_path: Path) -> None:
    # given
    Image.new("RGB", (8, 8)).save(tmp_path / "d.png")
    # when
    page = notebook.run(f"%sd set --control {tmp_path}/d.png:depth:0.7:0-0.5")
    # then
    assert repr(page) == "defaults: --control (a picture):depth:0.7:0-0.5"


def test_a_picture_and_its_mask_can_be_defaults(notebook: Notebook, tmp_path: Path) -> None:
    # given
    for name in ("cat", "mask"):
        Image.new("RGB", (16, 16), "white").save(tmp_path / f"{name}.png")
    # when
    page = notebook.run(f"%sd set --image {tmp_path}/cat.png --mask {tmp_path}/mask.png --keep")
    notebook.magics.session = type(notebook.session)(notebook.session._load)
    notebook.run("%sd a cat")
    # then
    assert repr(page).startswith("defaults: --image (a picture) --mask (a picture)")
    assert isinstance(notebook.pipe.request.start, Inpaint)


def test_kept_defaults_hold_in_the_next_notebook(notebook: Notebook) -> None:
    # given
    notebook.run("%sd set --steps 30 --after increment --keep")
    # when
    notebook.magics.session = type(notebook.session)(notebook.session._load)
    notebook.run("%sd a cat --seed 7")
    notebook.run("%sd a cat")
    # then
    assert [(run.request.steps, run.request.seed) for run in notebook.pipe.runs] == [
        (30, 7),
        (30, 8),
    ]


@pytest.mark.parametrize("line", ["steps 30", "--steps 30 -o x", "a cat"])
def test_set_takes_nothing_but_flags(notebook: Notebook, line: str) -> None:
    with pytest.raises(InvalidField, match="takes flags"):
        notebook.run(f"%sd set {line}")


def test_save_writes_the_last_pictures_with_their_request(
    notebook: Notebook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    monkeypatch.chdir(tmp_path)
    notebook.run("%sd a cat --seed 7 --batch 2")
    # when
    page = notebook.run("%sd save")
    # then
    paths = [Path(line) for line in repr(page).splitlines()]
    assert [path.parent.name for path in paths] == ["pictures", "pictures"]
    assert {read(path).request.prompt for path in paths} == {"a cat"}


def test_save_takes_a_folder_from_a_variable(notebook: Notebook, tmp_path: Path) -> None:
    # given
    notebook.names["folder"] = str(tmp_path / "my cats")
    notebook.run("%sd a cat")
    # when
    notebook.run("%sd save {{folder}}")
    # then
    assert len(list((tmp_path / "my cats").glob("*.png"))) == 1


def test_there_is_nothing_to_save_at_first(notebook: Notebook) -> None:
    with pytest.raises(InvalidField, match="nothing has been drawn yet"):
        notebook.run("%sd save")


@pytest.mark.parametrize("line", ["%sd", "%sd help", "%sd --help", "%sd a cat -h"])
def test_help_names_every_flag_subcommand_sampler_and_schedule(
    notebook: Notebook, line: str
) -> None:
    # when
    text = repr(notebook.run(line))
    # then
    for name in (*FLAGS, *COMMANDS, *SAMPLERS.names(), *SCHEDULES.names()):
        assert name in text
    assert max(map(len, text.splitlines())) <= 120


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("--steps", "default 20"),
        ("steps", "default 20"),
        ("o", "-o"),
        ("after", "increment"),
        ("seed", "always wins"),
        ("load", "%sd load REF"),
        ("heun", "Karras"),
        ("karras", "Karras"),
        ("euler_ancestral", '--sampler "euler_ancestral eta='),
        ("beta", 'options: --schedule "beta alpha=0.6 beta=0.6"'),
        ("custom", 'options: --schedule "custom sigmas=…"'),
        ("custom", "custom sigmas=14.6,5,1,0"),
        ("align_your_steps", "table=sdxl"),
        ("trailing", "arXiv:2305.08891"),
        ("guidance_interval", 'options: --on "POINT:guidance_interval low='),
        ("diffusers:DDIMScheduler", "DDIMScheduler of diffusers"),
        ("dpmpp_sde_gpu", "Stochastic"),
    ],
)
def test_help_explains_a_name(notebook: Notebook, name: str, said: str) -> None:
    assert said in repr(notebook.run(f"%sd help {name}"))


def test_every_flag_and_subcommand_can_be_explained(notebook: Notebook) -> None:
    for name in (*FLAGS, *COMMANDS):
        assert repr(notebook.run(f"%sd help {name}"))


def test_help_about_an_unknown_name_lists_the_nearest(notebook: Notebook) -> None:
    with pytest.raises(UnknownName) as caught:
        notebook.run("%sd help stepz")
    assert "--steps" in caught.value.fix


@pytest.mark.parametrize("line", ["load", "load a b", "info x", "save a b", "help a b"])
def test_a_misused_subcommand_says_how_to_write_it(notebook: Notebook, line: str) -> None:
    # when
    with pytest.raises(InvalidField, match="subcommand") as caught:
        notebook.run(f"%sd {line}")
    # then
    assert "in quotes" in caught.value.fix


def test_a_quoted_prompt_may_start_like_a_subcommand(notebook: Notebook) -> None:
    # when
    notebook.run('%sd "load of hay"')
    # then
    assert notebook.pipe.request.prompt == "load of hay"


def test_another_language_is_spoken_and_kept(
    notebook: Notebook, settings_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    monkeypatch.setattr(i18n, "_choice", i18n._Choice())
    # when
    page = notebook.run("%sd set --language es --keep")
    # then
    assert "language: es" in repr(page)
    assert i18n.language() == "es"
    assert (settings_folder / "language").read_text() == "es\n"
    assert not settings_path().exists()


@pytest.mark.parametrize("line", ["--language fr", "--language", "--language --keep"])
def test_a_language_nobody_wrote_lists_those_there_are(notebook: Notebook, line: str) -> None:
    with pytest.raises(SdnbError, match="en, es"):
        notebook.run(f"%sd set {line}")


def test_a_panel_leaves_a_place_and_a_picture_and_hands_on_its_results(real: Notebook) -> None:
    # given
    real.run("%sd set --steps 2 --seed 7")
    panel = real.run("import sdnb; panel = sdnb.panel('studio'); panel")
    # when
    panel.lab.generate(prompt="a red circle")
    assert panel.lab.wait(60.0)
    # then
    place, *_, kept = [html for html in real.html if panel.surface.place in html]
    assert place == f'<div class="{panel.surface.place}"></div>'
    assert 'alt="Generated picture: a red circle"' in kept
    assert real.session.result is panel.lab.result
    assert panel.lab.result.request.width == 32
    panel.surface.close()


def test_what_a_panel_draws_is_kept_with_where_it_branched_from(real: Notebook) -> None:
    # given
    real.run("%sd set --steps 2 --seed 7 --cfg 1")
    panel = real.run("import sdnb; panel = sdnb.panel('studio'); panel")
    panel.lab.generate(prompt="a red circle")
    assert panel.lab.wait(60.0)
    first = panel.lab.result
    # when
    panel.lab.branch(1, prompt="a blue circle")
    assert panel.lab.wait(60.0)
    real.run("%sd set --history off")
    panel.lab.generate(prompt="not kept")
    assert panel.lab.wait(60.0)
    # then
    branch, whole, *_ = real.run("%sd history")
    assert (whole.id, whole.parent) == (first.id, None)
    assert (branch.prompt, branch.parent) == ("a blue circle", (first.id, 1))
    panel.surface.close()


@pytest.mark.parametrize("name", ["schedules", "latents", "attention", "forward"])
def test_a_panel_opens_on_what_was_drawn_last_or_on_a_given_result(
    real: Notebook, name: str
) -> None:
    # given
    real.run("%sd set --steps 2 --seed 7 --size 64x64")
    real.run("%sd a red circle")
    last = real.session.result

    # when
    panel = real.run(f"import sdnb; panel = sdnb.panel('{name}'); panel")
    given = real.run(f"given = sdnb.panel('{name}', result=_sd); given")

    # then
    for each in (panel, given):
        assert each.lab.wait(60.0)
        assert (each.name, each.lab.form.prompt, each.lab.form.seed) == (name, "a red circle", 7)
        each.surface.close()
    assert last is not None
    assert real.session.result is not None
    assert real.session.result.images[0].tobytes() == last.images[0].tobytes()


def test_a_run_that_a_panel_watches_again_is_not_kept_twice(
    real: Notebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given: a panel that does not wait for what it opens with
    monkeypatch.setattr(panel_module, "READY", 0.0)
    real.run("%sd set --steps 4 --seed 7")
    real.run("%sd a quiet house")
    last = real.session.last_result()

    # when
    panel = real.run("import sdnb; panel = sdnb.panel('attention'); panel")
    assert panel.lab.wait(60.0)

    # then
    assert [entry.prompt for entry in history.search("quiet house")] == ["a quiet house"]
    assert real.session.last_result().id == last.id
    panel.close()


def test_a_panel_opens_though_the_last_result_cannot_be_shown(
    real: Notebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    def refuse(*_: object, **__: object) -> None:
        raise InvalidField("the file is gone.", fix="put it back")

    real.run("%sd set --steps 2")
    real.run("%sd a red circle")
    monkeypatch.setattr("sdnb.labs.attention.Attention._watched", refuse)

    # when
    panel = real.run("import sdnb; panel = sdnb.panel('attention'); panel")

    # then: it says why
    assert not panel.lab._worker.is_busy
    assert "the file is gone" in panel.surface.status["alert"]
    panel.close()


def test_a_cell_of_a_comparison_opens_in_the_studio_that_is_open_or_in_a_new_one(
    real: Notebook,
) -> None:
    # given
    compare = real.run("import sdnb; compare = sdnb.panel('compare'); compare")
    compare.lab.fill("steps=1,2", prompt="a red circle")
    assert compare.lab.wait(60.0)
    assert real.session.comparison is compare.lab.comparison

    # when
    compare._hear({"do": "open", "cell": 0}, [])
    studio = real.session.panels["studio"]
    assert studio.lab.wait(60.0)
    compare._hear({"do": "open", "cell": 1}, [])
    assert studio.lab.wait(60.0)

    # then
    assert compare.surface.guests == [studio.surface.place]
    assert real.session.panels["studio"] is studio
    assert studio.lab.result is compare.lab.comparison.results[1]
    studio._hear({"do": "collect"}, [])
    assert compare.lab.wait(60.0)
    assert compare.lab.comparison.results == [studio.lab.result]
    for panel in (studio, compare):
        panel.close()


def test_a_panel_whose_output_was_cleared_is_closed_and_ends_its_run(real: Notebook) -> None:
    # given
    panel = real.run("import sdnb; panel = sdnb.panel('studio'); panel")
    begun = Event()
    panel.lab.observe(lambda _: begun.set(), "progress")
    panel.lab.generate(prompt="a red circle", steps=900)
    assert begun.wait(60.0)

    # when
    panel._hear({"do": "cleared"}, [])

    # then: it ends long before its last step, and its thread with it
    assert panel.lab.wait(60.0)
    assert panel.is_closed
    assert panel.lab.phase == "stopped"
    assert not panel.lab._worker.is_busy
    assert real.run("%sd panel studio") is None
    assert real.session.panels["studio"] is not panel
    real.session.panels["studio"].close()


def test_a_comparison_begins_with_the_prompt_that_was_drawn_last(real: Notebook) -> None:
    # given
    real.run('%sd "a red circle on snow" --steps 1 --batch 1')

    # when
    real.run("%sd panel compare")
    panel = real.session.panels["compare"]

    # then
    assert panel.lab.form.prompt == "a red circle on snow"
    panel.close()


def test_the_history_opens_without_a_checkpoint(notebook: Notebook) -> None:
    panel = notebook.run("import sdnb; panel = sdnb.panel('history'); panel")
    assert notebook.pipelines == []
    assert ", ".join(panel_module.PANELS) in notebook.run("%sd help panel").text
    panel.close()


@pytest.mark.parametrize("line", ["%sd panel studoi", "%sd panel studio twice"])
def test_a_panel_nobody_knows_lists_those_there_are(notebook: Notebook, line: str) -> None:
    with pytest.raises(SdnbError, match="studio"):
        notebook.run(line)
