import pytest

from sdnb.comparison.samplers import Cost, SamplerFacts
from sdnb.errors import UnknownName
from sdnb.plots.sampler_table import Table

Facts = tuple[SamplerFacts, ...]


def test_it_has_a_row_for_each_sampler_in_html_and_in_text(facts: Facts) -> None:
    bundle = Table(facts)._repr_mimebundle_()
    assert bundle["text/html"].count("<tr>") == 1 + len(facts)
    assert len(bundle["text/plain"].splitlines()) == 1 + len(facts)


def test_texts_are_escaped(facts: Facts) -> None:
    html = Table(facts)._repr_mimebundle_()["text/html"]
    assert "a &lt;family&gt;" in html
    assert "<family>" not in html


@pytest.mark.parametrize(
    ("key", "names"),
    [
        ("order", ["ddim", "heun", "dpm_2"]),  # nothing last
        ("sampler", ["ddim", "dpm_2", "heun"]),
        ("evaluations", ["ddim", "heun", "dpm_2"]),  # words after numbers
    ],
)
def test_it_sorts_by_a_column(facts: Facts, key: str, names: list[str]) -> None:
    assert [each.name for each in Table(facts).by(key).facts] == names


def test_it_sorts_by_what_was_measured(facts: Facts, costs: tuple[Cost, ...]) -> None:
    assert Table(facts, costs).by("time").facts[0].name == "ddim"


def test_an_unknown_column_names_the_nearest(facts: Facts) -> None:
    with pytest.raises(UnknownName, match="did you mean order"):
        Table(facts).by("oder")


def test_what_was_not_measured_is_no_column(facts: Facts) -> None:
    with pytest.raises(UnknownName):
        Table(facts).by("time")


def test_the_measured_columns_stand_beside_the_others(
    facts: Facts, costs: tuple[Cost, ...]
) -> None:
    text = repr(Table(facts, costs))
    assert "time ÷ DDIM" in text
    assert "1.81" in text


def test_a_paper_is_a_link_and_nothing_is_loaded(facts: Facts) -> None:
    html = Table(facts)._repr_mimebundle_()["text/html"]
    assert '<a href="https://arxiv.org/abs/2206.00364">' in html
    assert "src=" not in html
