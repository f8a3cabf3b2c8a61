"""Samplers: one algorithm a file, written as in its paper, under one contract.

`contract` says what a sampler is; `loop` drives one. To add a sampler, write
``<name>.py`` here and its line in `sdnb.registry`.
"""
