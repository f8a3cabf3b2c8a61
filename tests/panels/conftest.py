"""Panels speak English, whatever the machine does."""

import pytest

from sdnb import i18n
from sdnb.i18n import set_language


@pytest.fixture(scope="module", autouse=True)
def english():
    before, i18n._choice = i18n._choice, i18n._Choice()
    set_language("en")
    yield
    i18n._choice = before
