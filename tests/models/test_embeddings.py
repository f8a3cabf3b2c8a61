"""Textual inversions: vectors that stand in a text, as diffusers puts them there."""

from dataclasses import replace
from shutil import copy

import pytest
import torch
from safetensors.torch import save_file

import sdnb
from sdnb.embedding import Embedding
from sdnb.errors import LoadError, SdnbError
from sdnb.hooks.swap_prompt import swap_prompt
from sdnb.models.embedding_file import list_embeddings
from sdnb.models.text import encode_text
from sdnb.picture_file import read_info
from tests.models.families.checkpoints import BUILDS, make

PROMPT = "a cat, embedding:style on a meadow"


def vectors(count, width, seed=0):
    return torch.randn(count, width, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def width(pipe):
    return pipe.components.texts[0].network.config.hidden_size


@pytest.fixture
def folder(tmp_path, monkeypatch, width):
    """Give a model folder with an embedding of two vectors, ``style``; its embeddings' folder."""
    place = tmp_path / "models" / "embeddings"
    place.mkdir(parents=True)
    save_file({"emb_params": vectors(2, width)}, place / "style.safetensors")
    monkeypatch.setenv("SDNB_MODELS", str(tmp_path / "models"))
    return place


def encoded(pipe, prompt, syntax="comfyui", given=(), **options):
    parts = pipe.components
    embeddings = parts.embeddings.resolved(given, [prompt], syntax)
    return encode_text(parts, [prompt], syntax=syntax, embeddings=embeddings, **options)


def draw(pipe, prompt, **fields):
    return pipe.run(prompt, **{"seed": 3, "steps": 2, "width": 64, "height": 64, **fields})


def test_a_vector_of_the_vocabulary_is_the_word_itself(pipe, folder):
    # given
    (encoder,) = pipe.components.texts
    (id,) = encoder.tokenizer("meadow", add_special_tokens=False)["input_ids"]
    table = encoder.network.get_input_embeddings().weight.detach()
    save_file({"x": table[id].clone()}, folder / "field.safetensors")

    # when
    learned, word = (encoded(pipe, f"a cat on a {each}") for each in ("embedding:field", "meadow"))

    # then
    assert torch.equal(learned.embeds, word.embeds)
    assert torch.equal(learned.pooled, word.pooled)


def test_its_positions_know_where_they_stand_in_the_prompt(pipe, folder):
    (tokens,) = encoded(pipe, PROMPT).tokens
    found = [token for token in tokens if token.learned]
    assert [token.learned for token in found] == [("style", 0), ("style", 1)]
    assert {PROMPT[slice(*token.span)] for token in found} == {"embedding:style"}
    after = tokens[tokens.index(found[-1]) + 1]
    assert PROMPT[slice(*after.span)] == "on"


def test_a_weight_counts_for_all_of_its_vectors(pipe, folder):
    (tokens,) = encoded(pipe, "a (embedding:style:1.3) cat").tokens
    assert [token.weight for token in tokens[:5]] == [1, 1, 1.3, 1.3, 1]


def test_a_name_with_brackets_is_written_with_backslashes(pipe, folder, width):
    save_file({"x": vectors(1, width)}, folder / "style (1).safetensors")
    save_file({"x": vectors(1, width)}, folder / "style(1).safetensors")
    (tokens,) = encoded(pipe, r"a embedding:style\(1\) cat").tokens
    assert [token.learned for token in tokens[2:4]] == [("style(1)", 0), None]


def test_both_syntaxes_draw_the_same_with_it(pipe, folder):
    # given
    texts = {"comfyui": "a cat, embedding:style, on", "a1111": "a cat, Style, on"}

    # when
    comfyui, a1111 = (encoded(pipe, text, syntax).embeds for syntax, text in texts.items())

    # then
    assert torch.equal(comfyui, a1111)
    plain = encoded(pipe, texts["comfyui"], "plain")
    assert not any(token.learned for token in plain.tokens[0])


def test_one_that_does_not_fit_into_a_chunk_begins_the_next(pipe, folder):
    (tokens,) = encoded(pipe, "red " * 74 + "embedding:style").tokens
    assert len(tokens) == 154
    assert [token.learned for token in tokens[77:81]] == [None, ("style", 0), ("style", 1), None]


@pytest.mark.parametrize(
    "case",
    [
        ("embedding:style, embedding:other", "comfyui", 1),
        ("style, other", "a1111", 1),
        ("a cat", "comfyui", 0),
    ],
)
def test_folders_are_listed_once_for_all_embeddings(pipe, folder, monkeypatch, case):
    # given
    copy(folder / "style.safetensors", folder / "other.safetensors")
    (prompt, syntax, times), listed = case, []

    def noted():
        listed.append(1)
        return list_embeddings()

    for module in (sdnb.models.embeddings, sdnb.models.embedding_file):
        monkeypatch.setattr(module, "list_embeddings", noted)

    # when
    found = replace(pipe.components).embeddings.resolved((), [prompt], syntax)

    # then
    assert len(found) == 2 * times
    assert len(listed) == times


def test_embeddings_are_looked_for_at_any_depth_but_not_inside_models(folder, tmp_path):
    # given
    for place in ("deep/embeddings/people", "model/embeddings", ".cache/embeddings"):
        (tmp_path / "models" / place).mkdir(parents=True)
        (tmp_path / "models" / place / f"{place[:2]}.pt").touch()
    (tmp_path / "models" / "model" / "model_index.json").touch()

    # when / then
    assert set(list_embeddings()) == {"style", "people/de", "de"}


def test_the_text_encoder_is_as_it_was(pipe, folder):
    # given
    network = pipe.components.texts[0].network.get_input_embeddings()
    before = encoded(pipe, "a cat").embeds

    # when
    encoded(pipe, PROMPT)

    # then
    assert not network._forward_hooks
    assert torch.equal(encoded(pipe, "a cat").embeds, before)


def test_a_batch_with_other_embeddings_is_its_texts_alone(pipe, folder, width):
    # given
    save_file({"x": vectors(1, width, 5)}, folder / "other.safetensors")
    texts = [PROMPT, "embedding:other and embedding:style", "a cat"]

    # when
    embeddings = pipe.components.embeddings.resolved((), texts, "comfyui")
    together = encode_text(pipe.components, texts, embeddings=embeddings).embeds

    # then
    for text, embeds in zip(texts, together, strict=True):
        torch.testing.assert_close(encoded(pipe, text).embeds[0], embeds, atol=1e-5, rtol=0)


def test_a_run_draws_with_it_and_records_its_name_and_hash(pipe, folder, tmp_path):
    # given
    bare = draw(pipe, "a cat, on a meadow")

    # when
    result = draw(pipe, PROMPT)
    (path,) = result.save(tmp_path / "drawn")
    read = sdnb.read(path).request

    # then
    assert (result.latents - bare.latents).abs().max() > 1e-3
    (recorded,) = result.request.embeddings
    assert recorded.reference == "style"
    assert len(recorded.sha256) == 64
    assert read.embeddings == result.request.embeddings
    written = read_info(path)["parameters"]
    assert f'TI hashes: "style: {recorded.sha256[:12]}"' in written
    assert torch.equal(pipe.run(read).latents, result.latents)


def test_one_that_is_not_named_any_more_is_not_recorded(pipe, folder):
    request = draw(pipe, PROMPT).request.changed(prompt="a cat")
    assert pipe.start(request).request.embeddings == ()


def test_the_same_name_with_another_file_is_refused(pipe, folder, width):
    # given
    result = draw(pipe, PROMPT)

    # when
    save_file({"emb_params": vectors(2, width, 1)}, folder / "style.safetensors")

    # then
    with pytest.raises(LoadError, match="another file"):
        pipe.run(result.request)


def test_words_that_come_on_the_way_may_be_embeddings(pipe, folder):
    prompt = "a [cat:embedding:style:0.5]"
    assert [each.name for each in draw(pipe, prompt).request.embeddings] == ["style"]


def test_a_file_is_named_by_its_path_or_given_beside_the_prompt(pipe, width, tmp_path):
    # given
    path = tmp_path / "mine.safetensors"
    save_file({"<mine>": vectors(1, width)}, path)

    # when
    by_path = draw(pipe, f"a embedding:{path} cat")
    given = draw(pipe, "a embedding:mine cat", embeddings=str(path))
    as_word = draw(pipe, "a mine cat", embeddings=str(path), syntax="a1111")

    # then
    assert torch.equal(by_path.latents, given.latents)
    assert torch.equal(by_path.latents, as_word.latents)


def test_another_prompt_of_a_hook_may_name_one(pipe, folder):
    hooked = draw(pipe, "a cat", hooks=sdnb.Hooks(on_model=(swap_prompt(pipe, PROMPT, at=0),)))
    assert torch.allclose(hooked.latents, draw(pipe, PROMPT).latents, atol=1e-5)


def test_what_an_embedding_is_called_is_no_unknown_word(pipe, folder):
    assert draw(pipe, "embedding:style").notices == ()
    assert "zebra" in draw(pipe, "a zebra embedding:style").notices[0]


def test_every_layout_is_the_same_embedding(pipe, folder, width):
    # given
    both = vectors(2, width)
    save_file({"<it>": both}, folder / "theirs.safetensors")
    save_file({"clip_l": both, "clip_g": vectors(2, 1280)}, folder / "xl.safetensors")
    torch.save({"<it>": both}, folder / "theirs2.bin")
    torch.save(
        {"string_to_token": {"*": 265}, "string_to_param": {"*": both}, "name": "x", "step": 1},
        folder / "old.pt",
    )
    recipe = replace(pipe.components.recipe, allow_pickle=True)
    allowed = sdnb.Pipeline(replace(pipe.components, recipe=recipe))

    # when
    names = ("style", "theirs", "xl", "theirs2", "old")
    embeds = [encoded(allowed, f"a embedding:{name}").embeds for name in names]

    # then
    assert all(torch.equal(each, embeds[0]) for each in embeds)


def test_allowing_pickles_for_a_checkpoint_allows_them_for_its_embeddings(folder, width):
    torch.save({"<it>": vectors(2, width)}, folder / "theirs.bin")
    pipe = sdnb.load("tiny", allow_pickle=True)
    assert draw(pipe, "embedding:theirs").request.embeddings[0].name == "theirs"
    assert draw(pipe.swapped(vae="tiny"), "embedding:theirs").request.embeddings


def refused(pipe, name, words):
    with pytest.raises(SdnbError, match=words) as caught:
        draw(pipe, f"a embedding:{name} cat")
    assert name in str(caught.value)
    assert caught.value.fix


def test_what_is_no_embedding_for_this_model_is_refused_by_name(tiny, folder, lora, width):
    # given
    torch.save({"<it>": vectors(1, width)}, folder / "pickled.pt")
    save_file({"emb_params": vectors(1, 768)}, folder / "wide.safetensors")
    save_file({"a": vectors(1, width), "b": vectors(1, width)}, folder / "two.safetensors")
    save_file({"a": torch.zeros(1, width, dtype=torch.int64)}, folder / "whole.safetensors")
    (folder / "text.safetensors").write_text("a style")

    # when, then
    refused(tiny, "pickled", "pickle")
    refused(tiny, "wide", "another family")
    refused(tiny, "two", "no textual inversion")
    refused(tiny, "whole", "no textual inversion")
    refused(tiny, "text", "no weights")
    refused(tiny, "missing", "no embedding of this name")
    refused(tiny, lora, "no textual inversion")


@pytest.mark.parametrize("count", [1, 3])
def test_sd1_reads_it_as_diffusers_does(count, tmp_path, monkeypatch):
    # given
    theirs = make(BUILDS["sd1"])
    theirs.save_pretrained(tmp_path / "model")
    (tmp_path / "embeddings").mkdir()
    monkeypatch.setenv("SDNB_MODELS", str(tmp_path / "embeddings"))
    save_file({"<it>": vectors(count, 64)}, tmp_path / "embeddings" / "it.safetensors")
    pipe = sdnb.load(str(tmp_path / "model"))

    # when
    theirs.load_textual_inversion(tmp_path / "embeddings", weight_name="it.safetensors")
    embeds, _ = theirs.encode_prompt("a photo of <it> on a horse", "cpu", 1, False)
    ours = encoded(pipe, "a photo of embedding:it on a horse")

    # then
    assert torch.allclose(ours.embeds, embeds, atol=1e-5)
    bare = encoded(pipe, "a photo of on a horse")
    assert not torch.allclose(ours.embeds, bare.embeds, atol=1e-2)


def test_sdxl_reads_it_as_diffusers_does(tmp_path):
    # given
    theirs = make(BUILDS["sdxl"])
    theirs.save_pretrained(tmp_path / "model")
    both = {"clip_l": vectors(2, 64), "clip_g": vectors(2, 128, 1)}
    save_file(both, tmp_path / "it.safetensors")
    pipe = sdnb.load(str(tmp_path / "model"))

    # when
    parts = (theirs.text_encoder, theirs.tokenizer), (theirs.text_encoder_2, theirs.tokenizer_2)
    for each, (encoder, tokenizer) in zip(both.values(), parts, strict=True):
        theirs.load_textual_inversion(
            {"it": each}, token="<it>", text_encoder=encoder, tokenizer=tokenizer
        )
    embeds, _, pooled, _ = theirs.encode_prompt("a photo of <it> on a horse")
    given = (Embedding(f"{tmp_path}/it.safetensors"),)
    ours = encoded(pipe, "a photo of embedding:it on a horse", given=given)

    # then
    assert torch.allclose(ours.embeds, embeds, atol=1e-5)
    assert torch.allclose(ours.pooled, pooled, atol=1e-5)


def test_an_embedding_for_one_encoder_only_is_refused_by_a_family_of_two(tmp_path):
    make(BUILDS["sdxl"]).save_pretrained(tmp_path / "model")
    save_file({"emb_params": vectors(2, 64)}, tmp_path / "it.safetensors")
    pipe = sdnb.load(str(tmp_path / "model"))
    refused(pipe, f"{tmp_path}/it.safetensors", "another family")
