import dataclasses
import string
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from sdnb.choice import Choice
from sdnb.control import Control
from sdnb.errors import InvalidField, SdnbError, UnknownName
from sdnb.flags import FLAGS, example_of
from sdnb.hires import Hires
from sdnb.hook_use import POINTS, HookUse
from sdnb.lora import Lora
from sdnb.magics.parse import Order, cut_semicolon, parse_cell, parse_line, split_body
from sdnb.picture import FromImage, Inpaint, Picture
from sdnb.registry import SAMPLERS, SCHEDULES
from sdnb.request import GenerationRequest
from sdnb.written import format_flags

NAMES = st.text(string.ascii_lowercase, min_size=1)
# text of one line, without variables
TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"])).filter(
    lambda text: "{{" not in text
)
OPTIONS = st.dictionaries(NAMES, st.integers() | st.just("true") | NAMES, max_size=2).map(
    lambda options: "".join(f" {key}={value}" for key, value in options.items())
)
SIZES = st.none() | st.integers(1, 1024).map(lambda size: 8 * size)


def choices(names: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.builds("{}{}".format, names, OPTIONS)


@st.composite
def hook_uses(draw: st.DrawFn) -> str:
    first = draw(st.integers(0, 99))
    last = draw(st.just("") | st.integers(first, 999))
    point = draw(st.sampled_from(POINTS))
    steps = f"@{first}-{last}" if point in ("model", "denoise", "step") else ""
    return f"{point}:{draw(choices(NAMES))}{steps}"


FIELDS = st.fixed_dictionaries(
    {
        "prompt": TEXTS,
        "negative_prompt": TEXTS,
        "seed": st.none() | st.integers(0, 2**64 - 1),
        "batch_size": st.integers(1, 256),
        "width": SIZES,
        "height": SIZES,
        "steps": st.integers(1, 1000),
        "cfg_scale": st.floats(-1e6, 1e6),
        "sampler": choices(st.sampled_from(SAMPLERS.names())),
        "schedule": choices(st.sampled_from(SCHEDULES.names())),
        "denoise": st.floats(0, 1, exclude_min=True),
        "hires": st.none() | st.builds(Hires, scale=st.floats(1, 8), denoise=st.floats(0.1, 1)),
        "checkpoint": st.none() | NAMES.filter(lambda name: name != "none"),
        "clip_skip": st.integers(0, 64),
        "hooks": st.lists(hook_uses(), max_size=3),
        "loras": st.lists(
            st.builds(
                Lora,
                st.sampled_from(["ink", "a b/c.safetensors", "--odd:2"]),
                st.floats(-2, 2),
                st.none() | st.floats(-2, 2),
            ),
            max_size=3,
        ),
    }
)


def request_of(fields: dict[str, Any]) -> GenerationRequest:
    for name in ("sampler", "schedule"):
        fields[name] = Choice.parse(fields[name])
    fields["hooks"] = tuple(map(HookUse.parse, fields["hooks"]))
    return GenerationRequest(**fields)


@settings(max_examples=60, deadline=None)
@given(FIELDS, FIELDS)
def test_formatted_flags_are_read_back(wanted: dict[str, Any], kept: dict[str, Any]) -> None:
    # given
    request, defaults = request_of(wanted), request_of(kept)
    line = format_flags(request, beside=defaults)
    # when
    order = parse_line(line, Order(defaults), {})
    # then
    assert order.request == request


def test_every_field_of_a_request_has_a_flag() -> None:
    # given
    fields = {field.name for field in dataclasses.fields(GenerationRequest)}
    # when
    reached = {option for flag in FLAGS.values() for option in flag.sets}
    # then
    assert reached == fields | {"mask", "outpaint", "after", "name", "axes"}


def test_every_example_in_the_help_works(tmp_path: Path, monkeypatch) -> None:
    # given
    for name in ("cat.png", "mask.png", "depth.png", "photo.png"):
        Image.new("L", (8, 8)).save(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    for flag in FLAGS.values():
        # when
        order = parse_line(example_of(flag), Order(), {})
        # then
        assert isinstance(order, Order)


def test_a_cell_is_flags_and_a_literal_prompt() -> None:
    # given
    line = "--steps 30 --sampler heun --schedule karras --cfg 4.5 --seed 7 --size 128x64 -o x"
    body = 'a {red|blue} (cat:1.2)\nfor $5, it\'s "big"\n'
    # when
    order = parse_cell(line, body, Order(), {})
    # then
    assert order.name == "x"
    assert order.request == GenerationRequest(
        prompt='a {red|blue} (cat:1.2)\nfor $5, it\'s "big"',
        steps=30,
        sampler=Choice("heun"),
        cfg_scale=4.5,
        seed=7,
        width=128,
        height=64,
    )


@pytest.mark.parametrize(
    ("body", "prompt", "negative"),
    [
        ("a cat", "a cat", None),
        ("\n\n", "", None),
        ("a cat\nnegative: blurry", "a cat", "blurry"),
        ("Negative:blurry\na cat", "a cat", "blurry"),
        ("a cat\n---\nblurry\ndark", "a cat", "blurry\ndark"),
        ("a cat\nnegative: dark\n---\nblurry", "a cat", "dark, blurry"),
        ("a cat\nnegative:", "a cat", ""),
        ("a --- b", "a --- b", None),
        ("a cat, negative: no", "a cat, negative: no", None),
    ],
)
def test_a_body_is_split_in_prompt_and_negative(
    body: str, prompt: str, negative: str | None
) -> None:
    assert split_body(body) == (prompt, negative)


@pytest.mark.parametrize(
    "line",
    [
        '"a red circle" --steps 5',
        "a red circle --steps 5",
        "--steps 5 a red circle",
        "--seed none a red circle --steps=5",
        '--prompt "a red circle" --steps 5',
        "a {{colour}} circle --steps {{n}}",
    ],
)
def test_a_prompt_on_one_line_may_stand_before_or_after_flags(line: str) -> None:
    # when
    order = parse_line(line, Order(), {"colour": "red", "n": 5})
    # then
    assert order.request == GenerationRequest(prompt="a red circle", steps=5)


def test_a_variable_cannot_add_flags_or_a_negative_prompt() -> None:
    # given
    names = {"text": "a\nnegative: b --steps 5"}
    # when
    order = parse_cell("", "{{text}}", Order(), names)
    # then
    assert order.request == GenerationRequest(prompt="a\nnegative: b --steps 5")


def test_what_a_cell_leaves_out_comes_from_the_defaults() -> None:
    # given
    defaults = Order(GenerationRequest(steps=30, negative_prompt="blurry", width=64), "fixed")
    # when
    order = parse_cell("--height 32", "a cat", defaults, {})
    # then
    assert order.request == defaults.request.changed(prompt="a cat", height=32)
    assert order.after == "fixed"


def test_none_empties_what_has_no_default() -> None:
    # given
    uses = (HookUse.parse("step:f"),)
    defaults = Order(GenerationRequest(seed=7, width=64, checkpoint="x", hooks=uses))
    # when
    order = parse_line("--seed none --width none --checkpoint none --on none", defaults, {})
    # then
    assert order.request == GenerationRequest()


def test_several_hooks_are_gathered() -> None:
    # when
    order = parse_line("--on step:f@3-7 --on 'image:g size=2'", Order(), {})
    # then
    assert [str(use) for use in order.request.hooks] == ["step:f@3-7", "image:g size=2"]


def test_several_loras_are_gathered_and_none_empties_them() -> None:
    # given
    defaults = Order(GenerationRequest(loras="old:0.5"))

    # when
    orders = [
        parse_line(line, defaults, {})
        for line in ("--lora ink:0.8 --lora 'my style.safetensors:1:0'", "--lora none", "")
    ]

    # then
    assert [order.request.loras for order in orders] == [
        (Lora("ink", 0.8), Lora("my style.safetensors", 1.0, 0.0)),
        (),
        (Lora("old", 0.5),),
    ]


def test_controls_are_gathered_and_can_be_compared(tmp_path: Path, monkeypatch) -> None:
    # given
    monkeypatch.chdir(tmp_path)
    Image.new("L", (8, 8)).save("d.png")
    control = Control(picture=Picture.read("d.png"), reference="depth", weight=0.7)

    # when
    many = parse_line("--control d.png:depth:0.7 --control d.png:depth:0.7:0-0.5", Order(), {})
    axis = parse_line("--compare control=none,d.png:depth:0.7", Order(), {})

    # then
    assert many.request.controls == (control, dataclasses.replace(control, end=0.5))
    assert axis.axes == (("controls", ((), (control,))),)


def test_loras_can_be_compared() -> None:
    order = parse_line("--compare lora=none,ink:0.5,ink:1", Order(), {})
    assert order.axes == (("loras", ((), (Lora("ink", 0.5),), (Lora("ink"),))),)


def test_an_input_picture_is_read(tmp_path: Path) -> None:
    # given
    path = tmp_path / "a cat.png"
    Image.new("RGB", (8, 8), "red").save(path)
    # when
    order = parse_line(f'--image "{path}" --denoise 0.5', Order(), {})
    # then
    assert isinstance(order.request.start, FromImage)


@pytest.fixture
def pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Picture, Picture]:
    """Give a picture and a mask, in cat.png and mask.png of the current folder."""
    monkeypatch.chdir(tmp_path)
    images = Image.new("RGB", (8, 8), "red"), Image.new("RGB", (8, 8), "white")
    for image, name in zip(images, ("cat.png", "mask.png"), strict=True):
        image.save(name)
    return Picture.of(images[0]), Picture.of(images[1])


def test_a_border_goes_around_the_picture_and_the_run_has_its_size(
    pictures: tuple[Picture, Picture],
) -> None:
    # when
    order = parse_line("--image cat.png --outpaint right=16,bottom=8,feather=2", Order(), {})
    sized = parse_line("--image cat.png --outpaint right=16 --width 64", Order(), {})
    # then
    request = order.request
    assert request.start == Inpaint.outpaint(pictures[0], right=16, bottom=8, feather=2)
    assert (request.width, request.height) == (24, 16)
    assert (sized.request.width, sized.request.height) == (64, 8)


@pytest.mark.parametrize(
    "line",
    [
        "--outpaint right=8",
        "--image cat.png --mask mask.png --outpaint right=8",
        *(
            f"--image cat.png --outpaint {text}"
            for text in ("8", "up=8", "right=8,", "right=8,right=16", "right=-8", "right=7")
        ),
    ],
)
@pytest.mark.usefixtures("pictures")
def test_a_border_that_cannot_be_is_refused(line: str) -> None:
    with pytest.raises(InvalidField):
        parse_line(line, Order(), {})


@pytest.mark.parametrize(
    "line", ["--image cat.png --mask mask.png", "--mask=mask.png --image=cat.png"]
)
def test_a_mask_goes_with_the_picture_of_its_line(
    pictures: tuple[Picture, Picture], line: str
) -> None:
    assert parse_line(line, Order(), {}).request.start == Inpaint(*pictures)


def test_a_mask_goes_with_the_picture_of_the_defaults(pictures: tuple[Picture, Picture]) -> None:
    # given
    plain = Order(GenerationRequest(start=FromImage(pictures[0])))
    # when
    repainted = parse_line("a dog --mask mask.png", plain, {})
    # then
    assert repainted.request.start == Inpaint(*pictures)
    assert parse_line("a dog --mask none", repainted, {}).request.start == plain.request.start
    assert parse_line("a dog --image cat.png", repainted, {}).request.start == plain.request.start


@pytest.mark.parametrize(
    ("line", "what", "fix"),
    [
        ("--stps 5", "no flag of this name", "--steps"),
        ("--sampler huen", "no sampler of this name", "heun"),
        ("--schedule karas", "no schedule of this name", "karras"),
        ("--after increase", "no way to go on", "increment"),
        ("--steps", "needs a value", "--steps 30"),
        ("--steps --seed 7", "needs a value", "--steps 30"),
        ("--steps many", "takes a whole number", "--steps 30"),
        ("--cfg strong", "takes a number", "--cfg 4"),
        ("--steps 0", "steps is out of its range", ""),
        ("--size 100x100", "width must be a multiple of 8", "width=96"),
        ("--size big", "written WIDTHxHEIGHT", "--size 128x128"),
        ("--size 64x64 --width 32", "width is given twice", "leave one out"),
        ("a cat --negative blurry, dark", "one place", "double quotes"),
        ("a cat --sampler euler_ancestral eta=1", "one place", "double quotes"),
        ("a cat --prompt dog", "prompt is given twice", "leave one out"),
        ("--on step", "point:function", "--on step:my_function"),
        ("--on stp:f", "no such hook point", ""),
        ("-o 3x", "name of a variable", "-o result"),
        ("-o class", "name of a variable", "-o result"),
        ("--image missing.png", "cannot be read", "path"),
        ("--mask missing.png", "cannot be read", "path"),
        ("--mask mask.png", "there is no picture", "--image cat.png --mask mask.png"),
        ("{{missing}}", "no variable", "define it"),
    ],
)
def test_an_error_says_what_to_do(
    pictures: tuple[Picture, Picture], line: str, what: str, fix: str
) -> None:
    # when
    with pytest.raises(SdnbError, match=what) as caught:
        parse_line(line, Order(), {})
    # then
    assert fix in caught.value.fix
    assert caught.value.fix or caught.value.allowed


def test_words_on_the_line_of_a_cell_are_an_error() -> None:
    with pytest.raises(InvalidField, match="flags only") as caught:
        parse_cell("a red circle", "on white", Order(), {})
    assert caught.value.given == "a red circle"


def test_an_unknown_flag_lists_all() -> None:
    with pytest.raises(UnknownName) as caught:
        parse_line("--colour red", Order(), {})
    assert "--steps" in caught.value.allowed


@pytest.mark.parametrize(
    ("text", "expected"),
    [("a cat;", ("a cat", True)), ("a cat;\n\n", ("a cat", True)), ("a; b", ("a; b", False))],
)
def test_only_a_semicolon_at_the_very_end_is_cut(text: str, expected: tuple[str, bool]) -> None:
    assert cut_semicolon(text) == expected


def test_a_variable_that_looks_like_a_flag_is_text() -> None:
    # when
    order = parse_line("{{word}} x", Order(), {"word": "-o"})
    # then
    assert order.request.prompt == "-o x"
    assert order.name == ""
