"""Names of the tensor shapes that public signatures use; the test suite checks them.

``B`` images, ``C`` latent channels, ``h, w`` latent size, ``H, W`` pixels, ``L`` text
positions, ``D`` text width, ``P`` pooled text width, ``S`` steps, ``T`` training steps.
"""

from jaxtyping import Float, Shaped
from torch import Tensor

Latents = Float[Tensor, "B C h w"]
"""Noisy or clean latents on the variance-exploding scale, ``x = x0 + sigma * eps``."""

Film = Float[Tensor, "_ B C h w"]
"""Latents at several moments of a run."""

State = Float[Tensor, "B *shape"]
"""Anything a sampler can move: latents, or points of a toy problem."""

Images = Float[Tensor, "B 3 H W"]
"""Pixels in 0 … 1."""

Mask = Float[Tensor, "B 1 h w"]
"""Where to repaint: 1 repaints, 0 keeps."""

Embeds = Float[Tensor, "B L D"]
"""What cross-attention reads: one vector of width D for each text position."""

Pooled = Float[Tensor, "B P"]
"""One vector for a whole text."""

Activation = Shaped[Tensor, "..."]
"""What a module inside the network gives or is given."""

AttentionMap = Float[Tensor, "h w"]
"""How strongly each place of the latents attends to a word, 0 … 1."""

Sigmas = Float[Tensor, "levels"]
"""The S + 1 noise levels of a run, falling to 0."""

TrainingSteps = Float[Tensor, "T"]
"""One value for each training timestep 0 … T - 1."""
