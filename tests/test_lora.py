"""LoRAs as plain values: written, read back, checked at once."""

import pytest

from sdnb.errors import InvalidField
from sdnb.lora import Lora
from sdnb.request import GenerationRequest


@pytest.mark.parametrize(
    ("text", "lora"),
    [
        ("style", Lora("style")),
        ("style.safetensors:0.8", Lora("style.safetensors", 0.8)),
        ("my styles/a.safetensors:-1:0", Lora("my styles/a.safetensors", -1.0, 0.0)),
        ("1:2:0.5", Lora("1", 2.0, 0.5)),
        ("C:\\styles\\a.safetensors:1e-3", Lora("C:\\styles\\a.safetensors", 0.001)),
    ],
)
def test_a_lora_is_written_with_its_weights(text, lora):
    assert Lora.parse(text) == lora
    assert Lora.parse(str(lora)) == lora


@pytest.mark.parametrize("text", ["", ":0.8", "3", "style:nan", "style:inf"])
def test_a_lora_written_wrongly_is_refused(text):
    with pytest.raises(InvalidField, match="LoRA"):
        Lora.parse(text)


def test_a_lora_is_called_as_its_file():
    names = [Lora(path).name for path in ("a/style.v2.safetensors", "C:\\a\\style.v2", "style.v2")]
    assert names == ["style.v2"] * 3


def test_the_text_takes_as_much_as_the_network_unless_it_is_told():
    assert Lora("style", 0.8) == Lora("style", 0.8, 0.8) != Lora("style", 0.8, 1.0)


def test_a_request_reads_loras_as_they_are_written():
    one, many = (GenerationRequest(loras=given).loras for given in ("a:0.5", ["a:0.5", Lora("b")]))
    assert one == (Lora("a", 0.5),)
    assert many == (Lora("a", 0.5), Lora("b"))
