"""The shell: the text of a cell becomes a request, the run is watched, the result comes back.

``%%sd`` and ``%sd`` do nothing that plain Python cannot: `parse` reads the text (no IPython in
it), `session` keeps what lasts from cell to cell, `drawing` runs and watches, `sd` joins them.
Nothing here imports torch before something is drawn.
"""
