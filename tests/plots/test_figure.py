import json
import subprocess
import sys
from base64 import b64encode

import nbformat
import plotly.graph_objects as go
from bs4 import BeautifulSoup
from IPython.core.formatters import DisplayFormatter
from nbconvert import HTMLExporter

from sdnb.plots.figure import PLOTLY, Figure

LINE = go.Scatter(x=[0, 1], y=[2, 3])


def test_it_publishes_plotly_s_form_a_picture_and_words() -> None:
    # given
    figure = Figure(LINE, layout_title_text="a line")
    # when
    bundle, _ = DisplayFormatter().format(figure)
    # then
    assert set(bundle) == {PLOTLY, "image/svg+xml", "text/html", "text/plain"}
    assert bundle["text/plain"] == "<Figure: a line>"
    assert bundle["image/svg+xml"].startswith("<svg")
    json.dumps(bundle)


def test_html_made_of_a_notebook_shows_the_picture_and_says_what_it_shows() -> None:
    # given
    alt = 'error & "cost" < 1'
    bundle = Figure(LINE, layout_meta={"alt": alt})._repr_mimebundle_()
    output = nbformat.v4.new_output("display_data", bundle)
    cell = nbformat.v4.new_code_cell(outputs=[output])
    # when
    page, _ = HTMLExporter().from_notebook_node(nbformat.v4.new_notebook(cells=[cell]))
    # then
    (image,) = BeautifulSoup(page, "html.parser").select("img")
    picture = b64encode(bundle["image/svg+xml"].encode()).decode()
    assert image["src"] == f"data:image/svg+xml;base64,{picture}"
    assert image["alt"] == alt


def test_nothing_it_publishes_names_another_machine() -> None:
    written = json.dumps(Figure(LINE)._repr_mimebundle_())
    assert written.replace("http://www.w3.org/", "").count("http") == 0


def test_what_has_no_picture_is_published_without() -> None:
    bundle = Figure(go.Surface(z=[[1, 2], [3, 4]]))._repr_mimebundle_()
    assert set(bundle) == {PLOTLY, "text/plain"}


def test_it_stays_itself_when_it_is_changed() -> None:
    assert isinstance(Figure(LINE).update_layout(height=300), Figure)


def test_a_figure_without_a_title_still_says_something() -> None:
    assert Figure(LINE).alt == "a plot"


def test_plots_are_imported_without_torch() -> None:
    modules = "sdnb.plots.schedules, sdnb.plots.samplers, sdnb.plots.sampler_table"
    code = f"import sys, {modules}; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
