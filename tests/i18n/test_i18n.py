"""The words of panels and plots: complete in every language, chosen by hand or by the locale."""

import json
import re
from importlib.resources import files

import pytest

from sdnb import i18n
from sdnb.errors import UnknownName
from sdnb.i18n import LANGUAGES, keep_language, language, set_language, tr, words


@pytest.fixture(autouse=True)
def fresh(monkeypatch, tmp_path):
    """Nothing is set or kept, and the locale is nobody's."""
    monkeypatch.setattr(i18n, "_choice", i18n._Choice())
    monkeypatch.setenv("SDNB_CONFIG", str(tmp_path))
    for name in i18n._ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("name", LANGUAGES)
def test_every_language_has_the_same_keys_and_places(name):
    # given
    english, other = words("en"), words(name)

    # then
    assert list(other) == list(english)
    for key, text in other.items():
        assert text.strip(), key
        assert set(re.findall(r"{\w+}", text)) == set(re.findall(r"{\w+}", english[key])), key


@pytest.mark.parametrize("name", LANGUAGES)
def test_no_key_stands_twice(name):
    text = files("sdnb.i18n").joinpath(f"{name}.json").read_text(encoding="utf-8")

    keys = [key for key, _ in json.loads(text, object_pairs_hook=list)]

    assert [key for key in set(keys) if keys.count(key) > 1] == []


def test_spanish_is_not_english():
    # given
    english, spanish = words("en"), words("es")

    # when
    same = [key for key in english if english[key] == spanish[key]]

    # then: names that the field uses everywhere
    assert set(same) <= {
        "studio.title",
        "studio.cfg_scale",
        "studio.sampler",
        "studio.loras",
        "studio.error",
        "panel.mark",
        "latents.x",
        "latents.eps_cond",
        "latents.eps_uncond",
        "latents.difference",
        "schedules.nats",
        "microscope.point",
        "sampler_table.no",
        "sampler_table.nominal",
        "schedules.ln_snr",
        "training.named_unet",
        "training.named_lora",
    }


def test_a_word_is_said_in_the_language_that_is_set():
    set_language("es")
    assert tr("studio.steps") == "Pasos"
    set_language("en")
    assert tr("studio.steps") == "Steps"


def test_places_are_filled():
    set_language("en")
    assert tr("studio.at_step", step=3, total=20) == "Step 3 of 20"


def test_an_unknown_key_and_an_unknown_language_name_what_there_is():
    with pytest.raises(UnknownName, match=r"studio\.steps"):
        tr("studio.stepps")
    with pytest.raises(UnknownName, match="en, es"):
        set_language("fr")


@pytest.mark.parametrize(
    ("locale", "spoken"),
    [("es_ES.UTF-8", "es"), ("es", "es"), ("de_DE.UTF-8", "en"), ("C", "en"), ("", "en")],
)
def test_the_locale_decides_where_nothing_is_set(monkeypatch, locale, spoken):
    monkeypatch.setenv("LANG", locale)
    assert language() == spoken


def test_what_is_kept_comes_before_the_locale(monkeypatch):
    monkeypatch.setenv("LANG", "en_US.UTF-8")
    keep_language("es")
    assert language() == "es"


def test_a_broken_file_is_as_good_as_none(tmp_path):
    (tmp_path / "language").write_bytes(b"\xff\xfe")
    assert language() == "en"


def test_listeners_are_told_and_forgotten_with_their_object():
    # given
    class Listener:
        def __init__(self, heard):
            self.heard = heard

        def told(self):
            self.heard.append(language())

    heard = []
    listener = Listener(heard)
    i18n.on_change(listener.told)

    # when
    set_language("es")
    del listener
    set_language("en")

    # then
    assert heard == ["es"]
