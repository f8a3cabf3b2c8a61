"""Networks and weights: the only place that knows diffusers and transformers.

`loading` turns a reference into `components`; `text`, `vae` and `denoiser` use them under
sdnb's own names. Foreign names stop here.
"""
