"""Figures of the latent space, from values that were made up."""

import torch
from PIL import Image

from sdnb.comparison.latent_space import RoundTrip, SizeCost
from sdnb.plots.latent_space import plot_lengths, plot_round_trip, plot_sizes
from tests.plots.conftest import SVG


def made_trip(width=64, height=32, channels=4):
    picture = Image.new("RGB", (width, height), "red")
    return RoundTrip(
        picture=picture,
        decoded=picture,
        latents=torch.randn(1, channels, height // 8, width // 8),
        error=torch.full((height, width), 0.1),
    )


def test_a_round_trip_shows_the_picture_each_channel_both_ends_and_the_error(drawn):
    # when
    figure = plot_round_trip(made_trip(channels=16))
    # then
    assert len(figure.layout.images) == 2
    assert sum(trace.type == "heatmap" for trace in figure.data) == 16 + 1
    texts = "".join(drawn(figure).itertext())
    assert "PSNR 20.0 dB" in texts and "channel 15" in texts and "up to 0.10" in texts


def test_a_large_picture_s_error_is_drawn_in_few_cells():
    figure = plot_round_trip(made_trip(width=1000, height=504))
    error = figure.data[4]
    assert len(error.z) <= 96 and len(error.z[0]) <= 96
    assert abs(error.z[0][0] - 0.1) < 1e-3


def test_sizes_and_lengths_say_their_numbers(drawn):
    sizes = plot_sizes([SizeCost(side=16, seconds=0.1), SizeCost(side=32, seconds=0.4)], 16, 128)
    assert "32: 0.4 s" in sizes.alt
    texts = {"".join(text.itertext()) for text in drawn(sizes).iter(f"{SVG}text")}
    assert {"latents", "pixels"} <= texts
    ways = plot_lengths({"lerp": [1.0, 0.7, 1.0], "slerp": [1.0, 1.0, 1.0]})
    assert list(ways.data[0].x) == [0.0, 0.5, 1.0]
    assert "lerp: at least 0.70" in ways.alt
