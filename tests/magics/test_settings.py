import json
from pathlib import Path

import pytest
from PIL import Image

from sdnb.choice import Choice
from sdnb.errors import InvalidField
from sdnb.hook_use import HookUse
from sdnb.magics.parse import Order
from sdnb.magics.settings import read_settings, settings_path, write_settings
from sdnb.picture import FromImage, Picture
from sdnb.request import GenerationRequest


def test_what_is_kept_is_read_back(settings_folder: Path) -> None:
    # given
    request = GenerationRequest(
        negative_prompt="größer",
        steps=30,
        sampler=Choice("euler_ancestral", (("eta", 0.5),)),
        start=FromImage(Picture.of(Image.new("RGB", (8, 8)))),
        hooks=(HookUse.parse("step:f@3-7"),),
    )
    # when
    path = write_settings(Order(request, "increment"))
    # then
    assert path == settings_folder / "settings.json"
    assert read_settings() == Order(request, "increment")


def test_only_what_differs_is_kept(settings_folder: Path) -> None:
    # when
    path = write_settings(Order(GenerationRequest(steps=30)))
    # then
    assert json.loads(path.read_text())["defaults"] == {"steps": 30}


def test_without_a_file_the_built_in_defaults_hold(settings_folder: Path) -> None:
    assert read_settings() == Order()


def test_the_folder_follows_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    monkeypatch.delenv("SDNB_CONFIG", raising=False)
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    home = settings_path()
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    xdg = settings_path()
    monkeypatch.setenv("SDNB_CONFIG", str(tmp_path / "own"))
    # when
    own = settings_path()
    # then
    assert [path.relative_to(tmp_path).as_posix() for path in (home, xdg, own)] == [
        ".config/sdnb/settings.json",
        "xdg/sdnb/settings.json",
        "own/settings.json",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "{}",
        '{"version": 99, "defaults": {}, "after": "fixed"}',
        '{"version": 1, "defaults": {"colour": 1}, "after": "fixed"}',
        '{"version": 1, "defaults": {"steps": 0}, "after": "fixed"}',
        '{"version": 1, "defaults": {}, "after": "later"}',
    ],
)
def test_a_broken_file_is_named_and_left_alone(settings_folder: Path, text: str) -> None:
    # given
    settings_folder.mkdir()
    path = settings_folder / "settings.json"
    path.write_text(text)
    # when
    with pytest.raises(InvalidField, match="your settings") as caught:
        read_settings()
    # then
    assert caught.value.given == str(path)
    assert path.read_text() == text


def test_a_failed_write_leaves_the_old_file(
    settings_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    write_settings(Order(GenerationRequest(steps=30)))

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    # when
    with pytest.raises(InvalidField, match="No space left"):
        write_settings(Order(GenerationRequest(steps=40)))
    # then
    assert read_settings().request.steps == 30
    assert len(list(settings_folder.iterdir())) == 1


def test_a_folder_that_cannot_be_made_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    (tmp_path / "file").touch()
    monkeypatch.setenv("SDNB_CONFIG", str(tmp_path / "file" / "folder"))
    # when / then
    with pytest.raises(InvalidField, match="could not be kept") as caught:
        write_settings(Order())
    assert "SDNB_CONFIG" in caught.value.fix
