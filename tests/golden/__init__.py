"""Text that others rely on, as it was last agreed on: formats only, no pictures and no numbers.

``python -m tests.golden.make`` writes it anew; what changed then shows in the diff.
"""
