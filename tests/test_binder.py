"""The files in binder/ say the same as pyproject.toml and constraints.txt, and Binder reads them.

What repo2docker would build is read as it prints it, without Docker; the image is not built here.
"""

import json
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from importlib.metadata import distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
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


def test_what_is_pinned_runs_on_every_python_that_the_package_allows() -> None:
    """Debian 12 has Python 3.11.2, and some packages ask for a later one."""
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    first = next(iter(SpecifierSet(wanted))).version
    constraints = pins((ROOT / "constraints.txt").read_text().splitlines())
    installed = {canonicalize_name(each.metadata["Name"]): each for each in distributions()}

    needs = {
        name: installed[name].metadata.get("Requires-Python", "")
        for name, version in constraints.items()
        if name in installed and installed[name].version.partition("+")[0] == version
    }

    assert len(needs) > 100
    assert [name for name in needs if first not in SpecifierSet(needs[name])] == []


def test_binder_pins_are_those_of_the_constraints(binder_pins: dict[str, str]) -> None:
    constraints = pins((ROOT / "constraints.txt").read_text().splitlines())

    assert binder_pins == {name: constraints[name] for name in binder_pins}


def test_binder_settings_ask_for_no_news() -> None:
    settings = json.loads((ROOT / "binder/overrides.json").read_text())

    assert settings["@jupyterlab/apputils-extension:notification"]["fetchNews"] == "false"


@pytest.fixture(scope="module")
def dockerfile() -> str:
    """What repo2docker makes of this repository."""
    pytest.importorskip("repo2docker")
    command = [
        *(sys.executable, "-m", "repo2docker", "--no-build", "--debug"),
        *("--user-id", "1000", "--user-name", "jovyan", "."),
    ]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return said.stdout + said.stderr


def test_binder_builds_with_the_python_that_was_tested(dockerfile: str) -> None:
    version = (ROOT / "binder/runtime.txt").read_text().strip().removeprefix("python-")
    assert f"conda environment for python={version}" in dockerfile


def test_binder_installs_what_changes_seldom_before_it_copies_the_package(dockerfile: str) -> None:
    """The layer of 1.4 GB stays cached while only the package changes."""
    steps = [
        'pip install --no-cache-dir -r "binder/requirements.txt"',
        "COPY --chown=1000:1000 src/ ${REPO_DIR}/",
        "RUN ./binder/postBuild",
    ]
    places = [dockerfile.index(step) for step in steps]
    assert places == sorted(places)


def test_what_runs_after_the_copy_installs_the_package_alone() -> None:
    script = (ROOT / "binder/postBuild").read_text()
    assert "pip install --no-cache-dir --no-deps .\n" in script
    assert (ROOT / "binder/postBuild").stat().st_mode & 0o111
