"""Labs in the notebook: what is typed goes to a lab, what it shows goes to the page.

A panel is two files: ``labs/<stem>.py`` does everything, ``panels/<stem>.py`` says which fields
and buttons there are. What all share is in `sdnb.panels.panel`; how it looks in the browser, in
``front/``. No torch, no numpy, and no words but those of `sdnb.i18n`.
"""
