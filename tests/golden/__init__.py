"""Text that others rely on, as it was last agreed on: formats only, no pictures and no numbers.

``python -m tests.golden.make`` writes it anew; what changed then shows in the diff. It leaves
``png_sdnb_v1.json`` alone: pictures that were saved so are read for ever.
"""
