"""What can be learned by running a pipeline, or an analytic denoiser, more than once.

Functions over a pipeline, not methods of it; they measure and return plain values. How those
are drawn is in `sdnb.plots`.
"""
