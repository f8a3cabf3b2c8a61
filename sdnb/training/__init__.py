"""Training of the embedded model: its world, its losses, its recipe and its examination."""
