"""Ready-made interventions: each a hook as anybody could write it, with its paper.

Those without a picture or a prompt of their own are known by name: ``--on
model:guidance_interval@0-9``, ``--on denoise:rescaled_cfg``. The others are made in Python,
``Hooks(on_denoise=(freeze_region(latents, mask),))``.
"""
