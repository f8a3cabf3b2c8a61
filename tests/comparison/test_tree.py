"""The tree of branches: who comes from whom, and what was changed."""

import pytest

import sdnb
from sdnb.comparison.tree import Tree, changed
from sdnb.errors import InvalidField
from sdnb.request import GenerationRequest


@pytest.fixture(scope="module")
def family(pipe):
    parent = pipe.run("a <b>red</b> circle", seed=7, steps=3)
    child = pipe.branch(parent, 1, cfg_scale=2.0).finish()
    twig = pipe.branch(child, 2, prompt="a star").finish()
    return parent, child, twig


def test_branches_stand_under_what_they_come_from(family):
    # given
    parent, child, twig = family

    # when
    shown = sdnb.tree([twig, parent, child, parent])

    # then
    assert isinstance(shown, Tree)
    assert shown.children(None) == (parent,)
    assert shown.children(child) == (twig,)
    first, second, third = repr(shown).splitlines()
    assert "seed 7" in first
    assert second.endswith("from step 1, cfg_scale 4.0 → 2.0")
    assert third.startswith("      ")
    assert "prompt a <b>red</b> circle → a star" in third


def test_two_roots_that_differ_in_their_hooks_are_told_apart(pipe):
    # given
    def brighten(event):
        return None

    alone, changed_one = (
        pipe.run("a star", seed=7, steps=1, hooks=hooks)
        for hooks in (sdnb.Hooks(), sdnb.Hooks(on_step=(brighten,)))
    )

    # when
    first, second = repr(sdnb.tree([alone, changed_one])).splitlines()

    # then
    assert first.endswith("seed 7")
    assert second.endswith("seed 7, step:brighten")


def test_a_branch_without_its_parent_stands_at_the_top(family):
    _, child, twig = family
    shown = sdnb.tree([child, twig])
    assert shown.children(None) == (child,)
    assert "parent not given" in repr(shown)


def test_its_html_has_the_pictures_and_no_markup_of_the_prompt(family):
    html = sdnb.tree(family)._repr_mimebundle_()["text/html"]
    assert html.count("<img ") == 3
    assert "<b>" not in html


def test_a_tree_is_made_of_results():
    with pytest.raises(InvalidField, match="results"):
        sdnb.tree(["picture.png"])


def test_two_equal_requests_are_said_to_be_unchanged():
    request = GenerationRequest(prompt="a star")
    assert changed(request, request) == "unchanged"
