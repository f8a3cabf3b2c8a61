from dataclasses import replace

from sdnb.comparison.convergence import Convergence
from sdnb.comparison.samplers import Cost
from sdnb.plots.samplers import plot_convergence, plot_costs
from sdnb.plots.static import to_svg
from sdnb.plots.theme import sampler_mark


def test_errors_are_drawn_against_evaluations(study: Convergence) -> None:
    figure = plot_convergence(study)
    (euler,) = (trace for trace in figure.data if trace.legendgroup == "euler")
    assert list(euler.x) == [5, 10, 20]
    assert (figure.layout.xaxis.type, figure.layout.yaxis.type) == ("log", "log")
    assert euler.line.color == sampler_mark("euler").colour


def test_the_legend_names_each_sampler_once_with_its_orders(study: Convergence) -> None:
    figure = plot_convergence(study, study)
    named = [trace.name for trace in figure.data if trace.legendgroup and trace.showlegend]
    assert named == ["euler\N{EM SPACE}1.0 | 1.0", "heun\N{EM SPACE}2.0 | 2.0"]


def test_what_is_left_out_is_said_with_its_reason(study: Convergence) -> None:
    left_out = (("ddpm", "draws noise"), ("lcm", "draws noise"))
    figure = plot_convergence(replace(study, left_out=left_out))
    assert figure.layout.annotations[-1].text == "left out, draws noise: ddpm, lcm"
    assert "left out, draws noise: ddpm, lcm" in to_svg(figure)
    assert figure.layout.height > plot_convergence(study).layout.height


def test_nothing_but_what_is_left_out_is_drawn_too(study: Convergence) -> None:
    figure = plot_convergence(replace(study, curves=(), left_out=(("lcm", "draws noise"),)))
    assert to_svg(figure)


def test_what_is_uncertain_is_marked(study: Convergence) -> None:
    assert plot_convergence(study).layout.shapes[0].y0 == study.floor


def test_every_axis_of_both_plots_has_a_unit(study: Convergence, costs: tuple[Cost, ...]) -> None:
    for figure in (plot_convergence(study, study), plot_costs(costs)):
        layout = figure.to_plotly_json()["layout"]
        titles = [axis["title"]["text"] for key, axis in layout.items() if key[1:5] == "axis"]
        assert titles
        assert all("(" in title for title in titles)


def test_costs_stand_in_the_order_they_were_given(costs: tuple[Cost, ...]) -> None:
    bars = plot_costs(costs).data
    assert [bar.name for bar in bars] == ["evaluations", "time"]
    assert list(bars[0].y) == ["heun", "ddim", "dpm_2"]
    assert list(bars[0].x) == [1.9, 1.0, 1.9]
    assert plot_costs(costs).layout.yaxis.autorange == "reversed"  # plotly counts from below


def test_both_have_a_still_picture(study: Convergence, costs: tuple[Cost, ...]) -> None:
    assert "a &lt;toy&gt; &amp; more" in to_svg(plot_convergence(study))
    assert "ddim" in to_svg(plot_costs(costs))
