"""Results draw themselves, safely, and save their pictures with their request."""

import re

from PIL import Image

import sdnb


def test_a_result_draws_its_pictures_with_alt_text(pipe):
    # given
    result = pipe.run("a cat <script>alert(1)</script>", seed=7, steps=1, batch_size=2)

    # when
    bundle = result._repr_mimebundle_()

    # then
    tags = re.findall(r"<img [^>]*>", bundle["text/html"])
    assert len(tags) == 2
    assert all('alt="Generated image, seed' in tag for tag in tags)
    assert "<script>" not in bundle["text/html"]
    assert bundle["text/plain"] == repr(result)


def test_the_line_of_facts_names_what_was_used(pipe):
    facts = pipe.run("", seed=7, steps=2, batch_size=2, sampler="heun", cfg_scale=1).facts
    for part in ("seed 7 … 8", "heun", "karras", "2 steps", "cfg 1", "3 evaluations", " s"):
        assert part in facts


def test_saved_pictures_carry_their_request_and_never_overwrite(pipe, tmp_path):
    # given
    result = pipe.run("a blue fish", seed=7, steps=1, batch_size=2)

    # when
    first, again = result.save(tmp_path / "new"), result.save(tmp_path / "new")

    # then
    assert [path.name for path in first] == ["sdnb-7.png", "sdnb-8.png"]
    assert [path.name for path in again] == ["sdnb-7-2.png", "sdnb-8-2.png"]
    for index, path in enumerate(first):
        assert Image.open(path).tobytes() == result.images[index].tobytes()
        recalled = sdnb.read(path)
        assert (recalled.request, recalled.index) == (result.request, index)


def test_a_file_name_is_taken_as_given(pipe, tmp_path):
    paths = pipe.run("a blue fish", steps=1).save(tmp_path / "fish.png")
    assert paths == [tmp_path / "fish.png"]
