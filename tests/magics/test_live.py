from collections.abc import Iterator, Sequence
from html.parser import HTMLParser
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from sdnb import i18n
from sdnb.i18n import set_language
from sdnb.labs.preview_budget import SHARE
from sdnb.magics import live_view
from sdnb.magics.live import INTERVAL, Live

RED = Image.new("RGB", (8, 8), "red")
PICTURE = live_view.pictures([RED])


class Clock:
    """Time that passes only when told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Watched:
    """A run with given costs, and what a `Live` showed of it."""

    def __init__(self, steps: Sequence[float], preview: float, expected: float | None = None):
        clock = Clock()
        self.shown: list[tuple[float, str]] = []
        self.spent = 0.0
        self.previews = 0

        def show(html: str) -> None:
            self.shown.append((clock.now, html))

        live = Live(show, clock, size=1, decode_rate=expected)

        def draw() -> str:
            clock.now += preview
            self.spent += preview
            self.previews += 1
            return PICTURE

        for done, seconds in enumerate(steps, start=1):
            clock.now += seconds
            live.step(done, len(steps), "", draw)
        self.seconds = clock.now - 100
        self.decode_rate = live.decode_rate


STEPS = st.lists(st.floats(1e-4, 2), min_size=1, max_size=60)


@settings(max_examples=50, deadline=None)
@given(STEPS, st.floats(1e-4, 5))
def test_updates_are_never_closer_than_the_interval(steps: list[float], preview: float) -> None:
    # when
    watched = Watched(steps, preview)
    # then
    times = [time for time, _ in watched.shown]
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert all(gap >= INTERVAL - 1e-9 for gap in gaps)


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 100), st.floats(1e-3, 2), st.floats(1e-4, 5))
def test_previews_of_known_cost_take_at_most_their_share(
    count: int, step: float, preview: float
) -> None:
    # when
    watched = Watched([step] * count, preview, expected=preview)
    # then
    assert watched.spent <= SHARE * watched.seconds + 1e-9


@settings(max_examples=50, deadline=None)
@given(STEPS, st.floats(1e-4, 5))
def test_previews_never_run_ahead_by_more_than_half_of_one(
    steps: list[float], preview: float
) -> None:
    # when
    watched = Watched(steps, preview, expected=preview)
    # then
    assert watched.spent <= SHARE * watched.seconds + preview / 2 + 1e-9


def test_few_previews_lie_evenly_over_the_run() -> None:
    # given: previews as dear as steps, so two of twenty steps can be afforded
    steps = [0.2] * 20
    # when
    watched = Watched(steps, preview=0.2)
    # then
    fresh = [
        index
        for index, ((_, earlier), (_, later)) in enumerate(pairwise(watched.shown), start=2)
        if later.count("<img") > earlier.count("<img")
    ]
    assert watched.previews == 2
    assert fresh == [5]
    assert watched.spent <= SHARE * watched.seconds


def test_a_slow_first_step_is_no_measure_of_the_run() -> None:
    # when
    watched = Watched([3.0] + [0.02] * 100, preview=0.25)
    # then
    assert watched.spent <= SHARE * watched.seconds


def test_the_last_step_needs_no_preview() -> None:
    assert Watched([5.0], preview=0.001, expected=0.001).previews == 0


def test_one_dear_preview_is_the_last() -> None:
    # when
    watched = Watched([0.2] * 40, preview=3.0)
    # then
    assert watched.previews == 1
    assert watched.decode_rate == pytest.approx(3.0)


def test_the_rate_of_decoding_is_known_in_the_next_run() -> None:
    # given
    clock = Clock()

    def draw() -> str:
        clock.now += 0.5
        return PICTURE

    first = Live([].append, clock, size=100, decode_rate=None)
    for done in range(1, 20):
        clock.now += 1
        first.step(done, 20, "", draw)
    # when
    second = Live([].append, clock, size=200, decode_rate=first.decode_rate)
    # then
    assert first.decode_rate == pytest.approx(0.005)
    assert second.decode_rate == pytest.approx(0.005)


def test_cheap_previews_come_as_often_as_updates() -> None:
    # when
    watched = Watched([0.05] * 100, preview=0.001, expected=0.001)
    # then
    assert 20 <= watched.previews <= len(watched.shown) <= 50


def test_a_run_quicker_than_the_interval_shows_nothing() -> None:
    assert Watched([0.004] * 20, preview=0.001).shown == []


class Reader(HTMLParser):
    """The elements of a page, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, name: str) -> Iterator[dict[str, str | None]]:
        return (attributes for tag, attributes in self.elements if tag == name)


def test_progress_can_be_read_by_all() -> None:
    # when
    page = Reader(live_view.progress(7, 20, "sigma 3.14", 1.4) + live_view.pictures([RED, RED]))
    # then
    assert page.text == "step 7 of 20 · sigma 3.14 · 2.6 s left"
    (bar,) = (element for element in page.all("div") if element.get("role") == "progressbar")
    assert (bar["aria-valuenow"], bar["aria-valuemax"]) == ("7", "20")
    assert bar["aria-valuetext"] == page.text
    pictures = list(page.all("img"))
    assert [picture["alt"] for picture in pictures] == [
        "preview of image 1",
        "preview of image 2",
    ]
    assert all((picture["src"] or "").startswith("data:image/jpeg;base64,") for picture in pictures)


def test_a_run_without_a_known_end_has_no_value() -> None:
    # when
    page = Reader(live_view.progress(7, None, "sigma 0.5", 1.4))
    # then
    assert page.text == "step 7 · sigma 0.5 · 1.4 s so far"
    (bar,) = (element for element in page.all("div") if element.get("role") == "progressbar")
    assert "aria-valuenow" not in bar


@pytest.mark.parametrize(
    ("elapsed", "text"), [(0.04, "0.4 s left"), (3.0, "30 s left"), (60.0, "10 min left")]
)
def test_the_time_left_is_no_more_exact_than_it_can_be(elapsed: float, text: str) -> None:
    assert text in live_view.progress(1, 11, "", elapsed)


def test_what_is_shown_on_the_way_is_said_in_the_language_that_is_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # given
    monkeypatch.setattr(i18n, "_choice", i18n._Choice())
    set_language("es")
    # when
    page, preview = Reader(live_view.progress(5, 20, "sigma 1.2", 2.0)), live_view.pictures([RED])
    # then
    assert page.text == "paso 5 de 20 · sigma 1.2 · faltan 6.0 s"
    assert 'alt="vista previa de la imagen 1"' in preview


def test_a_big_batch_shows_its_first_pictures() -> None:
    assert live_view.pictures([RED] * 9).count("<img") == live_view.MOST_PICTURES


def test_text_is_escaped() -> None:
    # when
    page = Reader(live_view.message('loading <b>"x"</b>'))
    # then
    assert page.text == 'loading <b>"x"</b>'
    assert [tag for tag, _ in page.elements] == ["div"]


def test_colours_follow_the_theme_with_a_fallback() -> None:
    # when
    html = live_view.progress(1, 2, "", 1.0) + PICTURE
    # then
    assert html.count("var(--jp-") == html.count("var(")
    assert all("," in part.split(")")[0] for part in html.split("var(")[1:])
