"""What was typed, and what is wrong with it: beside its field, and nothing is lost."""

import pytest
from PIL import Image

from sdnb.choice import Choice
from sdnb.errors import InvalidField, UnknownName
from sdnb.labs.form import Form
from sdnb.lora import Lora
from sdnb.picture import FromImage, Inpaint, Picture
from sdnb.request import GenerationRequest


def picture(size=(64, 64), colour="red"):
    return Picture.of(Image.new("RGB", size, colour))


def test_texts_stand_for_what_they_say():
    # given
    form = Form(steps="12", cfg_scale="3,5", seed="", width="", sampler="euler_ancestral eta=0.5")

    # when
    request = form.request()

    # then
    assert request == GenerationRequest(
        steps=12, cfg_scale=3.5, sampler=Choice("euler_ancestral", (("eta", 0.5),))
    )


@pytest.mark.parametrize(
    ("field", "typed", "kind"),
    [
        ("width", 513, InvalidField),
        ("width", "wide", InvalidField),
        ("steps", 0, InvalidField),
        ("steps", "", InvalidField),
        ("cfg_scale", "much", InvalidField),
        ("cfg_scale", "nan", InvalidField),
        ("denoise", 0, InvalidField),
        ("seed", -1, InvalidField),
        ("sampler", "hoin", UnknownName),
        ("sampler", "euler_ancestral eto=1", UnknownName),
        ("schedule", "karras rho=x", InvalidField),
        ("after", "sometimes", UnknownName),
        ("loras", "style.safetensors:inf", InvalidField),
        ("prompt", 7, InvalidField),
    ],
)
def test_what_cannot_be_is_said_beside_its_field_alone(field, typed, kind):
    # given
    form = Form(prompt="a red circle")

    # when
    setattr(form, field, typed)

    # then
    assert {name: type(error) for name, error in form.errors.items()} == {field: kind}
    assert form.request() is None
    assert getattr(form, field) == typed


def test_an_error_goes_when_its_field_is_mended():
    form = Form(width=513)
    form.width = 512
    assert form.errors == {}
    assert form.request() is not None


def test_a_mask_needs_a_picture_of_its_proportions():
    # given
    form = Form(mask=picture())
    alone = set(form.errors)

    # when
    form.image = picture((64, 32))
    other = set(form.errors)
    form.image = picture()

    # then
    assert (alone, other, form.errors) == ({"mask"}, {"mask"}, {})
    assert form.request().start == Inpaint(picture(), picture())


def test_filled_from_a_request_it_gives_the_request_back():
    # given
    request = GenerationRequest(
        prompt="a red circle",
        negative_prompt="blurry",
        seed=7,
        width=64,
        height=128,
        sampler="euler_ancestral eta=0.5",
        denoise=0.6,
        start=FromImage(picture()),
        loras=(Lora("style.safetensors", 0.8), Lora("line.safetensors")),
    )
    form = Form()

    # when
    form.fill(request)

    # then
    assert form.request() == request
    assert form.changes(request) == {}


def test_what_has_no_field_stays_as_it_was():
    # given
    form = Form()

    # when
    form.fill(GenerationRequest(clip_skip=1, syntax="a1111", batch_size=4, checkpoint="tiny"))
    form.steps = 5

    # then
    assert form.request() == GenerationRequest(clip_skip=1, syntax="a1111", steps=5)


def test_changes_are_what_a_branch_is_told_and_the_seed_is_not_among_them():
    # given
    form, ran = Form(), GenerationRequest(prompt="a red circle", seed=7, width=128, height=128)
    form.fill(ran)

    # when
    form.cfg_scale, form.seed, form.width = 7, 8, ""

    # then
    assert form.changes(ran) == {"cfg_scale": 7.0}
    assert not form.refuse_fixed(ran)


def test_what_a_branch_cannot_change_is_refused_beside_its_field():
    # given
    form, ran = Form(), GenerationRequest(width=128, height=128)
    form.fill(ran)

    # when
    form.width, form.image = 64, picture()

    # then
    assert form.refuse_fixed(ran)
    assert set(form.errors) == {"width", "image"}
