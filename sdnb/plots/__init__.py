"""Figures: plain values in, a plotly `Figure` out, which draws itself wherever it is shown.

A plot computes nothing, saves nothing and shows nothing. Where its values come from is in
`sdnb.comparison`; what all plots look like in `theme`; how one becomes a picture without
plotly's script, in `static`.
"""
