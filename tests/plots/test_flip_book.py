"""Each combination of the sliders shows the picture it names."""

from base64 import b64decode
from collections import Counter
from io import BytesIO
from itertools import product

import numpy as np
import pytest
from PIL import Image

from sdnb.comparison.flip_book import FlipBook
from sdnb.comparison.plan import Axis
from sdnb.errors import InvalidField
from sdnb.plots.flip_book import LARGEST, plot_flip_book
from tests.plots.conftest import SVG

MOMENTS = ("step 0", "picture")


def colour(moment, cell):
    return (40 * cell % 256, 37 * cell // 6 % 256, 200 * moment + 20)


def book(counts, size=(16, 24)):
    """Return a book with a colour of its own for each moment and cell."""
    axes = [
        Axis(name=f"axis {place}", settings=tuple({"steps": value} for value in range(count)))
        for place, count in enumerate(counts)
    ]
    cells = range(len(list(product(*map(range, counts)))))
    pages = [
        tuple(Image.new("RGB", size, colour(moment, cell)) for cell in cells)
        for moment in range(len(MOMENTS))
    ]
    return FlipBook(axes=tuple(axes), moments=MOMENTS, pages=tuple(pages))


def shown(figure, stops):
    """Return what is in the window when each slider stands at a stop, as plotly has it."""
    windows = {"xaxis.range": figure.layout.xaxis.range, "yaxis.range": figure.layout.yaxis.range}
    traces = [
        {"x0": t.x0, "y0": t.y0, "visible": t.visible, "source": t.source} for t in figure.data
    ]
    for slider, stop in zip(figure.layout.sliders, stops, strict=True):
        (change,) = slider.steps[stop].args
        if slider.steps[stop].method == "relayout":
            windows.update(change)
            continue
        for key, value in change.items():
            for index, trace in enumerate(traces):
                trace[key] = value[index] if isinstance(value, list | tuple) else value
    (trace,) = (trace for trace in traces if trace["visible"])
    left, right = (edge + 0.5 - trace["x0"] for edge in windows["xaxis.range"])
    bottom, top = (edge + 0.5 - trace["y0"] for edge in windows["yaxis.range"])
    with Image.open(BytesIO(b64decode(trace["source"].partition(",")[2]))) as sheet:
        return sheet.convert("RGBA").crop((round(left), round(top), round(right), round(bottom)))


@pytest.mark.parametrize("counts", [(), (3,), (2, 3), (2, 3, 2), (2, 2, 3, 2), (2, 2, 2, 1, 2)])
def test_the_sliders_reach_every_picture_and_show_it_alone(counts):
    # given
    figure = plot_flip_book(book(counts))
    several = [count for count in counts if count > 1]
    if len(counts) > 4:
        several[:2] = [counts[0] * counts[1]]  # the first two share a slider
    has_all = [place >= len(several) - 2 for place in range(len(several))]
    if counts[-2:] == (1, 2):
        has_all[-2] = False  # the axis before the last has one value, and no slider

    # when
    places = list(product(*map(range, several), range(len(MOMENTS))))

    # then
    assert len(figure.layout.sliders) == len(several) + 1
    for number, (*place, moment) in enumerate(places):
        stops = [index + alone for index, alone in zip(place, has_all, strict=True)]
        seen = np.asarray(shown(figure, [*stops, moment])).astype(int)
        expected = colour(moment, number // len(MOMENTS))
        assert seen.shape == (24, 16, 4)
        assert np.abs(seen[2:-2, 2:-2, :3] - expected).max() < 16
        assert seen[..., 3].min() == 255


def test_at_first_all_finished_pictures_of_the_last_two_axes_are_seen():
    # given
    figure = plot_flip_book(book((2, 3, 2)))

    # when
    stops = [slider.active for slider in figure.layout.sliders]
    seen = np.asarray(shown(figure, stops)).astype(int)

    # then
    found = Counter()
    for cell in range(12):
        near = np.abs(seen[..., :3] - colour(1, cell)).max(axis=-1) < 10
        found[cell] = (near & (seen[..., 3] == 255)).sum()
    assert {cell for cell, count in found.items() if count > 200} == set(range(6))


def test_the_sliders_name_what_they_show():
    figure = plot_flip_book(book((2, 3)))
    first, second, last = figure.layout.sliders
    assert first.currentvalue.prefix == "axis 0: "
    assert [step.label for step in second.steps] == ["all", "0", "1", "2"]
    assert [step.label for step in last.steps] == list(MOMENTS)
    assert list(figure.layout.xaxis.ticktext) == ["0", "1", "2"]
    assert figure.layout.yaxis.title.text == "axis 0"


@pytest.mark.parametrize(("counts", "size"), [((2,), (1024, 512)), ((300,), (64, 64))])
def test_pictures_are_small_enough_for_a_page(counts, size):
    # given
    figure = plot_flip_book(book(counts, size))

    # when
    picture = shown(figure, [1, 0])

    # then
    assert max(picture.size) <= LARGEST
    assert picture.width / picture.height == pytest.approx(size[0] / size[1], rel=0.05)
    assert len(figure.data[0].source) < 2**22


def test_a_cell_without_a_picture_is_written_on():
    # given
    whole = book((2,))
    pages = tuple((page[0], "HookError") for page in whole.pages)

    # when
    figure = plot_flip_book(FlipBook(axes=whole.axes, moments=MOMENTS, pages=pages))

    # then
    assert np.ptp(np.asarray(shown(figure, [2, 1]))[..., :3]) > 0


def test_a_book_without_any_picture_is_refused():
    whole = book((1,))
    with pytest.raises(InvalidField, match="no picture"):
        plot_flip_book(FlipBook(axes=whole.axes, moments=("picture",), pages=(("to come",),)))


def test_the_still_picture_is_what_is_seen_at_first(drawn):
    # given
    figure = plot_flip_book(book((2, 3)))

    # when
    images = list(drawn(figure).iter(f"{SVG}image"))

    # then
    assert [image.get("href") for image in images] == [figure.data[-1].source]
    assert drawn(figure).get("aria-label") == figure.alt
    assert "axis 0: 0, 1; axis 1: 0, 1, 2" in figure.alt


def test_a_page_of_it_asks_nobody_for_anything(tmp_path):
    # when
    plot_flip_book(book((2, 2))).write_html(tmp_path / "book.html")

    # then
    written = (tmp_path / "book.html").read_text(encoding="utf-8")
    assert 'src="http' not in written
    assert "data:image" in written
