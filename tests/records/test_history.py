"""Nothing that was remembered is lost: by kills, full disks, many writers, newer versions."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import sdnb
import sdnb.records.history
from sdnb.comparison.compare import Comparison, compare
from sdnb.comparison.engine import Lockstep
from sdnb.comparison.plan import plan_fields
from sdnb.errors import HistoryError, InvalidField, UnknownName
from sdnb.pipeline import Pipeline
from sdnb.records.history import History
from sdnb.records.migrations import MIGRATIONS
from tests.records.writer import drawn

ROOT = Path(__file__).parents[2]


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path / "history")


def started(folder: Path, count: int, *limit: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.records.writer", str(folder), str(count), *limit]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)


def check_whole(history: History) -> int:
    """Check that the database is sound and each row has its pictures; return how many rows."""
    with sqlite3.connect(history.folder / "history.sqlite") as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    entries = history.search(limit=10_000)
    for entry in entries:
        assert [image.size for image in entry.images] == [(48, 32)] * len(entry.pictures)
    return len(entries)


def test_what_is_added_is_found_with_all_that_was_known(history: History) -> None:
    # given
    result = drawn("a (red:1.2) cat", count=2, sampler="heun", checkpoint="tiny")
    # when
    number = history.add(result, comparison="abc", cell=("heun", "5"))
    entry = history.open(number)
    # then
    assert entry.request == result.request
    assert (entry.id, entry.seeds, entry.facts) == (result.id, (7, 8), {"seconds": "0.1"})
    assert (entry.comparison, entry.cell, entry.parent) == ("abc", ("heun", "5"), None)
    assert [i.tobytes() for i in entry.images] == [i.tobytes() for i in result.images]
    assert history.open(result.id) == entry


def test_a_picture_in_the_history_carries_its_request(history: History) -> None:
    result = drawn(count=2)
    entry = history.open(history.add(result))
    recalled = [sdnb.read(kept.file) for kept in entry.pictures]
    assert [(each.request, each.index) for each in recalled] == [
        (result.request, 0),
        (result.request, 1),
    ]


def test_a_result_is_remembered_once(history: History) -> None:
    result = drawn()
    assert history.add(result) == history.add(result, comparison="c", cell=("5",))
    (entry,) = history.search()
    assert (entry.comparison, entry.cell, len(entry.pictures)) == ("c", ("5",), 1)


def test_search_finds_by_words_sampler_and_number(history: History) -> None:
    # given
    for prompt, sampler in [("a red cat", "heun"), ("a 100% red dog", "ddim"), ("a cat", "heun")]:
        history.add(drawn(prompt, sampler=sampler, negative_prompt="snow"))

    # then
    def found(*args: Any, **options: Any) -> list[str]:
        return [entry.request.prompt for entry in history.search(*args, **options)]

    assert found() == ["a cat", "a 100% red dog", "a red cat"]
    assert found("cat RED") == ["a red cat"]
    assert found("0%") == ["a 100% red dog"]
    assert found("_") == []
    assert found("snow", sampler="ddim") == ["a 100% red dog"]
    assert found(limit=1) == ["a cat"]


@pytest.mark.parametrize("limit", [0, 10_001, "5", 2.5])
def test_a_limit_out_of_its_range_is_refused(history: History, limit: Any) -> None:
    with pytest.raises((InvalidField, TypeError), match="limit"):
        history.search(limit=limit)


@pytest.mark.parametrize("before", ["5", 2.5, -(2**70), True])
def test_a_page_begins_before_a_number(history: History, before: Any) -> None:
    with pytest.raises((InvalidField, TypeError), match="before"):
        history.search(before=before)


def test_deleted_entries_leave_nothing(history: History) -> None:
    # given
    numbers = [history.add(drawn()) for _ in range(3)]
    # when
    assert history.delete(numbers[:2]) == 2
    # then
    assert [entry.number for entry in history.search()] == numbers[2:]
    assert len(list(history.folder.glob("pictures/*/*"))) == 1
    with pytest.raises(InvalidField, match="no such entry"):
        history.open(numbers[0])
    assert history.add(drawn()) == 4  # a number is never used twice


def test_entries_are_exported_without_overwriting(history: History, tmp_path: Path) -> None:
    numbers = [history.add(drawn(count=2)), history.add(drawn())]
    paths = history.export(numbers, tmp_path / "out")
    assert [path.name for path in paths] == ["sdnb-7.png", "sdnb-8.png", "sdnb-7-2.png"]
    assert sdnb.read(paths[1]).index == 1


def test_the_oldest_unpinned_results_go_when_it_is_full(tmp_path: Path) -> None:
    # given
    history = History(tmp_path, budget=0.03)
    numbers = [history.add(drawn()) for _ in range(2)]
    history.pin(numbers[0])
    # when
    numbers += [history.add(drawn()) for _ in range(8)]
    # then
    left = [entry.number for entry in history.search()]
    assert left[0] == numbers[-1]
    assert left[-1] == numbers[0]
    assert 2 <= len(left) < 10
    assert left == sorted(left, reverse=True)
    assert len(list(tmp_path.glob("pictures/*/*.png"))) == len(left)


def test_a_budget_too_small_keeps_the_newest(tmp_path: Path) -> None:
    history = History(tmp_path, budget=0.0)
    numbers = [history.add(drawn()) for _ in range(3)]
    assert [entry.number for entry in history.search()] == numbers[-1:]


def test_eight_processes_write_at_once(history: History) -> None:
    # when
    writers = [started(history.folder, 5) for _ in range(8)]
    said = [writer.communicate(timeout=200)[0].split() for writer in writers]
    # then
    assert [writer.returncode for writer in writers] == [0] * 8
    assert sorted(int(number) for numbers in said for number in numbers) == list(range(1, 41))
    assert check_whole(history) == 40


def test_a_process_killed_in_mid_write_loses_nothing_that_it_had_said(history: History) -> None:
    said = 0
    for delay in (0.0, 0.013, 0.031, 0.07):
        # when
        writer = started(history.folder, 10_000)
        assert writer.stdout is not None
        said += bool(writer.stdout.readline())
        time.sleep(delay)
        writer.send_signal(signal.SIGKILL)
        said += len(writer.stdout.read().split())
        writer.wait()
        # then
        assert said <= check_whole(history) <= said + 4  # one at most may not have been said
    assert history.add(drawn()) > said


def test_what_a_killed_process_left_unfinished_goes_later(history: History) -> None:
    # given
    folder = history.open(history.add(drawn())).pictures[0].file.parents[1]
    left = [folder / "ab" / ".sdnb-x1_y.part", folder / "ab" / "ab0123456789-0a1b2c.png"]
    others = [
        folder / "ab" / ".sdnb-new.part",
        folder / "ab" / "mine.png",
        folder / "mine" / ".sdnb-x1_y.part",
        folder / "ab" / "ab0123456789-0a1b2d.png",
    ]
    contents = (b"half", b"", b"half", b"", b"", b"whole")
    for path, content in zip([*left, *others], contents, strict=True):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        if "new" not in path.name:
            os.utime(path, (0, 0))
    # when
    History(history.folder).add(drawn())
    # then
    assert not any(path.exists() for path in left)
    assert all(path.exists() for path in others)
    assert check_whole(history) == 2


@pytest.mark.parametrize("content", [None, b""])
def test_a_new_database_leaves_the_pictures_of_the_one_before(
    history: History, content: bytes | None
) -> None:
    # given: a broken database, moved away as its error advises
    entry = history.open(history.add(drawn(count=2)))
    for path in history.folder.glob("history.sqlite*"):
        path.unlink()
    if content is not None:
        (history.folder / "history.sqlite").write_bytes(content)
    for kept in entry.pictures:
        os.utime(kept.file, (0, 0))
    # when
    History(history.folder).add(drawn())
    # then
    assert [image.size for image in entry.images] == [(48, 32)] * 2


@pytest.mark.parametrize("is_committed", [False, True])
def test_an_interrupt_leaves_a_row_with_its_pictures_or_neither(
    history: History, monkeypatch, is_committed: bool
) -> None:
    # given
    history.add(drawn())
    insert = History._insert

    def interrupted(self: History, *args: Any) -> int:
        if is_committed:
            insert(self, *args)
        raise KeyboardInterrupt

    # when
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(History, "_insert", interrupted)
        history.add(drawn(count=2))
    # then
    assert check_whole(history) == 1 + is_committed
    assert len(list(history.folder.glob("pictures/*/*"))) == 1 + 2 * is_committed


@pytest.mark.parametrize(
    "error",
    [PermissionError("in use"), UnicodeEncodeError("utf-8", "x", 0, 1, "no"), MemoryError()],
)
def test_keeping_ends_whatever_fails_in_it(history: History, monkeypatch, error: Exception) -> None:
    # given
    def fail(*_args: object) -> None:
        raise error

    monkeypatch.setattr(History, "_insert", fail)
    # then
    assert f"not kept in the history: {type(error).__name__}" in history.keep(drawn())


def test_an_interrupt_ends_the_keeping_alone(history: History, monkeypatch) -> None:
    def interrupted(*_args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("sdnb.records.history.write_picture", interrupted)
    assert history.keep(drawn()) == "not kept in the history: interrupted"
    assert len(history.search()) == 0


def test_a_result_that_is_kept_is_not_told_as_lost(
    history: History, tmp_path: Path, monkeypatch
) -> None:
    # given: settings that cannot be read, so that nobody knows what may go
    monkeypatch.setenv("SDNB_CONFIG", str(tmp_path))
    (tmp_path / "history.json").write_text("broken")
    # when
    said = history.keep(drawn())
    # then
    assert "not kept" not in said
    assert "older results could not leave the history" in said
    assert check_whole(history) == 1


def test_a_result_without_a_picture_is_no_entry(history: History) -> None:
    result = drawn()
    result.images = ()
    with pytest.raises(HistoryError, match="without a picture"):
        history.add(result)
    assert history.keep(result) == ""
    assert len(history.search()) == 0


def test_a_result_keeps_its_labels_when_it_is_added_again(history: History) -> None:
    # given
    result = drawn()
    number = history.add(result, comparison="abc", cell=("heun", "5"))
    # when
    history.add(result)
    # then
    entry = history.open(number)
    assert (entry.comparison, entry.cell) == ("abc", ("heun", "5"))


def test_pinned_results_take_nothing_of_the_budget(tmp_path: Path) -> None:
    # given: pins that would fill it alone
    history = History(tmp_path, budget=0.03)
    for _ in range(5):
        history.pin(history.add(drawn(count=2)))
    # when
    numbers = [history.add(drawn()) for _ in range(3)]
    # then
    assert [entry.number for entry in history.search()][:3] == numbers[::-1]
    assert len(history.search()) == 8


def test_what_is_pinned_while_others_go_stays(tmp_path: Path, monkeypatch) -> None:
    # given: another process that pins between the moment it is full and the moment others go
    history = History(tmp_path, budget=0.0)
    first = history.add(drawn())
    let_go = sdnb.records.history.let_go

    def pinned_meanwhile(database: sqlite3.Connection, budget: float) -> list[str]:
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other = sqlite3.connect(tmp_path / "history.sqlite", timeout=0, isolation_level=None)
            other.execute("UPDATE results SET pinned = 1")
        return let_go(database, budget)

    monkeypatch.setattr("sdnb.records.history.let_go", pinned_meanwhile)
    # when
    second = history.add(drawn())
    # then: it had to wait, and finds what is left
    assert [entry.number for entry in history.search()] == [second] != [first]


def test_a_request_counts_for_the_budget(history: History) -> None:
    # when
    history.add(drawn("a long prompt " * 1000))
    # then
    with sqlite3.connect(history.folder / "history.sqlite") as database:
        (size, request) = database.execute("SELECT bytes, length(request) FROM results").fetchone()
    (kept,) = history.search()[0].pictures
    assert size >= kept.file.stat().st_size + len(kept.thumbnail) + request


def test_readers_wait_for_nobody(history: History) -> None:
    # given: a writer in the middle of its work
    number = history.add(drawn())
    database = sqlite3.connect(history.folder / "history.sqlite", isolation_level=None)
    database.execute("BEGIN IMMEDIATE")
    # when
    began = time.monotonic()
    found = history.search()[0].number, history.open(number).number
    # then
    assert found == (number, number)
    assert time.monotonic() - began < 2
    database.close()


def test_a_drawn_result_waits_shortly_for_a_writer(history: History, monkeypatch) -> None:
    # given
    history.add(drawn())
    database = sqlite3.connect(history.folder / "history.sqlite", isolation_level=None)
    database.execute("BEGIN IMMEDIATE")
    monkeypatch.setattr("sdnb.records.history._SOON", 0.2)
    # when
    began = time.monotonic()
    said = history.keep(drawn())
    # then
    assert "locked" in said
    assert time.monotonic() - began < 5
    database.close()


def test_a_disk_without_a_write_ahead_log_is_refused(history: History, monkeypatch) -> None:
    # given
    class Plain(sqlite3.Connection):
        def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
            return super().execute(sql.replace("= WAL", "= DELETE"), *values)

    connect = sqlite3.connect
    monkeypatch.setattr(
        "sqlite3.connect", lambda *args, **options: connect(*args, factory=Plain, **options)
    )
    # then
    with pytest.raises(HistoryError, match="write-ahead log"):
        history.add(drawn())
    assert not list(history.folder.glob("pictures/*/*"))


def test_an_entry_of_a_sampler_that_is_not_known_is_listed(history: History) -> None:
    # given: written by a kernel that knew more
    history.add(drawn("a red cat"))
    with sqlite3.connect(history.folder / "history.sqlite") as database:
        database.execute("UPDATE results SET request = replace(request, 'dpmpp_2m', 'mine')")
        database.execute("UPDATE results SET request = replace(request, 'euler', 'mine')")
    (entry,) = entries = history.search()
    # then
    for shown in (entry, entries):
        assert "red cat" in repr(shown)
        assert "mine" in shown._repr_mimebundle_()["text/html"]
    with pytest.raises(UnknownName, match="mine"):
        _ = entry.request


def test_half_a_character_and_huge_numbers_find_nothing(history: History) -> None:
    history.add(drawn("a cat", checkpoint="\ud800.safetensors"))
    assert len(history.search("\ud800", sampler="\ud800")) == 0
    for id in ("\ud800", 2**70, -(2**70), 0):
        with pytest.raises(InvalidField, match="no such entry"):
            history.open(id)


def test_a_full_disk_is_an_error_and_leaves_nothing(history: History, monkeypatch) -> None:
    # given
    history.add(drawn())

    def full(*_args: object) -> None:
        raise OSError(28, "No space left on device")

    # when
    with monkeypatch.context() as patch, pytest.raises(HistoryError, match="No space left"):
        patch.setattr("os.fsync", full)
        history.add(drawn(count=2))
    # then
    assert check_whole(history) == 1
    assert len(list(history.folder.glob("pictures/*/*"))) == 1


def test_a_database_that_cannot_grow_keeps_what_it_has(history: History) -> None:
    # when
    said, _ = started(history.folder, 500, "limited").communicate(timeout=120)
    # then
    assert check_whole(history) == int(said)
    assert len(list(history.folder.glob("pictures/*/*"))) == int(said)


def test_a_newer_database_is_refused_and_untouched(history: History) -> None:
    # given
    history.add(drawn())
    path = history.folder / "history.sqlite"
    with sqlite3.connect(path) as database:
        database.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    before = path.read_bytes(), sorted(history.folder.glob("pictures/*/*"))
    # when
    with pytest.raises(HistoryError, match="newer sdnb"):
        history.add(drawn())
    with pytest.raises(HistoryError, match="newer sdnb"):
        history.search()
    # then
    assert (path.read_bytes(), sorted(history.folder.glob("pictures/*/*"))) == before


@pytest.mark.parametrize("content", [b"", b"no database at all" * 100])
def test_a_broken_database_is_refused_or_made_anew(history: History, content: bytes) -> None:
    # given
    path = history.folder / "history.sqlite"
    history.folder.mkdir(parents=True)
    path.write_bytes(content)
    # then
    if not content:
        assert history.add(drawn()) == 1
        return
    with pytest.raises(HistoryError, match="not a database"):
        history.search()
    assert path.read_bytes() == content


def test_a_migration_is_whole_or_not_at_all(history: History, monkeypatch) -> None:
    # given
    history.add(drawn())

    def fail(database: sqlite3.Connection) -> None:
        database.execute("ALTER TABLE results ADD COLUMN colour TEXT")
        raise sqlite3.OperationalError("the power went")

    # when
    with monkeypatch.context() as patch, pytest.raises(HistoryError, match="the power went"):
        patch.setattr("sdnb.records.migrations.MIGRATIONS", (*MIGRATIONS, fail))
        patch.setattr("sdnb.records.database.MIGRATIONS", (*MIGRATIONS, fail))
        history.search()
    # then
    assert check_whole(history) == 1


def test_a_first_database_is_as_agreed_on(history: History) -> None:
    history.search()
    with sqlite3.connect(history.folder / "history.sqlite") as database:
        tables = dict(database.execute("SELECT name, sql FROM sqlite_master WHERE sql NOT NULL"))
        columns = [row[1] for row in database.execute("PRAGMA table_info(results)")]
        assert database.execute("PRAGMA user_version").fetchone() == (1,)
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert {"results", "pictures"} <= tables.keys()
    assert columns == [
        *("number", "id", "made", "prompt", "negative", "sampler", "checkpoint", "request"),
        *("facts", "seeds", "parent", "parent_step", "comparison", "cell", "pinned", "bytes"),
    ]


def test_a_pipeline_remembers_runs_branches_and_cells(pipe, tmp_path: Path) -> None:
    # given
    history = History(tmp_path)
    own = Pipeline(pipe.components, history=history)
    small = {"width": 32, "height": 32, "steps": 2, "seed": 3}
    # when
    run = own.start("a red circle", **small)
    first = run.finish()
    branch = own.branch(first, 1, cfg_scale=2).finish()
    compare(own, "a blue circle", sampler=["ddim", "heun"], **small)
    run.finish()  # again: not another entry
    # then
    entries = history.search()
    assert [entry.cell for entry in entries] == [("heun",), ("ddim",), (), ()]
    assert entries[2].parent == (first.id, 1)
    assert entries[2].id == branch.id
    again = pipe.run(entries[3].request)
    assert again.images[0].tobytes() == entries[3].images[0].tobytes()
    assert pipe.history is None


def test_a_run_whose_result_cannot_be_kept_is_not_lost(pipe, tmp_path: Path) -> None:
    # given
    (tmp_path / "history").write_text("a file in the way")
    own = Pipeline(pipe.components, history=History(tmp_path / "history"))
    # when
    result = own.run("", width=32, height=32, steps=1)
    # then
    assert len(result.images) == 1
    assert any("not kept in the history" in notice for notice in result.notices)


def test_an_interrupted_keeping_leaves_the_run_its_result(
    pipe, tmp_path: Path, monkeypatch
) -> None:
    # given
    def interrupted(*_args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("sdnb.records.history.write_picture", interrupted)
    own = Pipeline(pipe.components, history=History(tmp_path))
    # when
    result = own.run("", width=32, height=32, steps=1)
    # then
    assert len(result.images) == 1
    assert "not kept in the history: interrupted" in result.notices


def test_entries_draw_themselves_safely(history: History) -> None:
    # given
    hostile = '<script>alert(1)</script>" onerror=\u202e\x1b[31m'
    history.add(drawn(hostile), comparison="c", cell=(hostile,))
    # then
    for shown in (history.search(), history.search()[0]):
        bundle = shown._repr_mimebundle_()
        assert "<script" not in bundle["text/html"]
        assert 'alt="Generated image, seed 7' in bundle["text/html"]
        for text in bundle.values():
            assert not {"\u202e", "\x1b"} & set(text)
    assert json.loads(history.search()[0].written)["prompt"].startswith("<script>")


def cells_of(history: History) -> list[tuple[str, ...]]:
    return [entry.cell for entry in history.search()]


SMALL = {"width": 16, "height": 16, "seed": 3, "cfg_scale": 1}


def test_cells_are_kept_as_they_end_and_the_rest_when_it_goes_on(tiny, tmp_path: Path) -> None:
    # given
    history = History(tmp_path)
    own = Pipeline(tiny.components, history=history)
    plan = plan_fields("a cat", {"steps": [1, 2], **SMALL}, zipped=False)
    comparison = Comparison(plan, Lockstep(own, exact=True), history)
    # when: it is left after the first cell, as a killed kernel leaves it
    for _ in comparison.rounds():
        if any(comparison.results):
            break
    # then
    assert cells_of(history) == [("1",)]
    comparison.resume()
    assert cells_of(history) == [("2",), ("1",)]
    assert comparison.not_kept == {}


def test_an_interrupt_while_a_cell_is_kept_ends_the_comparison_and_loses_no_cell(
    tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    history = History(tmp_path)
    plan = plan_fields("a cat", {"steps": [1, 2], **SMALL}, zipped=False)
    comparison = Comparison(plan, Lockstep(tiny, exact=True), history)

    def interrupted(*_args: object) -> None:
        raise KeyboardInterrupt

    # when
    with monkeypatch.context() as patch:
        patch.setattr("sdnb.records.history.write_picture", interrupted)
        with pytest.raises(KeyboardInterrupt):
            comparison.resume()
    # then
    assert cells_of(history) == []
    assert sum(result is not None for result in comparison.results) == 1
    comparison.resume()
    assert sorted(cells_of(history)) == [("1",), ("2",)]


def test_a_cell_that_cannot_be_kept_says_why_and_leaves_the_others(
    tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    history = History(tmp_path)
    plan = plan_fields("a cat", {"steps": [1, 2], **SMALL}, zipped=False)
    comparison = Comparison(plan, Lockstep(tiny, exact=True), history)
    write, calls = sdnb.records.history.write_picture, []

    def full(*args: Any) -> Path:
        calls.append(args)
        if len(calls) == 1:
            raise OSError(28, "No space left on device")
        return write(*args)

    monkeypatch.setattr("sdnb.records.history.write_picture", full)
    # when
    comparison.resume()
    # then
    assert cells_of(history) == [("2",)]
    assert "No space left" in comparison.not_kept[0]
    assert comparison.is_complete
