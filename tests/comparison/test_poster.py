"""A saved comparison shows every cell at its size, says the rest in words, and can be read back."""

from dataclasses import replace

import PIL.Image
import pytest

import sdnb
from sdnb.comparison import poster
from sdnb.comparison.paper import Lettering, plain
from sdnb.comparison.plan import cross
from sdnb.comparison.poster import Poster
from sdnb.comparison.record import read_comparison
from sdnb.errors import HookError, InvalidField
from sdnb.events import Hooks
from sdnb.request import GenerationRequest

PROMPT = "a large blue house"


@pytest.fixture(scope="module")
def comparison(pipe):
    return sdnb.compare(pipe, PROMPT, seed=7, sampler=["euler", "heun"], steps=[1, 2], width=64)


@pytest.fixture(scope="module")
def result(comparison):
    return comparison.results[0]


def colours(result, count, size=(40, 30)):
    """A result of as many plain pictures, each of a colour that stands nowhere else."""
    images = tuple(PIL.Image.new("RGB", size, (200, 40 * index, 10)) for index in range(count))
    return replace(result, images=images, seeds=tuple(range(count)))


def places(picture, colour):
    """Upper left and lower right corner of the pixels of a colour."""
    picture = picture.convert("RGB")
    width = picture.width
    found = [index for index, pixel in enumerate(picture.get_flattened_data()) if pixel == colour]
    across, down = [index % width for index in found], [index // width for index in found]
    return (min(across), min(down)), (max(across), max(down))


def open_picture(path):
    with PIL.Image.open(path) as picture:
        picture.load()
        return picture


@pytest.mark.parametrize("suffix", [".png", ".webp"])
def test_the_requests_of_all_cells_come_back(comparison, tmp_path, suffix):
    (path,) = comparison.save(tmp_path / f"grid{suffix}")

    wanted = {
        cell.labels: result.request
        for cell, result in zip(comparison.plan.cells, comparison.results, strict=True)
    }
    assert path == tmp_path / f"grid{suffix}"
    assert read_comparison(path) == wanted
    assert list(wanted) == [("euler", "1"), ("euler", "2"), ("heun", "1"), ("heun", "2")]


def test_the_file_says_what_cells_took_and_in_words_what_they_share(comparison, tmp_path):
    (path,) = comparison.save(tmp_path / "grid.png")

    said = open_picture(path).text
    assert '"evaluations": 3' in said["sdnb-comparison"]
    assert '"name": "sampler", "labels": ["euler", "heun"]' in said["sdnb-comparison"]
    assert said["sdnb-comparison"].count(PROMPT) == 1
    assert said["Description"].startswith(f"prompt {PROMPT}, seed 7, schedule karras")


def test_every_picture_stands_there_pixel_by_pixel(comparison, tmp_path):
    picture = open_picture(comparison.save(tmp_path / "grid.png")[0])

    for result in comparison.results:
        (image,) = result.images
        assert any(
            picture.crop((x, y, x + image.width, y + image.height)).tobytes() == image.tobytes()
            for x in range(picture.width - image.width)
            for y in range(picture.height - image.height)
            if picture.getpixel((x, y)) == image.getpixel((0, 0))
        )


def test_no_file_is_overwritten_and_other_kinds_are_refused(comparison, tmp_path):
    first, second = (comparison.save(tmp_path / "new" / "grid.png")[0] for _ in range(2))

    assert (first.name, second.name) == ("grid.png", "grid-2.png")
    with pytest.raises(InvalidField, match="PNG or a WebP"):
        comparison.save(tmp_path / "grid.jpg")
    assert list(tmp_path.iterdir()) == [tmp_path / "new"]


def test_a_cell_without_a_picture_says_why_in_words(pipe, result, tmp_path, monkeypatch):
    # given
    hooks = [Hooks(), Hooks(on_step=(print,)), Hooks(on_text=(print,))]
    plan = cross(GenerationRequest(seed=1), {"hooks": hooks})
    written = []
    monkeypatch.setattr(Lettering, "draw", lambda _self, _picture, _at, line: written.append(line))

    # when
    outcomes = [result, HookError("it broke."), None]
    (path,) = poster.write(plan, outcomes, tmp_path / "grid.png")

    # then
    said = open_picture(path).text["sdnb-comparison"]
    assert "HookError: it broke." in " ".join(written)
    assert "not computed" in " ".join(written)
    assert '"error": "HookError: it broke.", "hooks": "step:print"' in said
    assert '"error": "not computed", "hooks": "text:print"' in said


def test_a_batch_stands_side_by_side_and_its_column_is_as_wide(result, tmp_path):
    # given
    plan = cross(GenerationRequest(seed=1), {"seed": [1, 2], "steps": [1, 2]})
    batch, other = colours(result, 3), colours(result, 1, (50, 60))

    # when
    (path,) = poster.write(plan, [other, None, batch, None], tmp_path / "grid.png")

    # then
    picture = open_picture(path)
    corners = [places(picture, (200, 40 * index, 10)) for index in (1, 2)]
    (left, top), (right, bottom) = corners[0]
    assert (right - left + 1, bottom - top + 1) == (40, 30)
    assert corners[1] == ((left + 48, top), (right + 48, bottom))


def test_a_row_of_images_is_broken_before_it_is_too_long(result, tmp_path, monkeypatch):
    monkeypatch.setattr(poster, "ROW_OF_IMAGES", 100)
    plan = cross(GenerationRequest(seed=1), {"steps": [1]})

    (path,) = poster.write(plan, [colours(result, 4)], tmp_path / "grid.png")

    corners = [places(open_picture(path), (200, 40 * index, 10))[0] for index in range(4)]
    (x, y), *others = corners
    assert others == [(x + 48, y), (x, y + 38), (x + 48, y + 38)]


def test_a_third_axis_gives_tables_with_their_own_labels(tmp_path, monkeypatch):
    # given
    axes = {"prompt": ["a cat", "a dog"], "seed": [1, 2], "steps": [1, 2, 3]}
    plan = cross(GenerationRequest(), axes)
    written = []
    monkeypatch.setattr(Lettering, "draw", lambda _self, _picture, _at, line: written.append(line))

    # when
    poster.write(plan, [None] * 12, tmp_path / "grid.png")

    # then
    labels = [line for line in written if line.startswith(("prompt", "seed", "steps"))]
    table = ["steps 1", "steps 2", "steps 3", "seed 1", "seed 2"]
    assert labels == ["prompt a cat", *table, "prompt a dog", *table]


def test_a_picture_too_large_for_a_file_is_cut_and_nothing_is_lost(result, tmp_path, monkeypatch):
    # given
    monkeypatch.setattr(poster, "MOST_PIXELS", 150_000)
    monkeypatch.setattr(poster, "TILE_SIDE", 380)
    plan = cross(GenerationRequest(seed=1), {"seed": [1, 2, 3, 4, 5], "steps": [1, 2, 3, 4, 5]})
    outcomes = [replace(result, request=cell.request) for cell in plan.cells]

    # when
    paths = poster.write(plan, outcomes, tmp_path / "grid.webp")

    # then
    read = [read_comparison(path) for path in paths]
    assert [path.name for path in paths[:2]] == ["grid-r0-c0.webp", "grid-r0-c1.webp"]
    assert all(max(open_picture(path).size) <= 380 for path in paths)
    together = {labels: request for each in read for labels, request in each.items()}
    assert sum(map(len, read)) == 25
    assert together == {cell.labels: cell.request for cell in plan.cells}


def test_a_large_grid_fits_into_files_that_open_without_a_warning(result):
    # given
    plan = cross(GenerationRequest(), {"seed": list(range(60)), "cfg_scale": list(range(1, 41))})
    large = replace(result, images=(PIL.Image.new("RGB", (512, 512)),))
    whole = Poster(plan, [large] * 2400)

    # when
    tiles = whole.tiles()

    # then
    assert sorted(number for tile in tiles for number in whole.numbers(tile)) == list(range(2400))
    for tile in tiles:
        width, height = whole.paper(tile.rows, tile.columns).size
        assert max(width, height) <= 16383
        assert width * height < PIL.Image.MAX_IMAGE_PIXELS


def test_columns_of_unequal_height_are_cut_by_the_highest(result):
    # given: low pictures in the first file of a row, high ones beside it
    axes = {"cfg_scale": [float(i) for i in range(40)], "height": [64] * 15 + [1024] * 5}
    plan = cross(GenerationRequest(seed=1), axes)
    sizes = [(1024, cell.request.height) for cell in plan.cells]
    outcomes = [colours(result, 1, size) for size in sizes]
    # when
    drawn = Poster(plan, outcomes)
    # then
    for tile in drawn.tiles():
        assert max(drawn.paper(tile.rows, tile.columns).size) <= poster.TILE_SIDE


def test_a_cell_too_large_for_any_file_is_refused_before_one_is_written(result, tmp_path):
    plan = cross(GenerationRequest(seed=1), {"steps": [1, 2]})
    tall = replace(result, images=(PIL.Image.new("RGB", (8, 17000)),))

    with pytest.raises(InvalidField, match="larger than a file can hold"):
        poster.write(plan, [None, tall], tmp_path / "grid.png")
    assert list(tmp_path.iterdir()) == []


def test_no_line_is_wider_than_its_place():
    letters = Lettering(12)
    text = "a supercalifragilisticexpialidocious house, and a cat"

    lines = letters.wrapped(text, 90)

    assert len(lines) > 3
    assert all(letters.width(line) <= 90 for line in lines)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")


def test_letters_that_the_font_lacks_are_replaced():
    assert plain("ein “größer” niño – ×2 σ 猫") == 'ein "gro?er" nino - x2 ? ?'


def test_what_is_no_comparison_is_said(comparison, result, tmp_path):
    # given
    lone, text = result.save(tmp_path / "lone.png")[0], tmp_path / "text.png"
    text.write_text("no picture")
    film = result.save_animation(tmp_path / "film.webp")

    # when / then
    for path in (lone, film):
        with pytest.raises(InvalidField, match="carries no comparison"):
            read_comparison(path)
    with pytest.raises(InvalidField, match="no PNG or WebP"):
        read_comparison(text)
    with pytest.raises(InvalidField, match="no such file"):
        read_comparison(tmp_path / "none.webp")
