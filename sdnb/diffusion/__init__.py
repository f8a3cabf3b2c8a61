"""The maths of diffusion: schedules, prediction types, guidance, noise, samplers.

Nothing here knows a network: a sampler asks, somebody else answers.
"""
