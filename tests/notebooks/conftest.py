"""After the notebooks, a table of what each of them took."""

from collections.abc import Iterator

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    rows = sorted(_measured(terminalreporter))
    if rows:
        terminalreporter.section("what the notebooks took")
        terminalreporter.write_line(f"{'':24} {'seconds':>8} {'peak MB':>8} {'file kB':>8}")
    for name, seconds, peak, size in rows:
        terminalreporter.write_line(f"{name:24} {seconds:8.1f} {peak:8.0f} {size:8.0f}")


def _measured(
    terminalreporter: pytest.TerminalReporter,
) -> Iterator[tuple[str, float, float, float]]:
    reports = [*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")]
    for report in reports:
        yield from (value for name, value in report.user_properties if name == "notebook")
