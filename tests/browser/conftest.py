"""The browser, the server and the page that the browser tests drive."""

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Route, expect, sync_playwright

from tests.browser.lab import LEAVES_THE_MACHINE, Lab
from tests.browser.server import Server, running_server

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


PATIENCE = 60_000  # milliseconds, for a busy machine
expect.set_options(timeout=PATIENCE)


@pytest.fixture(scope="session")
def chromium() -> str:
    path = shutil.which("chromium")
    if path is None:
        reason = "Chromium is not installed (Debian: apt-get install chromium)"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return path


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def server(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_server(tmp_path_factory.mktemp("jupyterlab")) as server:
        yield server


@pytest.fixture
def blocked() -> list[str]:
    """Addresses outside this machine that the page asked for, and did not get."""
    return []


@pytest.fixture
def lab(browser: Browser, server: Server, blocked: list[str]) -> Iterator[Lab]:
    def refuse(route: Route) -> None:
        blocked.append(route.request.url)
        route.abort()

    with browser.new_context(viewport={"width": 1280, "height": 900}) as context:
        context.set_default_timeout(PATIENCE)
        context.route(LEAVES_THE_MACHINE, refuse)
        yield Lab(context.new_page(), server)


@pytest.fixture
def said(lab: Lab) -> Iterator[list[str]]:
    """What the page's console said of errors while the test ran: nothing."""
    errors: list[str] = []
    lab.page.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
    lab.page.on("pageerror", lambda error: errors.append(str(error)))
    yield errors
    assert errors == []
