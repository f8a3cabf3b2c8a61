"""The files in binder/ say the same as pyproject.toml and constraints.txt."""

import json
import tomllib
from collections.abc import Iterable
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]


def pins(lines: Iterable[str]) -> dict[str, str]:
    """Versions by package name, without the local part (``+cpu``)."""
    pairs = (line.split("==") for line in lines if "==" in line and not line.startswith("#"))
    return {canonicalize_name(name): version.partition("+")[0] for name, version in pairs}


@pytest.fixture
def binder_pins() -> dict[str, str]:
    return pins((ROOT / "binder/requirements.txt").read_text().splitlines())


def test_binder_installs_what_the_package_depends_on(binder_pins: dict[str, str]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    dependencies = {canonicalize_name(Requirement(text).name) for text in project["dependencies"]}

    assert set(binder_pins) == dependencies


def test_binder_pins_are_those_of_the_constraints(binder_pins: dict[str, str]) -> None:
    constraints = pins((ROOT / "constraints.txt").read_text().splitlines())

    assert binder_pins == {name: constraints[name] for name in binder_pins}


def test_binder_settings_ask_for_no_news() -> None:
    settings = json.loads((ROOT / "binder/overrides.json").read_text())

    assert settings["@jupyterlab/apputils-extension:notification"]["fetchNews"] == "false"
