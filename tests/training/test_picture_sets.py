"""Captioned pictures, few enough to be learned in minutes."""

import numpy as np
import pytest
from PIL import Image

from sdnb.errors import InvalidField
from sdnb.training.checker import read_picture
from sdnb.training.picture_sets import MOST, little_world, picture_files, read_folder, ten_in_ink


def test_the_little_world_shows_what_its_captions_say():
    # given
    world = little_world()

    # then
    assert 40 < len(world.pictures) == len(set(world.captions)) < 48
    seen = read_picture(np.asarray(world.pictures[0]))
    assert world.captions[0] == "a red circle on a meadow"
    assert (seen.background, [each.kind for each in seen.things]) == ("meadow", ["circle"])


def test_ten_pictures_are_in_ink_and_their_captions_do_not_say_so():
    style = ten_in_ink(64)
    assert len(style.pictures) == len(style.captions) == 10
    assert {picture.size for picture in style.pictures} == {(64, 64)}
    backgrounds = {read_picture(np.asarray(each)).background for each in ten_in_ink().pictures}
    assert backgrounds == {"snow"}
    assert not all("snow" in caption for caption in style.captions)


def test_a_folder_is_read_by_name_with_its_captions(tmp_path):
    # given
    for name, colour in (("b.PNG", "blue"), ("a.jpg", "red")):
        Image.new("RGB", (90, 60), colour).save(tmp_path / name)
    (tmp_path / "b.txt").write_text(" a blue sky\n")
    (tmp_path / "notes.md").write_text("none")

    # when
    found = read_folder(tmp_path, 32)

    # then
    assert found.captions == ("", "a blue sky")
    assert [picture.size for picture in found.pictures] == [(32, 32)] * 2
    assert found.pictures[1].getpixel((0, 0)) == (0, 0, 255)


@pytest.mark.parametrize("count", [0, MOST + 1])
def test_a_folder_with_no_picture_or_too_many_is_refused(tmp_path, count):
    for number in range(count):
        (tmp_path / f"{number}.png").touch()
    with pytest.raises(InvalidField, match="folder of pictures"):
        picture_files(tmp_path)
