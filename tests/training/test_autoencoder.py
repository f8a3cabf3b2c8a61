import pytest
import torch

from sdnb.training.autoencoder import (
    PicturedLatents,
    autoencoder_loss,
    decode_latents,
    decoder_loss,
    encode_pictures,
    make_autoencoder,
)
from sdnb.training.computing import seeded
from sdnb.training.dataset import render_numbers, to_images, to_pictures
from sdnb.training.emphasis import cover_numbered, weigh_places
from sdnb.training.whitening import whiten_latents


def small_autoencoder():
    with seeded(0):
        return make_autoencoder((8, 8, 8, 8)).eval()


def test_whitening_changes_the_latents_and_not_what_is_decoded():
    # given
    model, pictures = small_autoencoder(), render_numbers(range(12))
    before = torch.cat(list(decode_latents(model, encode_pictures(model, pictures))))
    # when
    whiten_latents(model, pictures)
    latents = encode_pictures(model, pictures)
    after = torch.cat(list(decode_latents(model, latents)))
    # then
    assert torch.allclose(after, before, atol=1e-3)
    channels = latents.transpose(0, 1).flatten(1)
    assert torch.allclose(channels.mean(1), torch.zeros(4), atol=1e-2)
    assert torch.allclose(torch.cov(channels), torch.eye(4), atol=1e-2)


def test_parts_of_a_step_add_up_to_its_loss_with_the_same_crops():
    # given
    model, pictures = small_autoencoder(), render_numbers(range(4))
    # when
    first, again = (
        [part().item() for part in autoencoder_loss(model, pictures, seed=0, parts=2)(3, 0.0)]
        for _ in range(2)
    )
    # then
    assert len(first) == 2
    assert first == again


def test_the_decoders_loss_is_the_same_in_parts_and_falls_with_its_weights():
    # given
    model, pictures = small_autoencoder(), render_numbers(range(4))
    latents, weights = encode_pictures(model, pictures), weigh_places(cover_numbered(4))

    def loss(weights, parts):
        data = PicturedLatents(
            latents=latents, pictures=pictures, weights=weights, seed=0, parts=parts
        )
        return sum(part().item() for part in decoder_loss(model, data)(0, 0.0))

    # when
    whole, parted, halved = loss(weights, 1), loss(weights, 4), loss(weights / 2, 1)
    # then
    assert parted == pytest.approx(whole, rel=1e-4)
    assert halved == pytest.approx(whole / 2, rel=1e-4)


def test_pictures_survive_the_way_to_images_and_back():
    # given
    pictures = render_numbers(range(2))
    # when, then
    assert (to_pictures(to_images(pictures)) == pictures).all()
