"""Fixtures that every folder of tests may use."""

import pytest

import sdnb


@pytest.fixture(scope="session")
def pipe():
    """Load the embedded model once; pipelines hold no state between runs."""
    return sdnb.load("tiny")
